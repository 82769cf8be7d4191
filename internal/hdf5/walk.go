package hdf5

const maxDepth = 512 // of groups within groups

// Walk opens every object below the group, in order of their paths' names,
// parents first, and calls visit with it. An object that cannot be opened, a
// link that is not followed, a group that contains itself and an error of
// visit end the walk with that error.
func (g *Group) Walk(visit func(Object) error) error {
	// A link takes at least 16 bytes, so an honest file has fewer than that
	// even where groups are linked more than once.
	w := walker{visit: visit, budget: g.f.size/16 + 1}
	return w.walk(g)
}

// Walk is [Group.Walk] on the root group, which is not visited itself.
func (f *File) Walk(visit func(Object) error) error { return f.root.Walk(visit) }

type walker struct {
	visit     func(Object) error
	budget    uint64
	ancestors []uint64
}

func (w *walker) walk(g *Group) error {
	for _, addr := range w.ancestors {
		if addr == g.addr {
			return formatErrorf("group %s contains itself", g.path)
		}
	}
	if len(w.ancestors) == maxDepth {
		return unsupportedErrorf("%d groups within each other, down to %.80s…", maxDepth, g.path)
	}
	w.ancestors = append(w.ancestors, g.addr)
	defer func() { w.ancestors = w.ancestors[:len(w.ancestors)-1] }()
	for _, link := range g.links {
		if w.budget == 0 {
			return formatErrorf("at %s: more links than the file has room for; groups contain each other many times", g.path)
		}
		w.budget--
		o, err := g.follow(link)
		if err != nil {
			return err
		}
		if err := w.visit(o); err != nil {
			return err
		}
		if child, ok := o.(*Group); ok {
			if err := w.walk(child); err != nil {
				return err
			}
		}
	}
	return nil
}
