package hdf5

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

const superblockSize = 96

// A fileLayout is a file before it is written: pieces one after the other,
// whose addresses are known, so that those written first can refer to later
// ones.
type fileLayout struct {
	end    uint64
	pieces []piece
}

// A piece is bytes, or a function that writes them.
type piece struct {
	data   []byte
	stream func(io.Writer) error
	size   uint64
}

// skip leaves n bytes out, which write puts there by itself.
func (l *fileLayout) skip(n uint64) { l.end += n }

// place appends a piece and pads it to 8 bytes.
func (l *fileLayout) place(p piece) (addr uint64) {
	addr = l.end
	l.pieces = append(l.pieces, p)
	l.end += p.size
	if pad := -l.end & 7; pad > 0 {
		l.pieces = append(l.pieces, piece{data: make([]byte, pad), size: pad})
		l.end += pad
	}
	return addr
}

func (l *fileLayout) placeBytes(b []byte) (addr uint64) {
	return l.place(piece{data: b, size: uint64(len(b))})
}

// A placedObject is an object whose addresses are known. tree and heap are a
// group's.
type placedObject struct {
	header     uint64
	tree, heap uint64
	isGroup    bool
}

func (l *fileLayout) placeGroup(g *GroupBuilder) (placedObject, error) {
	names := slices.Sorted(maps.Keys(g.children))
	children := make([]placedObject, len(names))
	for i, name := range names {
		var err error
		if child := g.children[name]; child.group != nil {
			children[i], err = l.placeGroup(child.group)
		} else {
			children[i], err = l.placeDataset(child.dataset)
		}
		if err != nil {
			return placedObject{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	p := l.placeSymbolTable(names, children)
	table := message{kind: msgSymbolTable, data: le.AppendUint64(le.AppendUint64(nil, p.tree), p.heap)}
	var err error
	p.header, err = l.placeHeader(messages{table}, g.attributes)
	return p, err
}

// placeDataset appends the elements in one piece and the header.
func (l *fileLayout) placeDataset(d *DatasetBuilder) (p placedObject, err error) {
	dtype, err := encodeDatatype(d.array.Datatype)
	if err != nil {
		return p, err
	}
	addr := undefined // without elements
	switch {
	case d.bytes == 0:
	case d.array.Stream != nil:
		addr = l.place(piece{stream: d.array.Stream, size: uint64(d.bytes)})
	default:
		addr = l.placeBytes(l.elements(&d.array))
	}
	layout := le.AppendUint64([]byte{3, layoutContiguous}, addr)
	layout = le.AppendUint64(layout, uint64(d.bytes))
	const constant = 1 // flag of messages that never change
	ms := messages{
		{kind: msgDataspace, data: pad8(encodeDataspace(&d.array))},
		{kind: msgDatatype, flags: constant, data: pad8(dtype)},
		// Version 2: allocate late, write if set by the user, default value.
		{kind: msgFillValue, flags: constant, data: []byte{2, 2, 2, 1, 0, 0, 0, 0}},
		{kind: msgLayout, data: pad8(layout)},
	}
	p.header, err = l.placeHeader(ms, d.attributes)
	return p, err
}

// placeHeader appends an object header of version 1; readV1 shows how.
func (l *fileLayout) placeHeader(ms messages, attributes attributeList) (addr uint64, err error) {
	for _, a := range attributes {
		m, err := l.attributeMessage(a)
		if err != nil {
			return 0, fmt.Errorf("attribute %q: %w", a.name, err)
		}
		ms = append(ms, m)
	}
	if len(ms) > 0xffff {
		return 0, fmt.Errorf("%w: %d attributes of one object", ErrTooLarge, len(attributes))
	}
	size := 0
	for _, m := range ms {
		size += 8 + len(m.data)
	}
	b := make([]byte, 0, 16+size)
	b = append(b, 1, 0)
	b = le.AppendUint16(b, uint16(len(ms)))
	b = le.AppendUint32(b, 1) // links to the object
	b = le.AppendUint32(b, uint32(size))
	b = append(b, 0, 0, 0, 0)
	for _, m := range ms {
		b = le.AppendUint16(b, m.kind)
		b = le.AppendUint16(b, uint16(len(m.data)))
		b = append(b, m.flags, 0, 0, 0)
		b = append(b, m.data...)
	}
	return l.placeBytes(b), nil
}

// write writes the superblock and all pieces.
func (l *fileLayout) write(w io.Writer, root placedObject) error {
	if _, err := w.Write(l.superblock(root)); err != nil {
		return err
	}
	for _, p := range l.pieces {
		if p.stream == nil {
			if _, err := w.Write(p.data); err != nil {
				return err
			}
			continue
		}
		counted := &countingWriter{w: w}
		if err := p.stream(counted); err != nil {
			return err
		}
		if counted.n != p.size {
			return typeErrorf("a stream wrote %d bytes, not %d", counted.n, p.size)
		}
	}
	return nil
}

// superblock encodes a superblock of version 0; parseV0 shows how.
func (l *fileLayout) superblock(root placedObject) []byte {
	b := append([]byte(signature), 0, 0, 0, 0, 0, 8, 8, 0)
	b = le.AppendUint16(b, groupLeafK)
	b = le.AppendUint16(b, groupInternalK)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint64{0, undefined, l.end, undefined} { // base, free space, end, driver
		b = le.AppendUint64(b, v)
	}
	return appendSymbol(b, 0, root)
}

type countingWriter struct {
	w io.Writer
	n uint64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}
