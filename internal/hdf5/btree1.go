package hdf5

// Types of version 1 B-trees.
const (
	btreeGroup  = 0
	btreeChunks = 1
)

// A btree1 walks over a version 1 B-tree from left to right. A node is
//
//	TREE | type | level | entries (2) | left sibling (8) | right sibling (8) |
//	key 0 | child 0 | key 1 | child 1 | … | key n
//
// and the children of nodes of level 0 are what the tree indexes.
type btree1 struct {
	f        *File
	nodeType byte
	keySize  uint64
	visit    func(left, right []byte, child uint64) error
	seen     map[uint64]bool
	// next is, per level, the right sibling of the last node: the address
	// that the next node of that level must have.
	next map[byte]uint64
	// more: a node may have had more entries than it says.
	more bool
}

// walkBTree1 calls visit for each child of the lowest level with the keys to
// its left and right. There are no checksums; more says that a node's number
// of entries may be damaged.
func (f *File) walkBTree1(root uint64, nodeType byte, keySize int, visit func(left, right []byte, child uint64) error) (more bool, err error) {
	t := &btree1{f: f, nodeType: nodeType, keySize: uint64(keySize), visit: visit, seen: map[uint64]bool{}, next: map[byte]uint64{}}
	head, err := f.read(root, 24)
	if err != nil {
		return false, err
	}
	if err := t.walk(root, head[5]); err != nil {
		return false, err
	}
	for level, right := range t.next {
		if right != undefined {
			return false, formatErrorf("B-tree at address %d: the node at %d of level %d is not reached", root, right, level)
		}
	}
	return t.more, nil
}

func (t *btree1) walk(addr uint64, level byte) error {
	if t.seen[addr] {
		return formatErrorf("B-tree node at address %d is in a loop", addr)
	}
	t.seen[addr] = true
	head, err := t.f.read(addr, 24)
	if err != nil {
		return err
	}
	if string(head[:4]) != "TREE" || head[4] != t.nodeType || head[5] != level {
		return formatErrorf("no B-tree node of type %d and level %d at address %d", t.nodeType, level, addr)
	}
	if next, ok := t.next[level]; ok && next != addr {
		return formatErrorf("B-tree node at address %d where its left sibling says %d", addr, next)
	}
	t.next[level] = le.Uint64(head[16:])
	n := uint64(le.Uint16(head[6:]))
	step := t.keySize + 8
	buf, err := t.f.read(addr+24, n*step+t.keySize)
	if err != nil {
		return err
	}
	t.more = t.more || t.hasMore(addr+24+n*step+t.keySize, level)
	for ; n > 0; n-- {
		child := le.Uint64(buf[t.keySize:])
		if level > 0 {
			err = t.walk(child, level-1)
		} else {
			err = t.visit(buf[:t.keySize], buf[step:step+t.keySize], child)
		}
		if err != nil {
			return err
		}
		buf = buf[step:]
	}
	return nil
}

// hasMore reports whether what follows a node's last key looks like another
// child. That is unused space, usually 0, but older libraries left there
// what happened to be in memory.
func (t *btree1) hasMore(end uint64, level byte) bool {
	next, err := t.f.read(end, 8)
	if err != nil {
		return false // the node was full, and at the end of the file
	}
	child := le.Uint64(next)
	head, err := t.f.read(child, 8)
	if err != nil || t.seen[child] {
		return false
	}
	if level == 0 {
		return t.nodeType == btreeGroup && string(head[:4]) == "SNOD"
	}
	return string(head[:4]) == "TREE" && head[4] == t.nodeType && head[5] == level-1
}
