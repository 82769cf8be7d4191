package hdf5

import "math"

// A chunk is a piece of a dataset, all of one shape, stored by itself.
type chunk struct {
	index      uint64 // in the grid, row-major
	addr, size uint64 // in the file, filtered
	filterMask uint32 // bits of filters that were skipped
}

// A chunkGrid is how chunks tile a dataset. Those at the end of a dimension
// may stick out.
type chunkGrid struct {
	shape, chunk []uint64
	counts       []uint64 // chunks per dimension
	total        uint64   // chunks
}

func newChunkGrid(shape, chunk []uint64) chunkGrid {
	g := chunkGrid{shape: shape, chunk: chunk, total: 1}
	for i, d := range shape {
		g.counts = append(g.counts, (d-1)/chunk[i]+1) // d > 0: there are elements
		g.total *= g.counts[i]                        // ≤ elements, which fit
	}
	return g
}

// coordinates sets at to the position of a chunk in the grid.
func (g *chunkGrid) coordinates(at []uint64, index uint64) {
	for i := len(g.counts) - 1; i >= 0; i-- {
		at[i] = index % g.counts[i]
		index /= g.counts[i]
	}
}

// indexAt is the inverse of coordinates; ok is false outside the grid.
func (g *chunkGrid) indexAt(at []uint64) (index uint64, ok bool) {
	for i, c := range at {
		if c >= g.counts[i] {
			return 0, false
		}
		index = index*g.counts[i] + c
	}
	return index, true
}

// sticksOut reports whether a chunk is partly outside the dataset.
func (g *chunkGrid) sticksOut(index uint64) bool {
	at := make([]uint64, len(g.counts))
	g.coordinates(at, index)
	for i, c := range at {
		if g.shape[i]/g.chunk[i] <= c {
			return true
		}
	}
	return false
}

// scatter copies a chunk's elements to where they belong in the dataset.
func (g *chunkGrid) scatter(dst, data []byte, index uint64, elementSize int) {
	rank := len(g.shape)
	if rank == 0 {
		copy(dst, data)
		return
	}
	at := make([]uint64, rank)
	g.coordinates(at, index)
	size := uint64(elementSize)
	// A run is what is contiguous in both: one row, or several where chunks
	// are as wide as the dataset.
	inner, run := rank-1, size
	for inner > 0 && g.chunk[inner] == g.shape[inner] {
		run *= g.shape[inner]
		inner--
	}
	steps := make([]gridStep, inner+1)
	from, to := size, size
	start := uint64(0)
	for i := rank - 1; i >= 0; i-- {
		offset := at[i] * g.chunk[i]
		start += offset * to
		if i <= inner {
			steps[i] = gridStep{n: min(g.chunk[i], g.shape[i]-offset), from: from, to: to}
		}
		from *= g.chunk[i]
		to *= g.shape[i]
	}
	run *= steps[inner].n
	copyRuns(dst[start:], data, steps[:inner], run)
}

// A gridStep is a dimension to step over: how often, and how far apart.
type gridStep struct{ n, from, to uint64 }

func copyRuns(dst, src []byte, steps []gridStep, run uint64) {
	if len(steps) == 0 {
		copy(dst[:run], src[:run])
		return
	}
	s := steps[0]
	for i := range s.n {
		copyRuns(dst[i*s.to:], src[i*s.from:], steps[1:], run)
	}
}

// chunks returns the chunks that are in the file, each once.
func (ds *Dataset) chunks() (chunkGrid, []chunk, error) {
	g := newChunkGrid(ds.space.dims, ds.layout.chunk)
	c := &chunkCollector{ds: ds, grid: &g}
	l := &ds.layout
	if l.addr == undefined {
		return g, nil, nil
	}
	var err error
	switch l.index {
	case indexBTree1:
		err = c.fromBTree1()
	case indexSingle:
		size := l.chunkBytes
		if l.singleFiltered {
			size = l.single.size
		}
		if g.total != 1 {
			return g, nil, formatErrorf("%d chunks where there should be one", g.total)
		}
		err = c.add(chunk{addr: l.addr, size: size, filterMask: l.single.filterMask})
	case indexImplicit:
		err = c.fromImplicit()
	case indexFixedArray, indexExtensibleArray:
		err = c.fromArray()
	case indexBTree2:
		err = c.fromBTree2()
	}
	return g, c.chunks, err
}

