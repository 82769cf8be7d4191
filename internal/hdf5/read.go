package hdf5

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// ReadInto reads all elements into dst, whose length must be NumBytes,
// row-major. Numbers are little-endian, whatever they are in the file; the
// bytes of other types are as in the file. Uncompressed elements go from the
// file into dst directly. Errors: [ErrType] if dst has another length,
// [ErrFormat] if the file is damaged, or the reader's.
func (ds *Dataset) ReadInto(dst []byte) error {
	if len(dst) != ds.NumBytes() {
		return ds.wrap(typeErrorf("a buffer of %d bytes for %d", len(dst), ds.NumBytes()))
	}
	if err := ds.readRaw(dst); err != nil {
		return ds.wrap(err)
	}
	if ds.dtype.bigEndian() {
		swapBytes(dst, ds.dtype.Size)
	}
	return nil
}

// Bytes is [Dataset.ReadInto] with a new buffer.
func (ds *Dataset) Bytes() ([]byte, error) {
	dst := make([]byte, ds.NumBytes())
	return dst, ds.ReadInto(dst)
}

// Strings reads elements of text, of fixed or variable length, row-major.
// Error: [ErrType] if they are not text.
func (ds *Dataset) Strings() ([]string, error) {
	if !ds.dtype.IsString() {
		return nil, ds.wrap(typeErrorf("%s elements are not text", ds.dtype))
	}
	raw := make([]byte, ds.NumBytes())
	if err := ds.readRaw(raw); err != nil {
		return nil, ds.wrap(err)
	}
	s, err := ds.f.decodeStrings(raw, ds.dtype)
	return s, ds.wrap(err)
}

// ReadAll reads all elements, row-major, and converts them to T: integers to
// integers that can hold them or to floating point, floating point numbers
// (float16 and bfloat16, too) to the nearest float32 or float64. Error:
// [ErrType] if that is not possible.
func ReadAll[T Number](ds *Dataset) ([]T, error) {
	k := ds.dtype.kind()
	if k == kindNone {
		return nil, ds.wrap(typeErrorf("%s elements are not numbers", ds.dtype))
	}
	dst := make([]T, ds.Len())
	if k == kindOf[T]() && !hostIsBigEndian {
		return dst, ds.ReadInto(bytesOf(dst))
	}
	raw := make([]byte, ds.NumBytes())
	if err := ds.readRaw(raw); err != nil {
		return nil, ds.wrap(err)
	}
	return dst, ds.wrap(convert(dst, raw, ds.dtype))
}

// readRaw reads the elements as they are in the file.
func (ds *Dataset) readRaw(dst []byte) error {
	l := &ds.layout
	switch {
	case len(dst) == 0:
		return nil
	case l.class == layoutCompact:
		copy(dst, l.data)
		return nil
	case l.class == layoutChunked:
		return ds.readChunks(dst)
	case l.addr == undefined:
		fill(dst, ds.fillValue)
		return nil
	}
	return readFull(ds.f.r, dst, l.addr)
}

// scratchLimit bounds the memory for chunks on their way into the dataset,
// unless a single chunk needs more.
const scratchLimit = 32 << 20

// readChunks reads chunks, several at a time if they have to be unfiltered.
func (ds *Dataset) readChunks(dst []byte) error {
	grid, chunks, err := ds.chunks()
	if err != nil {
		return err
	}
	if uint64(len(chunks)) < grid.total {
		fill(dst, ds.fillValue)
	}
	workers := 1
	if len(ds.filters) > 0 {
		perWorker := 3 * max(1, int(ds.layout.chunkBytes)) // stored and two buffers
		workers = max(1, min(runtime.GOMAXPROCS(0), len(chunks), scratchLimit/perWorker))
	}
	var (
		next  atomic.Int64
		once  sync.Once
		group sync.WaitGroup
	)
	for range workers {
		group.Go(func() {
			r := chunkReader{ds: ds, grid: &grid, undo: unfilterer{filters: ds.filters}}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(chunks) {
					return
				}
				if e := r.read(dst, chunks[i]); e != nil {
					once.Do(func() { err = e })
					next.Store(int64(len(chunks)))
				}
			}
		})
	}
	group.Wait()
	return err
}

type chunkReader struct {
	ds     *Dataset
	grid   *chunkGrid
	undo   unfilterer
	stored []byte
}

func (r *chunkReader) read(dst []byte, ch chunk) error {
	if uint64(cap(r.stored)) < ch.size {
		r.stored = make([]byte, ch.size)
	}
	r.stored = r.stored[:ch.size]
	if err := readFull(r.ds.f.r, r.stored, ch.addr); err != nil {
		return err
	}
	data, size := r.stored, int(r.ds.layout.chunkBytes)
	if len(r.ds.filters) > 0 && !(r.ds.layout.partialUnfiltered && r.grid.sticksOut(ch.index)) {
		var err error
		if data, err = r.undo.undo(r.stored, ch.filterMask, size); err != nil {
			return err
		}
	}
	if len(data) != size {
		return formatErrorf("a chunk has %d bytes, not %d", len(data), size)
	}
	r.grid.scatter(dst, data, ch.index, r.ds.dtype.Size)
	return nil
}
