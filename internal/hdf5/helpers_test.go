package hdf5

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func isUnsupported(err error) bool { return errors.Is(err, ErrUnsupported) }

func openBytes(data []byte) (*File, error) {
	return Open(bytes.NewReader(data), int64(len(data)))
}

func testFile(t testing.TB, name string) *File {
	t.Helper()
	f, err := OpenFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func testBytes(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

func writeBytes(t testing.TB, root *GroupBuilder) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Write(&out, root))
	return out.Bytes()
}

// rebuild copies what a file has into builders, numbers little-endian. It
// leaves out elements of types that are not written.
func rebuild(t testing.TB, f *File) *GroupBuilder {
	t.Helper()
	root := NewGroup()
	visit := func(o Object) error {
		switch o := o.(type) {
		case *Group:
			g, err := root.CreateGroup(o.Path())
			if err != nil {
				return err
			}
			return copyAttrs(o, g.SetAttr)
		case *Dataset:
			a, err := arrayFrom(o)
			if err != nil {
				return err
			}
			d, err := root.CreateDataset(o.Path(), a)
			if isUnsupported(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return copyAttrs(o, d.SetAttr)
		}
		return nil
	}
	require.NoError(t, visit(f.Root()))
	require.NoError(t, f.Walk(visit))
	return root
}

func arrayFrom(ds *Dataset) (Array, error) {
	a := Array{Datatype: littleEndian(ds.Datatype()), Shape: ds.Shape(), Null: ds.IsNull()}
	var err error
	if a.Datatype.IsString() {
		a.Strings, err = ds.Strings()
	} else if a.Datatype.Class != ClassVarLen {
		a.Data, err = ds.Bytes()
	}
	return a, err
}

func littleEndian(d Datatype) Datatype {
	if d.Class == ClassEnum {
		base := littleEndian(*d.Base)
		d.Base = &base
	}
	d.BigEndian = false
	return d
}

func copyAttrs(o Object, set func(string, any) error) error {
	for _, attr := range o.Attrs() {
		a := Array{Datatype: attr.Datatype(), Shape: attr.Shape(), Null: attr.IsNull(), Data: attr.raw}
		var err error
		if a.Datatype.IsString() {
			a.Data = nil
			if a.Strings, err = attr.Strings(); err != nil {
				return err
			}
		}
		if err := set(attr.Name(), a); err != nil && !isUnsupported(err) && !errors.Is(err, ErrTooLarge) {
			return err
		}
	}
	return nil
}
