package hdf5

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A manifest says what h5py reads in a file; testdata/generate.py writes it.
type manifest struct {
	Groups   []string
	Datasets map[string]struct {
		Shape []int
		Dtype string
		Null  bool
		Raw   string   // SHA-256 of the elements in the file's byte order
		F8    string   // … of little-endian float64
		F4    string   // … of little-endian float32
		Str   []string // text
	}
	Attrs map[string]struct{ V any } // path@name
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:16]
}

func floatBytes[T float32 | float64](t *testing.T, v []T) []byte {
	var out bytes.Buffer
	require.NoError(t, binary.Write(&out, binary.LittleEndian, v))
	return out.Bytes()
}

// check compares everything in a file with the manifest.
func (m *manifest) check(t *testing.T, f *File) {
	groups, datasets, attrs := 0, 0, 0
	visit := func(o Object) error {
		path := o.Path()
		for _, a := range o.Attrs() {
			attrs++
			want, ok := m.Attrs[path+"@"+a.Name()]
			require.True(t, ok, "attribute %s@%s is not in the manifest", path, a.Name())
			checkValue(t, a, want.V)
		}
		switch o := o.(type) {
		case *Group:
			groups++
			if path != "/" {
				require.Contains(t, m.Groups, path)
			}
		case *Dataset:
			datasets++
			m.checkDataset(t, o)
		}
		return nil
	}
	require.NoError(t, visit(f.Root()))
	require.NoError(t, f.Walk(visit))
	require.Equal(t, len(m.Groups), groups-1)
	require.Equal(t, len(m.Datasets), datasets)
	require.Equal(t, len(m.Attrs), attrs)
}

func checkValue(t *testing.T, a *Attribute, want any) {
	got, err := a.Value()
	require.NoError(t, err)
	gotJSON, err := json.Marshal(got)
	require.NoError(t, err)
	wantJSON, err := json.Marshal(flatten(want))
	require.NoError(t, err)
	require.JSONEq(t, string(wantJSON), string(gotJSON), "attribute %s of shape %v", a.Name(), a.Shape())
}

// flatten makes nested lists one list; the corpus has both.
func flatten(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := []any{}
	for _, x := range list {
		if inner, ok := flatten(x).([]any); ok {
			out = append(out, inner...)
		} else {
			out = append(out, x)
		}
	}
	return out
}

func (m *manifest) checkDataset(t *testing.T, ds *Dataset) {
	want, ok := m.Datasets[ds.Path()]
	require.True(t, ok, "dataset %s is not in the manifest", ds.Path())
	require.Equal(t, append([]int{}, want.Shape...), ds.Shape(), ds.Path())
	require.Equal(t, want.Null, ds.IsNull(), ds.Path())
	raw, err := ds.Bytes()
	require.NoError(t, err)
	if want.Raw != "" {
		if ds.Datatype().bigEndian() {
			swapBytes(raw, ds.Datatype().Size)
		}
		require.Equal(t, want.Raw, digest(raw), "bytes of %s", ds.Path())
	}
	if want.F8 != "" {
		got, err := ReadAll[float64](ds)
		require.NoError(t, err)
		require.Equal(t, want.F8, digest(floatBytes(t, got)), "%s as float64", ds.Path())
	}
	if want.F4 != "" {
		got, err := ReadAll[float32](ds)
		require.NoError(t, err)
		require.Equal(t, want.F4, digest(floatBytes(t, got)), "%s as float32", ds.Path())
	}
	if want.Str != nil {
		got, err := ds.Strings()
		require.NoError(t, err)
		require.Equal(t, want.Str, got, ds.Path())
	}
	if name := strings.TrimPrefix(want.Dtype, ">"); want.F8 != "" && !strings.HasPrefix(want.Dtype, ">") {
		require.Equal(t, name, ds.Datatype().String(), ds.Path())
	}
}

func TestReadsWhatH5pyWrote(t *testing.T) {
	data, err := os.ReadFile("testdata/manifest.json")
	require.NoError(t, err)
	var manifests map[string]*manifest
	require.NoError(t, json.Unmarshal(data, &manifests))
	for name, m := range manifests {
		t.Run(name, func(t *testing.T) {
			f, err := OpenFile(filepath.Join("testdata", name))
			require.NoError(t, err)
			defer f.Close()
			m.check(t, f)
		})
	}
}

// The public files in $CAMBIUM_CORPUS/hdf5 have a manifest each; all other
// HDF5 files of that folder must at least be readable to the last byte.
func TestReadsCorpus(t *testing.T) {
	root := os.Getenv("CAMBIUM_CORPUS")
	if root == "" {
		t.Skip("CAMBIUM_CORPUS is not set: no public files to read")
	}
	files := 0
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".h5" {
			return err
		}
		files++
		t.Run(strings.TrimPrefix(path, root), func(t *testing.T) {
			f, err := OpenFile(path)
			require.NoError(t, err)
			defer f.Close()
			data, err := os.ReadFile(path + ".json")
			if os.IsNotExist(err) {
				require.NoError(t, readEverything(f))
				return
			}
			require.NoError(t, err)
			var m manifest
			require.NoError(t, json.Unmarshal(data, &m))
			m.check(t, f)
		})
		return nil
	})
	require.NoError(t, err)
	require.NotZero(t, files, "no .h5 files below %s", root)
}

// readEverything reads all elements and attributes, as far as their types
// are read.
func readEverything(f *File) error {
	visit := func(o Object) error {
		for _, a := range o.Attrs() {
			if _, err := a.Value(); err != nil && !isUnsupported(err) {
				return err
			}
		}
		ds, ok := o.(*Dataset)
		if !ok {
			return nil
		}
		var err error
		if ds.Datatype().IsString() {
			_, err = ds.Strings()
		} else {
			_, err = ds.Bytes()
		}
		return err
	}
	if err := visit(f.Root()); err != nil {
		return err
	}
	return f.Walk(visit)
}
