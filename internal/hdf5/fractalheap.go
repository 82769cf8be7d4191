package hdf5

import (
	"fmt"
	"math/bits"
)

// A fractalHeap stores the links or attributes of one object where they are
// many ("dense" storage). Its address space is a table of blocks, width per
// row; the blocks of rows 0 and 1 have the starting size, those of each row
// after that twice the size of the row before:
//
//	row 0   S S S S      direct blocks: they hold the objects
//	row 1   S S S S
//	row 2   2S 2S 2S 2S
//	…
//	row n   indirect blocks once a direct block would exceed the maximum:
//	        tables like this one, covering as many bytes as their size says
//
// The header has 146 bytes; an object's ID is its offset and length in that
// space, or the object itself (tiny), or a key into a B-tree (huge).
type fractalHeap struct {
	f           *File
	addr        uint64
	checksummed bool // direct blocks have a checksum
	maxManaged  uint64
	hugeTree    uint64
	objects     uint64 // how many there are
	width       uint64
	startSize   uint64
	maxDirect   uint64
	root        uint64
	rootRows    uint64 // 0: root is a direct block
	offsetSize  int    // bytes of an offset
	lengthSize  int    // bytes of a length

	blocks map[uint64][]byte // by address; each belongs to one offset, so they do not exceed the file
	cached uint64            // bytes in blocks
	huge   map[uint64]span   // by ID
}

const fractalHeapHeaderSize = 146

func (f *File) openFractalHeap(addr uint64) (*fractalHeap, error) {
	d, err := f.readBlock(addr, fractalHeapHeaderSize, "FRHP", "fractal heap header")
	if err != nil {
		return nil, err
	}
	h := &fractalHeap{f: f, addr: addr, blocks: map[uint64][]byte{}}
	version := d.u8()
	d.skip(2) // length of IDs
	filters := d.u16()
	h.checksummed = d.u8()&2 != 0
	h.maxManaged = uint64(d.u32())
	d.skip(8) // next huge ID
	h.hugeTree = d.u64()
	d.skip(4 * 8) // free space and its manager, managed space, allocated
	d.skip(8)     // offset of the allocation iterator
	h.objects = d.u64()
	d.skip(8)
	h.objects += d.u64() // huge
	d.skip(8)
	h.objects += d.u64() // tiny
	h.width, h.startSize, h.maxDirect = uint64(d.u16()), d.u64(), d.u64()
	maxBits := int(d.u16())
	d.skip(2) // rows to start with
	h.root, h.rootRows = d.u64(), uint64(d.u16())
	if version != 0 || filters != 0 {
		return nil, unsupportedErrorf("fractal heap of version %d with %d bytes of filters", version, filters)
	}
	h.offsetSize = (maxBits + 7) / 8
	h.lengthSize = byteWidth(min(h.maxDirect, h.maxManaged))
	if maxBits > 64 || h.rootRows > 64 || !isPowerOf2(h.width) || !isPowerOf2(h.startSize) ||
		!isPowerOf2(h.maxDirect) || h.maxDirect < h.startSize {
		return nil, formatErrorf("fractal heap at address %d: blocks of %d to %d bytes, %d per row, %d rows", addr, h.startSize, h.maxDirect, h.width, h.rootRows)
	}
	return h, nil
}

func isPowerOf2(v uint64) bool { return bits.OnesCount64(v) == 1 }

// object returns the bytes of the object with that ID. They are not to be
// changed.
func (h *fractalHeap) object(id []byte) ([]byte, error) {
	d := &decoder{buf: id, what: "fractal heap ID"}
	flags := d.u8()
	if version := flags >> 6; version != 0 {
		return nil, formatErrorf("fractal heap ID of version %d", version)
	}
	switch flags >> 4 & 3 {
	case 0:
		offset, length := d.uint(h.offsetSize), d.uint(h.lengthSize)
		if d.err != nil {
			return nil, d.err
		}
		return h.managed(offset, length)
	case 1:
		return h.hugeObject(d.uint(min(8, len(d.buf))))
	case 2:
		b := d.take(int(flags&15) + 1)
		return b, d.err
	}
	return nil, formatErrorf("fractal heap ID of a reserved type")
}

// managed returns length bytes at an offset of the heap's address space.
func (h *fractalHeap) managed(offset, length uint64) ([]byte, error) {
	block, start, err := h.directBlock(offset)
	if err != nil {
		return nil, err
	}
	at := offset - start
	head := uint64(5+8) + uint64(h.offsetSize)
	if at < head || length > uint64(len(block)) || at > uint64(len(block))-length {
		return nil, formatErrorf("fractal heap object of %d bytes at offset %d does not fit its block", length, offset)
	}
	return block[at : at+length], nil
}

