package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// An Object is what a link leads to: a [*Group], a [*Dataset] or a
// [*NamedDatatype].
type Object interface {
	// Path is the path by which the object was reached, "/" for the root.
	Path() string
	// Attrs returns the object's attributes in order of their names.
	Attrs() []*Attribute
	// Attr returns the attribute of that name and whether there is one.
	Attr(name string) (*Attribute, bool)
}

// object is what groups, datasets and datatypes have in common.
type object struct {
	f     *File
	path  string
	addr  uint64
	attrs []*Attribute
}

// Path implements [Object].
func (o *object) Path() string { return o.path }

// Attrs implements [Object].
func (o *object) Attrs() []*Attribute { return o.attrs }

// Attr implements [Object].
func (o *object) Attr(name string) (*Attribute, bool) {
	i, ok := slices.BinarySearchFunc(o.attrs, name, func(a *Attribute, name string) int {
		return strings.Compare(a.name, name)
	})
	if !ok {
		return nil, false
	}
	return o.attrs[i], true
}

// A NamedDatatype is a datatype that was stored under a name of its own.
type NamedDatatype struct {
	object
	dtype Datatype
}

// Datatype returns the type.
func (t *NamedDatatype) Datatype() Datatype { return t.dtype }

// openObject parses the object header at addr.
func (f *File) openObject(addr uint64, path string) (Object, error) {
	messages, err := f.readObjectHeader(addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	base := object{f: f, path: path, addr: addr}
	if base.attrs, err = f.parseAttributes(messages); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var o Object
	switch {
	case messages.has(msgLayout):
		o, err = newDataset(base, messages)
	case messages.has(msgSymbolTable) || messages.has(msgLinkInfo) || messages.has(msgLink):
		o, err = newGroup(base, messages)
	case messages.has(msgDatatype):
		t := &NamedDatatype{object: base}
		t.dtype, err = f.datatypeOf(messages)
		o = t
	default:
		err = formatErrorf("the object at address %d is neither a group nor a dataset nor a datatype", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// parseAttributes collects the attributes in the header itself (compact) and
// those in a fractal heap (dense), which newer files use for more than 8.
func (f *File) parseAttributes(messages messages) ([]*Attribute, error) {
	var attrs []*Attribute
	add := func(data []byte) error {
		a, err := f.parseAttribute(data)
		attrs = append(attrs, a)
		return err
	}
	for _, m := range messages {
		var err error
		switch {
		case m.kind == msgAttribute && m.shared():
			err = unsupportedErrorf("attribute in the shared message table")
		case m.kind == msgAttribute:
			err = add(m.data)
		case m.kind == msgAttributeInfo:
			err = f.denseAttributes(m.data, add)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(attrs, func(a, b *Attribute) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(attrs); i++ {
		if attrs[i].name == attrs[i-1].name {
			return nil, formatErrorf("two attributes named %q", attrs[i].name)
		}
	}
	return attrs, nil
}
