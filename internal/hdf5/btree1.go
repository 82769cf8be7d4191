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
	btree1Leaves
	f        *File
	nodeType byte
	keySize  uint64
	seen     map[uint64]bool
	// next is, per level, the right sibling of the last node: the address
	// that the next node of that level must have.
	next map[byte]uint64
}

// btree1Leaves is what to do at level 0.
type btree1Leaves struct {
	// child is called for each child with the keys to its left and right.
	child func(left, right []byte, addr uint64) error
	// unused is called for what follows a node's last key where that could
	// be another child: there are no checksums, so the number of entries may
	// be damaged. It is unused space, usually 0, but older libraries left
	// there what happened to be in memory.
	unused func(left []byte, addr uint64)
}

// walkBTree1 walks over the tree at root.
func (f *File) walkBTree1(root uint64, nodeType byte, keySize int, leaves btree1Leaves) error {
	t := &btree1{leaves, f, nodeType, uint64(keySize), map[uint64]bool{}, map[byte]uint64{}}
	head, err := f.read(root, 24)
	if err != nil {
		return err
	}
	if err := t.walk(root, head[5]); err != nil {
		return err
	}
	for level, right := range t.next {
		if right != undefined {
			return formatErrorf("B-tree at address %d: the node at %d of level %d is not reached", root, right, level)
		}
	}
	return nil
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
	switch {
	case err != nil:
		return err
	case level > 0 && n == 0:
		return formatErrorf("B-tree node of level %d without children at address %d", level, addr)
	}
	for ; n > 0; n-- {
		child := le.Uint64(buf[t.keySize:])
		if level > 0 {
			err = t.walk(child, level-1)
		} else {
			err = t.child(buf[:t.keySize], buf[step:step+t.keySize], child)
		}
		if err != nil {
			return err
		}
		addr += step
		buf = buf[step:]
	}
	// In a full node this is something else, or the end of the file.
	if after, err := t.f.read(addr+24+t.keySize, 8); level == 0 && err == nil {
		if child := le.Uint64(after); child != 0 && child < t.f.size {
			t.unused(buf, child)
		}
	}
	return nil
}
