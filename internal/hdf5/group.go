package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// A Group is a directory of links to groups and datasets.
type Group struct {
	object
	links []Link // in order of their names
}

func newGroup(base object, messages messages) (*Group, error) {
	g := &Group{object: base}
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgSymbolTable:
			err = g.readSymbolTable(m.data)
		case msgLink:
			err = g.addLinkMessage(m.data)
		case msgLinkInfo:
			err = g.readDenseLinks(m.data)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(g.links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(g.links); i++ {
		if g.links[i].Name == g.links[i-1].Name {
			return nil, formatErrorf("two links named %q", g.links[i].Name)
		}
	}
	return g, nil
}

// Links returns the group's links in order of their names.
func (g *Group) Links() []Link { return g.links }

// Has reports whether the group has a link of that name (not path).
func (g *Group) Has(name string) bool {
	_, ok := g.link(name)
	return ok
}

func (g *Group) link(name string) (Link, bool) {
	i, ok := slices.BinarySearchFunc(g.links, name, func(l Link, name string) int {
		return strings.Compare(l.Name, name)
	})
	if !ok {
		return Link{}, false
	}
	return g.links[i], true
}

// Object opens what path, relative to this group, leads to. Errors:
// [ErrNotFound] naming the part of the path that is missing,
// [ErrUnsupported] for a soft or external link, and those of reading it.
func (g *Group) Object(path string) (Object, error) {
	var o Object = g
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." {
			continue
		}
		group, ok := o.(*Group)
		if !ok {
			return nil, fmt.Errorf("%w: %s is not a group, so it has no %q", ErrNotFound, o.Path(), name)
		}
		link, ok := group.link(name)
		if !ok {
			return nil, fmt.Errorf("%w: no %q in group %s", ErrNotFound, name, group.path)
		}
		var err error
		if o, err = group.open(link); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// open follows a link; groups stay open for later paths.
func (g *Group) open(link Link) (Object, error) {
	path := joinPath(g.path, link.Name)
	return g.f.cachedGroup(path, func() (Object, error) { return g.follow(link) })
}

func (g *Group) follow(link Link) (Object, error) {
	path := joinPath(g.path, link.Name)
	if link.Kind != HardLink {
		return nil, fmt.Errorf("%s: %w", path, unsupportedErrorf("%s to %q is not followed; store the object itself in the file", link.Kind, link.Target))
	}
	return g.f.openObject(link.addr, path)
}

// Group opens the group at path; see [Group.Object].
func (g *Group) Group(path string) (*Group, error) {
	o, err := g.Object(path)
	if err != nil {
		return nil, err
	}
	group, ok := o.(*Group)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not a group", ErrNotFound, o.Path())
	}
	return group, nil
}

// Dataset opens the dataset at path; see [Group.Object].
func (g *Group) Dataset(path string) (*Dataset, error) {
	o, err := g.Object(path)
	if err != nil {
		return nil, err
	}
	dataset, ok := o.(*Dataset)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not a dataset", ErrNotFound, o.Path())
	}
	return dataset, nil
}
