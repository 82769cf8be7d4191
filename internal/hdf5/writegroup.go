package hdf5

// The format's defaults: a symbol node has up to 2·4 entries, a B-tree node
// up to 2·16 children.
const (
	groupLeafK     = 4
	groupInternalK = 16

	symbolSize    = 40
	leafSize      = 8 + 2*groupLeafK*symbolSize
	btreeNodeSize = 24 + 2*groupInternalK*16 + 8
)

// placeSymbolTable appends a group's local heap, symbol nodes and B-tree.
// readSymbolTable and walkBTree1 show what they are.
func (l *fileLayout) placeSymbolTable(names []string, children []placedObject) placedObject {
	p := placedObject{isGroup: true}
	heap := make([]byte, 8) // the empty name, which is the first key
	offsets := make([]uint64, len(names))
	for i, name := range names {
		offsets[i] = uint64(len(heap))
		heap = pad8(append(append(heap, name...), 0))
	}
	data := l.placeBytes(heap)
	const noFreeSpace = 1
	head := append([]byte("HEAP"), 0, 0, 0, 0)
	head = le.AppendUint64(head, uint64(len(heap)))
	head = le.AppendUint64(head, noFreeSpace)
	p.heap = l.placeBytes(le.AppendUint64(head, data))

	var nodes []btreeChild
	for i := 0; i < len(names); i += 2 * groupLeafK {
		end := min(i+2*groupLeafK, len(names))
		b := append(make([]byte, 0, leafSize), "SNOD\x01\x00"...)
		b = le.AppendUint16(b, uint16(end-i))
		for j := i; j < end; j++ {
			b = appendSymbol(b, offsets[j], children[j])
		}
		nodes = append(nodes, btreeChild{l.placeBytes(b[:leafSize]), offsets[end-1]})
	}
	for level := byte(0); ; level++ {
		nodes = l.placeBTreeLevel(level, nodes)
		if len(nodes) == 1 {
			p.tree = nodes[0].addr
			return p
		}
	}
}

// appendSymbol appends an entry of a symbol node; groups have the addresses
// of their B-tree and heap in it.
func appendSymbol(b []byte, name uint64, o placedObject) []byte {
	b = le.AppendUint64(b, name)
	b = le.AppendUint64(b, o.header)
	if !o.isGroup {
		return append(b, make([]byte, 24)...)
	}
	b = le.AppendUint64(b, 1)
	b = le.AppendUint64(b, o.tree)
	return le.AppendUint64(b, o.heap)
}

// A btreeChild is a node and its last key, the offset of its last name.
type btreeChild struct{ addr, key uint64 }

// placeBTreeLevel appends the nodes above children and returns them; without
// children that is one empty node.
func (l *fileLayout) placeBTreeLevel(level byte, children []btreeChild) []btreeChild {
	const most = 2 * groupInternalK
	count := max(1, (len(children)+most-1)/most)
	first, key := l.end, uint64(0)
	sibling := func(i int) uint64 {
		if i < 0 || i >= count {
			return undefined
		}
		return first + uint64(i)*btreeNodeSize
	}
	var nodes []btreeChild
	for i := range count {
		members := children[i*most : min((i+1)*most, len(children))]
		b := append(make([]byte, 0, btreeNodeSize), "TREE"...)
		b = append(b, btreeGroup, level)
		b = le.AppendUint16(b, uint16(len(members)))
		b = le.AppendUint64(b, sibling(i-1))
		b = le.AppendUint64(b, sibling(i+1))
		b = le.AppendUint64(b, key)
		for _, m := range members {
			b = le.AppendUint64(b, m.addr)
			b = le.AppendUint64(b, m.key)
			key = m.key
		}
		nodes = append(nodes, btreeChild{l.placeBytes(b[:btreeNodeSize]), key})
	}
	return nodes
}
