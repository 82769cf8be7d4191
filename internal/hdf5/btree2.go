package hdf5

import "math/bits"

// Types of version 2 B-tree records that are read here.
const (
	recordHugeObject     = 1  // fractal heap: address, length, ID
	recordLinkName       = 5  // hash of name, heap ID
	recordAttributeName  = 8  // heap ID, flags, creation order, hash of name
	recordChunk          = 10 // address, scaled offsets
	recordFilteredChunk  = 11 // address, size, filter mask, scaled offsets
	btree2NodeOverhead   = 10 // signature, version, type and checksum
	btree2MaxDepth       = 32
	btree2HeaderSize     = 38
	btree2ShortestRecord = 8
)

// A btree2 walks over a version 2 B-tree. Its header is
//
//	BTHD | version 0 | type | node size (4) | record size (2) | depth (2) |
//	split % | merge % | root node (8) | records in root (2) | records (8)
//
// and a node is
//
//	BTLF or BTIN | version 0 | type | records | pointers to children
//
// where internal nodes have one child more than records.
type btree2 struct {
	f          *File
	recordType byte
	nodeSize   uint64
	recordSize uint64
	countSize  int   // bytes of a child's number of records
	totalSize  []int // per level, bytes of the number of records below a node
	visit      func(record []byte) error
	seen       map[uint64]bool
	visited    uint64
}

// walkBTree2 calls visit for each record of the tree in order.
func (f *File) walkBTree2(addr uint64, recordType byte, visit func(record []byte) error) error {
	d, err := f.readBlock(addr, btree2HeaderSize, "BTHD", "v2 B-tree header")
	if err != nil {
		return err
	}
	version, kind := d.u8(), d.u8()
	t := &btree2{f: f, recordType: kind, visit: visit, seen: map[uint64]bool{}}
	t.nodeSize, t.recordSize = uint64(d.u32()), uint64(d.u16())
	depth := int(d.u16())
	d.skip(2)
	root, rootRecords, records := d.u64(), uint64(d.u16()), d.u64()
	if version != 0 || kind != recordType {
		return formatErrorf("v2 B-tree at address %d is of version %d and type %d, not 0 and %d", addr, version, kind, recordType)
	}
	if t.recordSize < btree2ShortestRecord || t.nodeSize < btree2NodeOverhead+t.recordSize ||
		t.nodeSize > f.size || depth > btree2MaxDepth {
		return formatErrorf("v2 B-tree at address %d: nodes of %d bytes, records of %d, depth %d", addr, t.nodeSize, t.recordSize, depth)
	}
	if root == undefined {
		return t.checkCount(records)
	}
	t.sizePointers(depth)
	if err := t.walk(root, rootRecords, depth); err != nil {
		return err
	}
	return t.checkCount(records)
}

func (t *btree2) checkCount(want uint64) error {
	if t.visited != want {
		return formatErrorf("v2 B-tree has %d records, not the %d that it should have", t.visited, want)
	}
	return nil
}

// sizePointers computes the widths of the counts in child pointers, which are
// as narrow as the largest possible value allows.
func (t *btree2) sizePointers(depth int) {
	most := (t.nodeSize - btree2NodeOverhead) / t.recordSize // in a leaf
	t.countSize = byteWidth(most)
	t.totalSize = []int{0}
	total := most
	for level := 1; level <= depth; level++ {
		pointer := t.pointerSize(level)
		if t.nodeSize < btree2NodeOverhead+pointer {
			most = 0
		} else {
			most = (t.nodeSize - btree2NodeOverhead - pointer) / (t.recordSize + pointer)
		}
		high, low := bits.Mul64(most+1, total)
		if high > 0 || low > 1<<62 {
			low = 1 << 62
		}
		total = low + most
		t.totalSize = append(t.totalSize, byteWidth(total))
	}
}

// pointerSize is the size of a pointer in a node of a level ≥ 1.
func (t *btree2) pointerSize(level int) uint64 {
	return uint64(8 + t.countSize + t.totalSize[level-1])
}

// byteWidth is the number of bytes that hold v.
func byteWidth(v uint64) int { return max(1, (bits.Len64(v)+7)/8) }

func (t *btree2) walk(addr, records uint64, level int) error {
	if t.seen[addr] {
		return formatErrorf("v2 B-tree node at address %d is in a loop", addr)
	}
	t.seen[addr] = true
	signature, size := "BTLF", 6+records*t.recordSize
	if level > 0 {
		signature = "BTIN"
		size += (records + 1) * t.pointerSize(level)
	}
	if size+4 > t.nodeSize {
		return formatErrorf("v2 B-tree node at address %d: %d records do not fit", addr, records)
	}
	d, err := t.f.readBlock(addr, size+4, signature, "v2 B-tree node")
	if err != nil {
		return err
	}
	if version, kind := d.u8(), d.u8(); version != 0 || kind != t.recordType {
		return formatErrorf("v2 B-tree node at address %d is of version %d and type %d", addr, version, kind)
	}
	recordsBuf := d.take(int(records * t.recordSize))
	for i := uint64(0); i <= records; i++ {
		if level > 0 {
			child, count := d.u64(), d.uint(t.countSize)
			d.skip(t.totalSize[level-1])
			if err := t.walk(child, count, level-1); err != nil {
				return err
			}
		}
		if i < records {
			t.visited++
			if err := t.visit(recordsBuf[i*t.recordSize : (i+1)*t.recordSize]); err != nil {
				return err
			}
		}
	}
	return d.err
}
