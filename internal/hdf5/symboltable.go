package hdf5

import "bytes"

// readSymbolTable reads the links of a group of the older kind. Its message
// is the address of a version 1 B-tree, whose leaves are symbol nodes of up
// to 8 entries in order of their names, and that of a local heap, where the
// names are.
func (g *Group) readSymbolTable(data []byte) error {
	d := &decoder{buf: data, what: "symbol table message"}
	tree, heapAddr := d.u64(), d.u64()
	if d.err != nil {
		return d.err
	}
	heap, err := g.f.readLocalHeap(heapAddr)
	if err != nil {
		return err
	}
	const keySize = 8 // offset of a name in the heap
	more := false     // nodes where there should be none
	var leaves btree1Leaves
	leaves.unused = func(_ []byte, node uint64) {
		head, err := g.f.read(node, 4)
		more = more || err == nil && string(head) == "SNOD"
	}
	leaves.child = func(left, right []byte, node uint64) error {
		first, err := heap.str(le.Uint64(left))
		if err != nil {
			return err
		}
		last, err := heap.str(le.Uint64(right))
		if err != nil {
			return err
		}
		return g.readSymbolNode(node, heap, first, last)
	}
	err = g.f.walkBTree1(tree, btreeGroup, keySize, leaves)
	if err == nil && more && heap.used > g.namesSize() {
		err = formatErrorf("symbol table: names in the heap at address %d have no links", heapAddr)
	}
	return err
}

// namesSize is the space that the group's links take in its heap.
func (g *Group) namesSize() uint64 {
	padded := func(s string) uint64 { return uint64(len(s)/8+1) * 8 }
	n := padded("") // the heap starts with an empty name
	for _, l := range g.links {
		n += padded(l.Name)
		if l.Kind == SoftLink {
			n += padded(l.Target)
		}
	}
	return n
}

// readSymbolNode reads one leaf, whose names are greater than first, that of
// the key to its left, and end with last, that of the key to its right. An
// entry is
//
//	name (8) | object header (8) | cache type (4) | 0 (4) | scratch (16)
func (g *Group) readSymbolNode(addr uint64, heap localHeap, first, last string) error {
	const entrySize, cacheSoftLink = 40, 2
	head, err := g.f.read(addr, 8)
	if err != nil {
		return err
	}
	if string(head[:4]) != "SNOD" || head[4] != 1 {
		return formatErrorf("no symbol table node at address %d", addr)
	}
	n := uint64(le.Uint16(head[6:]))
	buf, err := g.f.read(addr+8, n*entrySize)
	if err != nil {
		return err
	}
	d := &decoder{buf: buf, what: "symbol table node"}
	name := first
	for range n {
		var l Link
		previous := name
		if name, err = heap.str(d.u64()); err != nil {
			return err
		}
		if name <= previous {
			return formatErrorf("symbol table node at address %d: %q does not come after %q", addr, name, previous)
		}
		l.Name, l.addr = name, d.u64()
		cache := d.u32()
		d.skip(4)
		scratch := d.take(16)
		if cache == cacheSoftLink {
			l.Kind = SoftLink
			if l.Target, err = heap.str(uint64(le.Uint32(scratch))); err != nil {
				return err
			}
		}
		if err := g.addLink(l); err != nil {
			return err
		}
	}
	if name != last {
		return formatErrorf("symbol table node at address %d ends with %q, not %q: a link is missing", addr, name, last)
	}
	return nil
}

// A localHeap holds the names of one group's links.
type localHeap struct {
	data []byte
	used uint64 // bytes of data that are not free
}

// readLocalHeap reads
//
//	HEAP | version 0 | 0 (3) | size (8) | free list (8) | address of data (8)
//
// where free space is a list of blocks that start with the offset of the next
// one (8), or 1, and their size (8).
func (f *File) readLocalHeap(addr uint64) (localHeap, error) {
	const endOfList = 1
	buf, err := f.read(addr, 32)
	if err != nil {
		return localHeap{}, err
	}
	if string(buf[:4]) != "HEAP" || buf[4] != 0 {
		return localHeap{}, formatErrorf("no local heap at address %d", addr)
	}
	h := localHeap{used: le.Uint64(buf[8:])}
	if h.data, err = f.read(le.Uint64(buf[24:]), h.used); err != nil {
		return localHeap{}, err
	}
	size := h.used
	for free := le.Uint64(buf[16:]); free != endOfList; {
		if free > size || size-free < 16 {
			return localHeap{}, formatErrorf("local heap at address %d: free block at offset %d of %d", addr, free, size)
		}
		block := le.Uint64(h.data[free+8:])
		if block < 16 || block > h.used {
			return localHeap{}, formatErrorf("local heap at address %d: free block of %d bytes", addr, block)
		}
		h.used -= block
		free = le.Uint64(h.data[free:])
	}
	return h, nil
}

// str is the NUL-terminated string at an offset.
func (h localHeap) str(offset uint64) (string, error) {
	if offset < uint64(len(h.data)) {
		rest := h.data[offset:]
		if end := bytes.IndexByte(rest, 0); end >= 0 {
			return string(rest[:end]), nil
		}
	}
	return "", formatErrorf("local heap of %d bytes has no name at offset %d", len(h.data), offset)
}
