package hdf5

import (
	"bytes"
	"slices"
)

// heapReferenceSize is the size of a variable-length element: its length (4),
// the address of a global heap collection (8) and an object's index in it (4).
const heapReferenceSize = 16

// globalHeaps are the collections that variable-length elements were found
// in. A collection is
//
//	GCOL | version 1 | 0 (3) | size (8) | objects
//
// and an object is
//
//	index (2) | references (2) | 0 (4) | size (8) | data, padded to 8 bytes
//
// where index 0 is the free space at the end. Collections do not overlap, so
// that keeping them all takes no more memory than the file.
type globalHeaps struct {
	byAddress map[uint64]map[uint16][]byte
	extents   []span // of the collections, in order
}

// heapObject returns the data of an object; they are not to be changed.
func (f *File) heapObject(addr uint64, index uint32) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	objects, ok := f.heaps.byAddress[addr]
	if !ok {
		var err error
		if objects, err = f.readCollection(addr); err != nil {
			return nil, err
		}
		if f.heaps.byAddress == nil {
			f.heaps.byAddress = map[uint64]map[uint16][]byte{}
		}
		f.heaps.byAddress[addr] = objects
	}
	data, ok := objects[uint16(index)]
	if !ok || index > 0xffff {
		return nil, formatErrorf("the global heap at address %d has no object %d", addr, index)
	}
	return data, nil
}

func (f *File) readCollection(addr uint64) (map[uint16][]byte, error) {
	const headSize = 16
	head, err := f.read(addr, headSize)
	if err != nil {
		return nil, err
	}
	if string(head[:4]) != "GCOL" || head[4] != 1 {
		return nil, formatErrorf("no global heap at address %d", addr)
	}
	size := le.Uint64(head[8:])
	if size < headSize {
		return nil, formatErrorf("global heap of %d bytes at address %d", size, addr)
	}
	if err := f.heaps.claim(span{addr, size}); err != nil {
		return nil, err
	}
	buf, err := f.read(addr, size)
	if err != nil {
		return nil, err
	}
	objects := map[uint16][]byte{}
	d := &decoder{buf: buf[headSize:], what: "global heap"}
	for len(d.buf) >= headSize {
		index := d.u16()
		d.skip(6)
		size := d.u64()
		if index == 0 {
			break
		}
		if size > uint64(len(d.buf)) {
			return nil, formatErrorf("object %d of the global heap at address %d has %d bytes", index, addr, size)
		}
		objects[index] = d.take(int(size))
		d.skip(min(len(d.buf), int(-size&7)))
	}
	return objects, d.err
}

// claim records the extent of a collection.
func (h *globalHeaps) claim(s span) error {
	i, _ := slices.BinarySearchFunc(h.extents, s.addr, func(e span, addr uint64) int {
		if e.addr < addr {
			return -1
		}
		return 1
	})
	if i > 0 && h.extents[i-1].addr+h.extents[i-1].size > s.addr ||
		i < len(h.extents) && s.size > h.extents[i].addr-s.addr {
		return formatErrorf("the global heap at address %d overlaps another", s.addr)
	}
	h.extents = slices.Insert(h.extents, i, s)
	return nil
}

// decodeStrings returns the strings in raw elements of type t.
func (f *File) decodeStrings(raw []byte, t Datatype) ([]string, error) {
	if !t.IsString() {
		return nil, typeErrorf("%s elements are not text", t)
	}
	out := make([]string, len(raw)/t.Size)
	for i := range out {
		element := raw[i*t.Size : (i+1)*t.Size]
		if t.Class == ClassVarLen {
			data, err := f.varLenElement(element)
			if err != nil {
				return nil, err
			}
			element = data
		}
		out[i] = string(trimString(element, t))
	}
	return out, nil
}

// varLenElement returns the bytes that a variable-length element of bytes
// refers to; without a length there are none.
func (f *File) varLenElement(element []byte) ([]byte, error) {
	length, addr, index := uint64(le.Uint32(element)), le.Uint64(element[4:]), le.Uint32(element[12:])
	if length == 0 {
		return nil, nil
	}
	data, err := f.heapObject(addr, index)
	if err != nil {
		return nil, err
	}
	if length > uint64(len(data)) {
		return nil, formatErrorf("a string of %d bytes in a global heap object of %d", length, len(data))
	}
	return data[:length], nil
}

// trimString removes what pads a string in its field.
func trimString(field []byte, t Datatype) []byte {
	switch {
	case t.Class == ClassString && t.Padding == NullPadded:
		return bytes.TrimRight(field, "\x00")
	case t.Class == ClassString && t.Padding == SpacePadded:
		return bytes.TrimRight(field, " ")
	}
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return field
}