// directBlock returns the direct block that holds an offset, and its start.
func (h *fractalHeap) directBlock(offset uint64) (block []byte, start uint64, err error) {
	addr, size, rows := h.root, h.startSize, h.rootRows
	for rows > 0 {
		row, rowStart, rowSize := h.findRow(offset-start, rows)
		if row >= rows {
			return nil, 0, formatErrorf("fractal heap has no offset %d", offset)
		}
		entries, err := h.indirectBlock(addr, start, rows)
		if err != nil {
			return nil, 0, err
		}
		column := (offset - start - rowStart) / rowSize
		addr = le.Uint64(entries[(row*h.width+column)*8:])
		start += rowStart + column*rowSize
		size = rowSize
		if size <= h.maxDirect {
			break
		}
		if size < h.startSize*h.width {
			return nil, 0, formatErrorf("fractal heap at address %d: an indirect block of %d bytes", h.addr, size)
		}
		rows = uint64(bits.Len64(size)-bits.Len64(h.startSize*h.width)) + 1
	}
	block, err = h.block(addr, start, size, "FHDB", h.checksummed)
	return block, start, err
}

// findRow finds the row of a table that covers an offset, where that row
// starts and the size of its blocks.
func (h *fractalHeap) findRow(offset, rows uint64) (row, start, size uint64) {
	size = h.startSize
	for ; row < rows; row++ {
		if row > 1 {
			size *= 2
		}
		if offset-start < size*h.width {
			break
		}
		start += size * h.width
	}
	return row, start, size
}

// indirectBlock returns the addresses in an indirect block.
func (h *fractalHeap) indirectBlock(addr, start, rows uint64) ([]byte, error) {
	head := uint64(5+8) + uint64(h.offsetSize)
	block, err := h.block(addr, start, head+rows*h.width*8+4, "FHIB", true)
	if err != nil {
		return nil, err
	}
	return block[head:], nil
}

// block reads and checks a block, which starts with
//
//	signature | version 0 | address of heap (8) | offset in the heap
//
// and has a checksum: an indirect one at its end, a direct one after that
// head, computed with the checksum being 0.
func (h *fractalHeap) block(addr, start, size uint64, signature string, checksummed bool) ([]byte, error) {
	if block, ok := h.blocks[addr]; ok && uint64(len(block)) == size {
		return block, nil
	}
	block, err := h.f.read(addr, size)
	if err != nil {
		return nil, fmt.Errorf("fractal heap: %w", err)
	}
	d := &decoder{buf: block, what: "fractal heap block"}
	name, version, heap, offset := d.take(4), d.u8(), d.u64(), d.uint(h.offsetSize)
	if string(name) != signature || version != 0 || heap != h.addr || offset != start {
		return nil, formatErrorf("no fractal heap block %s for offset %d at address %d", signature, start, addr)
	}
	if checksummed {
		at := len(block) - 4
		if signature == "FHDB" {
			at = len(block) - len(d.buf)
		}
		if err := checkBlock(block, at, addr); err != nil {
			return nil, err
		}
	}
	if h.cached += size; h.cached > h.f.size {
		return nil, formatErrorf("fractal heap at address %d: its blocks overlap", h.addr)
	}
	h.blocks[addr] = block
	return block, nil
}

// checkBlock verifies the checksum at an offset of a block.
func checkBlock(block []byte, at int, addr uint64) error {
	if at < 0 || at+4 > len(block) {
		return formatErrorf("fractal heap block at address %d is too small", addr)
	}
	field := block[at : at+4]
	want := le.Uint32(field)
	checksummed := block
	if at == len(block)-4 {
		checksummed = block[:at]
	}
	clear(field)
	ok := checksumOK(checksummed, want)
	le.PutUint32(field, want)
	if !ok {
		return formatErrorf("fractal heap block at address %d: wrong checksum", addr)
	}
	return nil
}

// hugeObject returns an object that is too large for the blocks and lies in
// the file by itself.
func (h *fractalHeap) hugeObject(id uint64) ([]byte, error) {
	if h.huge == nil {
		h.huge = map[uint64]span{}
		err := h.f.walkBTree2(h.hugeTree, recordHugeObject, func(record []byte) error {
			d := &decoder{buf: record, what: "huge object record"}
			s := span{d.u64(), d.u64()}
			h.huge[d.u64()] = s
			return d.err
		})
		if err != nil {
			return nil, err
		}
	}
	s, ok := h.huge[id]
	if !ok {
		return nil, formatErrorf("fractal heap at address %d has no huge object %d", h.addr, id)
	}
	return h.f.read(s.addr, s.size)
}