type chunkCollector struct {
	ds     *Dataset
	grid   *chunkGrid
	chunks []chunk
	seen   map[uint64]bool // of the B-trees, whose keys may repeat
}

func (c *chunkCollector) add(ch chunk) error {
	if ch.addr == undefined {
		return nil
	}
	if err := c.ds.f.checkRange(ch.addr, ch.size); err != nil {
		return err
	}
	if len(c.ds.filters) == 0 && ch.size != c.ds.layout.chunkBytes {
		return formatErrorf("chunk of %d bytes, not %d", ch.size, c.ds.layout.chunkBytes)
	}
	c.chunks = append(c.chunks, ch)
	return nil
}

// addAt is add for a chunk whose index says its position.
func (c *chunkCollector) addAt(at []uint64, ch chunk) error {
	index, ok := c.grid.indexAt(at)
	if !ok {
		return formatErrorf("chunk %v is outside the dataset", at)
	}
	if c.seen == nil {
		c.seen = map[uint64]bool{}
	}
	if c.seen[index] {
		return formatErrorf("chunk %v is there twice", at)
	}
	c.seen[index] = true
	ch.index = index
	return c.add(ch)
}

// fromBTree1: a key is
//
//	size (4) | filter mask (4) | offset in each dimension (8) | 0 (8)
func (c *chunkCollector) fromBTree1() error {
	rank := len(c.grid.shape)
	at := make([]uint64, rank)
	parse := func(key []byte, addr uint64) (chunk, error) {
		d := &decoder{buf: key, what: "chunk B-tree key"}
		ch := chunk{addr: addr, size: uint64(d.u32()), filterMask: d.u32()}
		for i := range at {
			offset := d.u64()
			if offset%c.grid.chunk[i] != 0 {
				return ch, formatErrorf("chunk at offset %d, not a multiple of %d", offset, c.grid.chunk[i])
			}
			at[i] = offset / c.grid.chunk[i]
		}
		return ch, nil
	}
	var unused []uint64 // chunks after a node's last one
	err := c.ds.f.walkBTree1(c.ds.layout.addr, btreeChunks, 16+8*rank, btree1Leaves{
		child: func(left, _ []byte, addr uint64) error {
			ch, err := parse(left, addr)
			if err != nil {
				return err
			}
			return c.addAt(at, ch)
		},
		unused: func(left []byte, addr uint64) {
			ch, err := parse(left, addr)
			if index, ok := c.grid.indexAt(at); ok && err == nil && ch.size > 0 {
				unused = append(unused, index)
			}
		},
	})
	for _, index := range unused {
		if err == nil && !c.seen[index] {
			err = formatErrorf("a node of the B-tree of chunks has more entries than it says")
		}
	}
	return err
}

// fromBTree2: a record is
//
//	address (8) | size (n) and filter mask (4) if filtered | position (8 each)
func (c *chunkCollector) fromBTree2() error {
	rank := len(c.grid.shape)
	at := make([]uint64, rank)
	recordType := byte(recordChunk)
	if len(c.ds.filters) > 0 {
		recordType = recordFilteredChunk
	}
	return c.ds.f.walkBTree2(c.ds.layout.addr, recordType, func(record []byte) error {
		if len(record) < 8*rank {
			return formatErrorf("chunk record of %d bytes", len(record))
		}
		head := len(record) - 8*rank
		ch, err := c.element(record[:head])
		if err != nil {
			return err
		}
		d := &decoder{buf: record[head:]}
		for i := range at {
			at[i] = d.u64()
		}
		return c.addAt(at, ch)
	})
}

