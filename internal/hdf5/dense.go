package hdf5

// eachDense calls visit with each object of the fractal heap that a version 2
// B-tree of links or attributes lists.
func (f *File) eachDense(heap, tree uint64, recordType byte, visit func(data []byte) error) error {
	h, err := f.openFractalHeap(heap)
	if err != nil {
		return err
	}
	count := uint64(0)
	err = f.walkBTree2(tree, recordType, func(record []byte) error {
		count++
		id := record[4:] // after the hash
		if recordType == recordAttributeName {
			if len(record) < 9 || record[8]&2 != 0 {
				return unsupportedErrorf("attribute in the shared message table")
			}
			id = record[:8]
		}
		data, err := h.object(id)
		if err != nil {
			return err
		}
		return visit(data)
	})
	if err == nil && count != h.objects {
		err = formatErrorf("fractal heap at address %d has %d objects, its B-tree lists %d", heap, h.objects, count)
	}
	return err
}

// denseAttributes parses an attribute info message, which says where the
// attributes are if they are not messages of their own:
//
//	version 0 | flags | next creation order (0 or 2) | fractal heap |
//	B-tree by name | B-tree by creation order (0 or 8)
func (f *File) denseAttributes(data []byte, visit func(data []byte) error) error {
	d := &decoder{buf: data, what: "attribute info message"}
	if v := d.u8(); v != 0 {
		return unsupportedErrorf("attribute info message version %d", v)
	}
	if flags := d.u8(); flags&1 != 0 {
		d.skip(2)
	}
	heap, tree := d.u64(), d.u64()
	if d.err != nil || heap == undefined {
		return d.err
	}
	return f.eachDense(heap, tree, recordAttributeName, visit)
}

// readDenseLinks parses a link info message, which says where the links are
// if they are not messages of their own:
//
//	version 0 | flags | next creation order (0 or 8) | fractal heap |
//	B-tree by name | B-tree by creation order (0 or 8)
func (g *Group) readDenseLinks(data []byte) error {
	d := &decoder{buf: data, what: "link info message"}
	if v := d.u8(); v != 0 {
		return unsupportedErrorf("link info message version %d", v)
	}
	if flags := d.u8(); flags&1 != 0 {
		d.skip(8)
	}
	heap, tree := d.u64(), d.u64()
	if d.err != nil || heap == undefined {
		return d.err
	}
	return g.f.eachDense(heap, tree, recordLinkName, func(data []byte) error {
		return g.addLinkMessage(data)
	})
}
