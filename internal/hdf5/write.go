package hdf5

import (
	"fmt"
	"io"
	"strings"

	"github.com/cambium-go/cambium/internal/atomicfile"
)

// MaxAttributeSize is how many bytes an attribute's elements may take; text
// of variable length counts 16 bytes each. It is Keras's limit (64,512; the
// format's is 64 KiB with the name). Keras spreads lists of names that are
// longer over attributes name0, name1, …, which is up to the caller.
const MaxAttributeSize = 64512

// A GroupBuilder is a group to be written, with what is in it.
type GroupBuilder struct {
	attributes attributeList
	children   map[string]*node
}

// A DatasetBuilder is a dataset to be written.
type DatasetBuilder struct {
	attributes attributeList
	array      Array
	bytes      int
}

// A node is a group or a dataset.
type node struct {
	group   *GroupBuilder
	dataset *DatasetBuilder
}

// NewGroup returns an empty group, to be the root of a file.
func NewGroup() *GroupBuilder { return &GroupBuilder{children: map[string]*node{}} }

// CreateGroup returns the group at path below this one, creating what is
// missing. Error: [ErrType] if there is a dataset on the way.
func (g *GroupBuilder) CreateGroup(path string) (*GroupBuilder, error) {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		child, ok := g.children[name]
		if !ok {
			child = &node{group: NewGroup()}
			g.children[name] = child
		}
		if child.group == nil {
			return nil, typeErrorf("%q in %q is a dataset, not a group", name, path)
		}
		g = child.group
	}
	return g, nil
}

// CreateDataset adds a dataset at path below this group, creating groups that
// are missing. Error: [ErrType] if there is something at path already, or if
// the array's elements do not match its shape and datatype.
func (g *GroupBuilder) CreateDataset(path string, a Array) (*DatasetBuilder, error) {
	path = strings.Trim(path, "/")
	at := strings.LastIndexByte(path, '/') + 1
	parent, err := g.CreateGroup(path[:at])
	if err != nil {
		return nil, err
	}
	name := path[at:]
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, ok := parent.children[name]; ok {
		return nil, typeErrorf("there is a %q already", path)
	}
	d := &DatasetBuilder{array: a}
	if d.bytes, err = a.check(); err != nil {
		return nil, fmt.Errorf("dataset %q: %w", path, err)
	}
	parent.children[name] = &node{dataset: d}
	return d, nil
}

func checkName(name string) error {
	if name == "" || name == "." || strings.ContainsRune(name, 0) || len(name) > 1<<15 {
		return typeErrorf("%.40q cannot be the name of a group, dataset or attribute", name)
	}
	return nil
}

// SetAttr adds an attribute or replaces the one of that name. The value is a
// string, bool, int, sized integer, float32, float64, a slice of those, nil
// (no value, h5py.Empty) or an [Array]. Errors: [ErrTooLarge] above
// [MaxAttributeSize], [ErrType] for other values.
func (g *GroupBuilder) SetAttr(name string, value any) error { return g.attributes.set(name, value) }

// SetAttr adds an attribute; see [GroupBuilder.SetAttr].
func (d *DatasetBuilder) SetAttr(name string, value any) error { return d.attributes.set(name, value) }

// Write writes a file with that root group: superblock version 0, as Keras
// and h5py write by default. It needs memory for what describes the data, not
// for the data. The same groups, set up in the same order, give the same
// bytes. Errors: those of w and of [Array.Stream], [ErrTooLarge].
func Write(w io.Writer, root *GroupBuilder) error {
	var l fileLayout
	l.skip(superblockSize)
	placed, err := l.placeGroup(root)
	if err != nil {
		return err
	}
	return l.write(w, placed)
}

// WriteFile is [Write] to the file at path, which is replaced at once when
// everything has been written, or left as it was if there is an error.
func WriteFile(path string, root *GroupBuilder) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, root) })
}
