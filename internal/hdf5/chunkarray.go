package hdf5

import (
	"math/bits"
	"slices"
)

// arrayClient is what a fixed or extensible array holds: chunks, filtered or
// not.
func arrayClient(filtered bool) byte {
	if filtered {
		return 1
	}
	return 0
}

// readFixedArray reads a fixed array, the index of chunks of a dataset that
// cannot grow. Its header is
//
//	FAHD | version 0 | client | element size | page bits | elements (8) |
//	data block (8)
//
// and its data block
//
//	FADB | version 0 | client | header (8) | elements | checksum
//
// or, above 2^(page bits) elements, a bit for each page that is used, the
// highest first, a checksum and then pages of elements with a checksum each.
func (f *File) readFixedArray(addr uint64, filtered bool) (chunkArray, error) {
	d, err := f.readBlock(addr, 28, "FAHD", "fixed array header")
	if err != nil {
		return chunkArray{}, err
	}
	version, client := d.u8(), d.u8()
	a := arrayReader{f: f, header: addr, client: client, size: uint64(d.u8()), pageBits: int(d.u8())}
	n, block := d.u64(), d.u64()
	if version != 0 || client != arrayClient(filtered) || a.size == 0 || n > f.size/a.size || a.pageBits > 32 {
		return chunkArray{}, formatErrorf("fixed array at address %d: version %d, client %d, %d elements of %d bytes", addr, version, client, n, a.size)
	}
	if block == undefined {
		a.skip(n)
		return a.result(n)
	}
	page := uint64(1) << a.pageBits
	if n <= page {
		err = a.readBlock(block, "FADB", 0, n)
		if err != nil {
			return chunkArray{}, err
		}
		return a.result(n)
	}
	pages := (n + page - 1) / page
	maskSize := (pages + 7) / 8
	mask, err := a.open(block, "FADB", maskSize)
	if err != nil {
		return chunkArray{}, err
	}
	used := mask.take(int(maskSize))
	block += arrayPrefix + maskSize + 4
	for i := range pages {
		if err := a.readPage(block, bit(used, i), min(page, n-i*page)); err != nil {
			return chunkArray{}, err
		}
		block += page*a.size + 4
	}
	return a.result(n)
}

// arrayPrefix is the size of the signature, version, client and header
// address that blocks of arrays start with.
const arrayPrefix = 4 + 1 + 1 + 8

// bit returns bit i of mask, the highest of each byte first.
func bit(mask []byte, i uint64) bool { return mask[i/8]&(0x80>>(i%8)) != 0 }

// An arrayReader collects the elements of an array of chunks in order.
type arrayReader struct {
	f        *File
	header   uint64
	client   byte
	size     uint64 // of an element
	pageBits int
	elements []byte
	want     uint64 // extensible arrays: elements to read
}

func (a *arrayReader) result(n uint64) (chunkArray, error) {
	if have := uint64(len(a.elements)) / a.size; have < n {
		return chunkArray{}, formatErrorf("array of chunks with %d elements, not %d", have, n)
	}
	return chunkArray{size: a.size, elements: a.elements[:n*a.size]}, nil
}

// skip appends n elements that were never written.
func (a *arrayReader) skip(n uint64) {
	start := len(a.elements)
	a.elements = slices.Grow(a.elements, int(n*a.size))[:start+int(n*a.size)]
	fill(a.elements[start:], []byte{0xff})
}

// open reads and checks a block's prefix and n bytes after it.
func (a *arrayReader) open(addr uint64, signature string, n uint64) (*decoder, error) {
	d, err := a.f.readBlock(addr, arrayPrefix+n+4, signature, "block of an array of chunks")
	if err != nil {
		return nil, err
	}
	version, client, header := d.u8(), d.u8(), d.u64()
	if version != 0 || client != a.client || header != a.header {
		return nil, formatErrorf("array block at address %d: version %d, client %d, header %d", addr, version, client, header)
	}
	return d, nil
}

// readBlock appends n elements, which offsetSize bytes precede, of a block.
func (a *arrayReader) readBlock(addr uint64, signature string, offsetSize, n uint64) error {
	d, err := a.open(addr, signature, offsetSize+n*a.size)
	if err != nil {
		return err
	}
	d.skip(int(offsetSize))
	a.elements = append(a.elements, d.take(int(n*a.size))...)
	return d.err
}

// readPage appends the n elements of a page if it is used.
func (a *arrayReader) readPage(addr uint64, used bool, n uint64) error {
	if !used {
		a.skip(n)
		return nil
	}
	buf, err := a.f.read(addr, n*a.size+4)
	if err != nil {
		return err
	}
	end := len(buf) - 4
	if !checksumOK(buf[:end], le.Uint32(buf[end:])) {
		return formatErrorf("page of an array of chunks at address %d: wrong checksum", addr)
	}
	a.elements = append(a.elements, buf[:end]...)
	return nil
}