// element parses what all newer indexes say of a chunk.
func (c *chunkCollector) element(b []byte) (chunk, error) {
	filtered := len(c.ds.filters) > 0
	if !filtered && len(b) != 8 || filtered && (len(b) < 8+1+4 || len(b) > 8+8+4) {
		return chunk{}, formatErrorf("chunk index elements of %d bytes", len(b))
	}
	d := &decoder{buf: b}
	ch := chunk{addr: d.u64(), size: c.ds.layout.chunkBytes}
	if filtered {
		ch.size = d.uint(len(d.buf) - 4)
		ch.filterMask = d.u32()
	}
	return ch, nil
}

// fromImplicit: all chunks follow each other.
func (c *chunkCollector) fromImplicit() error {
	order, err := newFileOrder(c.ds)
	if err != nil {
		return err
	}
	if len(c.ds.filters) > 0 {
		return formatErrorf("filtered chunks without an index")
	}
	l, at := &c.ds.layout, make([]uint64, len(c.grid.shape))
	if l.chunkBytes > c.ds.f.size {
		return formatErrorf("chunks of %d bytes", l.chunkBytes)
	}
	for i := range c.grid.total {
		c.grid.coordinates(at, i)
		n := order.index(at)
		if n > c.ds.f.size { // and so n · chunkBytes does not overflow
			return formatErrorf("chunk %d is beyond the file's end", n)
		}
		if err := c.add(chunk{index: i, addr: l.addr + n*l.chunkBytes, size: l.chunkBytes}); err != nil {
			return err
		}
	}
	return nil
}

// fromArray: a fixed or extensible array has an element for each chunk.
func (c *chunkCollector) fromArray() error {
	order, err := newFileOrder(c.ds)
	if err != nil {
		return err
	}
	read := c.ds.f.readFixedArray
	if c.ds.layout.index == indexExtensibleArray {
		read = c.ds.f.readExtensibleArray
	}
	array, err := read(c.ds.layout.addr, len(c.ds.filters) > 0)
	if err != nil {
		return err
	}
	at := make([]uint64, len(c.grid.shape))
	for i := range c.grid.total {
		c.grid.coordinates(at, i)
		n := order.index(at)
		if n >= uint64(len(array.elements))/array.size {
			if c.ds.layout.index == indexFixedArray {
				return formatErrorf("the array of chunks has %d elements, not %d", uint64(len(array.elements))/array.size, n+1)
			}
			continue // never written
		}
		ch, err := c.element(array.elements[n*array.size : (n+1)*array.size])
		if err != nil {
			return err
		}
		ch.index = i
		if err := c.add(ch); err != nil {
			return err
		}
	}
	return nil
}

// A chunkArray is the contents of an array index.
type chunkArray struct {
	size     uint64 // of an element
	elements []byte
}

// fileOrder numbers chunks as arrays do: row-major over the grid that there
// would be at the dataset's limits, an unlimited dimension coming first.
type fileOrder struct {
	unlimited int
	strides   []uint64
}

func newFileOrder(ds *Dataset) (fileOrder, error) {
	rank := len(ds.space.dims)
	o := fileOrder{unlimited: -1, strides: make([]uint64, rank)}
	stride := uint64(1)
	for i := rank - 1; i >= 0; i-- {
		limit := ds.space.limits[i]
		if limit == undefined {
			if o.unlimited >= 0 || ds.layout.index != indexExtensibleArray {
				return o, formatErrorf("an array of chunks for shape limits %v", ds.space.limits)
			}
			o.unlimited = i
			continue
		}
		o.strides[i] = stride
		count := (limit-1)/ds.layout.chunk[i] + 1
		if count > math.MaxInt64/stride {
			return o, formatErrorf("more than 2⁶³ chunks for shape limits %v", ds.space.limits)
		}
		stride *= count
	}
	if o.unlimited >= 0 {
		o.strides[o.unlimited] = stride
	}
	return o, nil
}

func (o fileOrder) index(at []uint64) (n uint64) {
	for i, c := range at {
		n += c * o.strides[i]
	}
	return n
}