// readExtensibleArray reads an extensible array, the index of chunks of a
// dataset that can grow in one dimension. Its header is
//
//	EAHD | version 0 | client | element size | bits of the number of elements |
//	elements in index block | elements in the smallest data block |
//	smallest number of data blocks in a super block | page bits |
//	statistics (6 · 8), the fifth the number of elements | index block (8)
//
// The index block holds the first elements, then addresses of data blocks,
// then of super blocks, which hold addresses of more data blocks:
//
//	EAIB | version 0 | client | header (8) | elements | data blocks |
//	super blocks | checksum
//	EASB | version 0 | client | header (8) | offset | pages in use |
//	data blocks | checksum
//	EADB | version 0 | client | header (8) | offset | elements | checksum
//
// Super block s, the first few being virtual (their data blocks are listed in
// the index block), has 2^⌊s/2⌋ data blocks of 2^⌈s/2⌉ times the smallest
// number of elements.
func (f *File) readExtensibleArray(addr uint64, filtered bool) (chunkArray, error) {
	d, err := f.readBlock(addr, 72, "EAHD", "extensible array header")
	if err != nil {
		return chunkArray{}, err
	}
	version, client := d.u8(), d.u8()
	a := extensibleArray{arrayReader: arrayReader{f: f, header: addr, client: client, size: uint64(d.u8())}}
	a.countBits, a.inIndex, a.smallest, a.pointers = int(d.u8()), uint64(d.u8()), uint64(d.u8()), uint64(d.u8())
	a.pageBits = int(d.u8())
	d.skip(4 * 8)
	a.want = d.u64()
	d.skip(8)
	index := d.u64()
	if version != 0 || client != arrayClient(filtered) || a.size == 0 || a.countBits > 64 || a.pageBits > 32 ||
		!isPowerOf2(a.smallest) || !isPowerOf2(a.pointers) || a.want > (f.size+impliedBytes)/a.size {
		return chunkArray{}, formatErrorf("extensible array at address %d: version %d, client %d, %d elements of %d bytes", addr, version, client, a.want, a.size)
	}
	a.offsetSize = uint64(a.countBits+7) / 8
	if index != undefined {
		if err := a.readIndexBlock(index); err != nil {
			return chunkArray{}, err
		}
	}
	if have := uint64(len(a.elements)) / a.size; have < a.want {
		a.skip(a.want - have)
	}
	return a.result(a.want)
}

type extensibleArray struct {
	arrayReader
	countBits  int
	inIndex    uint64 // elements in the index block
	smallest   uint64 // elements in the smallest data block
	pointers   uint64 // smallest number of data blocks in a super block
	offsetSize uint64
}

// done reports whether all elements that there are have been read.
func (a *extensibleArray) done() bool { return uint64(len(a.elements)) >= a.want*a.size }

func (a *extensibleArray) readIndexBlock(addr uint64) error {
	virtual := 2 * (bits.Len64(a.pointers) - 1) // super blocks without a block
	supers := 1 + a.countBits - (bits.Len64(a.smallest) - 1)
	dataBlocks := 2 * (a.pointers - 1)
	superBlocks := uint64(max(0, supers-virtual))
	d, err := a.open(addr, "EAIB", a.inIndex*a.size+8*(dataBlocks+superBlocks))
	if err != nil {
		return err
	}
	a.elements = append(a.elements, d.take(int(a.inIndex*a.size))...)
	for s := 0; s < supers && !a.done(); s++ {
		blocks, elements := uint64(1)<<(s/2), a.smallest<<((s+1)/2)
		if s >= virtual {
			err = a.readSuperBlock(d.u64(), blocks, elements)
		} else {
			for range blocks {
				if err == nil && !a.done() {
					err = a.readDataBlock(d.u64(), elements, nil, 0)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return d.err
}

func (a *extensibleArray) readSuperBlock(addr, blocks, elements uint64) error {
	if addr == undefined {
		a.skipTo(blocks * elements)
		return nil
	}
	pages := uint64(0) // of a data block; 0: it is not paged
	if elements > 1<<a.pageBits {
		pages = elements >> a.pageBits
	}
	maskSize := blocks * ((pages + 7) / 8)
	if blocks > a.f.size/8 || maskSize > a.f.size {
		return formatErrorf("extensible array: a super block of %d data blocks", blocks)
	}
	d, err := a.open(addr, "EASB", a.offsetSize+maskSize+8*blocks)
	if err != nil {
		return err
	}
	d.skip(int(a.offsetSize))
	mask := d.take(int(maskSize))
	for i := range blocks {
		if a.done() {
			break
		}
		if err := a.readDataBlock(d.u64(), elements, mask, i*pages); err != nil {
			return err
		}
	}
	return d.err
}

// readDataBlock appends the elements of a data block. If it is paged, its
// pages' bits in mask start at firstPage.
func (a *extensibleArray) readDataBlock(addr, elements uint64, mask []byte, firstPage uint64) error {
	page := uint64(1) << a.pageBits
	switch {
	case addr == undefined:
		a.skipTo(elements)
		return nil
	case elements > a.f.size/a.size:
		return formatErrorf("extensible array: a data block of %d elements", elements)
	case elements <= page || mask == nil:
		return a.readBlock(addr, "EADB", a.offsetSize, elements)
	}
	if _, err := a.open(addr, "EADB", a.offsetSize); err != nil {
		return err
	}
	addr += arrayPrefix + a.offsetSize + 4
	for i := range elements / page {
		if err := a.readPage(addr, bit(mask, firstPage+i), page); err != nil {
			return err
		}
		addr += page*a.size + 4
	}
	return nil
}

// skipTo skips n elements, but none past the end of the array.
func (a *extensibleArray) skipTo(n uint64) {
	a.skip(min(n, a.want-uint64(len(a.elements))/a.size))
}
