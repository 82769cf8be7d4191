package keras

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/internal/hdf5"
	"github.com/cambium-go/cambium/tensor"
)

const (
	maxJSON  = 256 << 20 // bytes of a configuration
	maxRatio = 100       // how much larger than stored a member may be
	minBomb  = 16 << 20  // members smaller than this may be as compressible as they like
)

var errMissing = errors.New("no such member")

// archive is a .keras file: metadata.json, config.json, model.weights.h5 and assets/.
type archive struct {
	open  func(name string) (io.ReaderAt, int64, error)
	names []string
}

func readArchive(r io.ReaderAt, size int64, o *options, depth int) (*Model, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: ZIP: %w", ErrFormat, err)
	}
	a := &archive{}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		name := strings.TrimPrefix(f.Name, "./")
		if _, dup := files[name]; !dup {
			files[name] = f
			a.names = append(a.names, name)
		}
	}
	a.open = func(name string) (io.ReaderAt, int64, error) {
		f, ok := files[name]
		if !ok {
			return nil, 0, errMissing
		}
		return openMember(r, size, f)
	}
	if files["config.json"] == nil && depth == 0 {
		if inner := a.onlyModel(); inner != "" {
			m, n, err := a.open(inner)
			if err != nil {
				return nil, err
			}
			return read(m, n, o, depth+1)
		}
	}
	return a.model(o)
}

// onlyModel finds the one model file of an archive that is itself zipped.
func (a *archive) onlyModel() string {
	found := ""
	for _, n := range a.names {
		if ext := path.Ext(n); n != "model.weights.h5" && (ext == ".keras" || ext == ".h5" || ext == ".hdf5") {
			if found != "" {
				return ""
			}
			found = n
		}
	}
	return found
}

// openMember opens a member, whose checksum must be right: in place where it is stored, else unpacked in memory, with the size
// bounded.
func openMember(r io.ReaderAt, size int64, f *zip.File) (io.ReaderAt, int64, error) {
	stored, whole := f.CompressedSize64, f.UncompressedSize64
	if stored > uint64(size) || whole > minBomb && whole/maxRatio > stored {
		return nil, 0, fmt.Errorf("%w: member %s claims %d bytes of %d stored", ErrFormat, f.Name, whole, stored)
	}
	if f.Method == zip.Store {
		at, err := f.DataOffset()
		if err != nil || stored != whole || at < 0 || at > size-int64(stored) {
			return nil, 0, fmt.Errorf("%w: member %s lies outside the archive", ErrFormat, f.Name)
		}
		if err := checksum(f); err != nil {
			return nil, 0, fmt.Errorf("%w: member %s: %w", ErrFormat, f.Name, err)
		}
		return io.NewSectionReader(r, at, int64(whole)), int64(whole), nil
	}
	rc, err := f.Open()
	if err != nil {
		return nil, 0, fmt.Errorf("%w: member %s: %w", ErrFormat, f.Name, err)
	}
	defer rc.Close()
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(rc, int64(whole)+1))
	if err != nil || uint64(n) != whole {
		return nil, 0, fmt.Errorf("%w: member %s: %d of %d bytes (%w)", ErrFormat, f.Name, n, whole, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return bytes.NewReader(buf.Bytes()), n, nil
}

// checksum reads a member through: a wrong bit in a weight shows nowhere else.
func checksum(f *zip.File) error {
	rc, err := f.Open()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	return errors.Join(err, rc.Close())
}

// bytes reads a small member; nil where it is missing.
func (a *archive) bytes(name string) ([]byte, error) {
	r, n, err := a.open(name)
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if n > maxJSON {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrFormat, name, n)
	}
	data := make([]byte, n)
	if _, err := r.ReadAt(data, 0); err != nil && (err != io.EOF || n == 0) && n > 0 {
		return nil, err
	}
	return data, nil
}

func (a *archive) model(o *options) (*Model, error) {
	config, err := a.bytes("config.json")
	if err != nil {
		return nil, err
	}
	if config == nil && o.architecture != nil {
		config = o.architecture
	}
	if config == nil {
		return nil, fmt.Errorf("%w: the archive has no config.json", ErrFormat)
	}
	version := ""
	if meta, err := a.bytes("metadata.json"); err != nil {
		return nil, err
	} else if meta != nil {
		v, err := decodeJSON(meta)
		if err != nil {
			return nil, fmt.Errorf("metadata.json: %w", err)
		}
		version, _ = v["keras_version"].(string)
	}
	weights, missing := a.weights()
	m, err := fromConfigWith(config, version, func(m *Model) error {
		if missing != nil { // what is wrong with the layers is said first
			return a.readAssets(m)
		}
		return errors.Join(a.readAssets(m), weights.readFrequencies(m))
	})
	if err := cmp.Or(err, missing); err != nil {
		return nil, err
	}
	m.Format = "keras"
	weights.loadModel(m, "")
	m.OptimizerState = weights.list("optimizer/vars")
	return m, nil
}

func (a *archive) weights() (*store, error) {
	r, n, err := a.open("model.weights.h5")
	if errors.Is(err, errMissing) {
		return nil, fmt.Errorf("%w: the archive has no model.weights.h5", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	f, err := hdf5.Open(r, n)
	if err != nil {
		return nil, fmt.Errorf("model.weights.h5: %w", err)
	}
	return &store{root: f.Root(), done: map[*Layer]bool{}}, nil
}

// readAssets gives the lookup layers the vocabularies that stand beside the weights.
func (a *archive) readAssets(m *Model) error {
	return eachPath(m, "", true, func(l *Layer, at string) error {
		for _, name := range []string{"vocabulary.txt", "_lookup_layer/vocabulary.txt"} {
			data, err := a.bytes("assets/" + at + "/" + name)
			if err != nil {
				return err
			}
			if data == nil {
				continue
			}
			if l.assets == nil {
				l.assets = map[string][]byte{}
			}
			l.assets[path.Base(name)] = data
		}
		return nil
	})
}

// eachPath visits every layer of a model with the path by which Keras 3 stores it: class names with counters, not the
// layers' own names. In a file that is read, the classes can have other names than in one that is written.
func eachPath(m *Model, prefix string, reading bool, visit func(l *Layer, at string) error) error {
	count := map[string]int{}
	for _, l := range m.Layers {
		name := containerName(l, reading, count)
		if err := eachSub(l, path.Join(prefix, "layers", name), reading, visit); err != nil {
			return err
		}
	}
	return nil
}

func eachSub(l *Layer, at string, reading bool, visit func(l *Layer, at string) error) error {
	if err := visit(l, at); err != nil {
		return err
	}
	if l.Model != nil {
		return eachPath(l.Model, at, reading, visit)
	}
	count := map[string]int{}
	for _, s := range l.sublayers {
		where := path.Join(at, s.attribute)
		if container, ok := strings.CutSuffix(s.attribute, "/*"); ok {
			where = path.Join(at, container, containerName(s, reading, count))
		}
		if err := eachSub(s, where, reading, visit); err != nil {
			return err
		}
	}
	return nil
}

// containerName is a layer's name in a list of layers: the class in snake case, with _1, _2 … from the second on.
func containerName(l *Layer, reading bool, count map[string]int) string {
	class := l.Class
	switch {
	case l.Model != nil:
		class = l.Model.Class
	case reading && l.fileClass != "":
		class = l.fileClass
	}
	if _, short, ok := strings.Cut(class, ">"); ok {
		class = short
	}
	if class == "GroupQueryAttention" {
		class = "GroupedQueryAttention" // the name of the Python class
	}
	name := snakeCase(class)
	n := count[name]
	count[name]++
	if n > 0 {
		name += "_" + strconv.Itoa(n)
	}
	return name
}

// store reads weights as Keras 3 keeps them: layers/dense_1/vars/0.
type store struct {
	root *hdf5.Group
	done map[*Layer]bool
}

// readFrequencies gives the lookup layers the inverse document frequencies that adapt found, which stand among the weights
// but are none of the layer's own.
func (s *store) readFrequencies(m *Model) error {
	return eachPath(m, "", true, func(l *Layer, at string) error {
		if !l.looksUp() {
			return nil
		}
		for _, where := range []string{at, at + "/_lookup_layer"} {
			g := s.group(where + "/vars")
			if g == nil || !g.Has("idf_weights") {
				continue
			}
			ds, err := g.Dataset("idf_weights")
			if err != nil {
				return err
			}
			t, err := readTensor(ds)
			if err != nil {
				return err
			}
			if t, err = t.Cast(tensor.Float64); err != nil {
				return err
			}
			l.idf, err = tensor.Data[float64](t)
			return err
		}
		return nil
	})
}

// layouts are the places where versions keep the weights of a layer's parts.
var layouts = []struct{ from, to string }{
	{"query_dense", "_query_dense"}, {"key_dense", "_key_dense"}, {"value_dense", "_value_dense"}, {"output_dense", "_output_dense"},
}

func (s *store) loadModel(m *Model, prefix string) {
	check(eachPath(m, prefix, true, func(l *Layer, at string) error {
		if len(l.variables) == 0 || s.done[l] {
			return nil
		}
		s.done[l] = true
		g := s.vars(at)
		if g == nil {
			fail(ErrWeights, "layer %s needs %d weights, %s has none", l.path, len(l.variables), at)
		}
		first := 0
		if l.Class == "SpectralNormalization" {
			first = 1 // Keras repeats the kernel of the layer it holds
		}
		var values []*tensor.Tensor
		for i := range l.variables {
			name := strconv.Itoa(first + i)
			if !g.Has(name) {
				fail(ErrWeights, "layer %s needs %d weights, %s has %d", l.path, len(l.variables), at, i)
			}
			ds, err := g.Dataset(name)
			check(err)
			t, err := readTensor(ds)
			check(err)
			values = append(values, t)
		}
		return assign(l.path, l.variables, values)
	}))
}

// vars finds the group of a layer's own weights.
func (s *store) vars(at string) *hdf5.Group {
	candidates := []string{at, strings.ReplaceAll(at, "layers/", "_layer_checkpoint_dependencies/")}
	for _, p := range layouts {
		if strings.HasSuffix(at, "/"+p.from) {
			candidates = append(candidates, strings.TrimSuffix(at, p.from)+p.to)
		}
	}
	for _, c := range candidates {
		if g := s.group(c + "/vars"); g != nil && len(g.Links()) > 0 {
			return g
		}
	}
	return nil
}

// group opens a group; nil where it is missing.
func (s *store) group(at string) *hdf5.Group {
	g, err := s.root.Group(at)
	if errors.Is(err, hdf5.ErrNotFound) {
		return nil
	}
	check(err)
	return g
}

// list reads vars/0, vars/1 … of a group that may be missing.
func (s *store) list(at string) []NamedTensor {
	g := s.group(at)
	if g == nil {
		return nil
	}
	var out []NamedTensor
	for i := 0; g.Has(strconv.Itoa(i)); i++ {
		ds, err := g.Dataset(strconv.Itoa(i))
		check(err)
		t, err := readTensor(ds)
		check(err)
		out = append(out, NamedTensor{strconv.Itoa(i), t})
	}
	return out
}

// readTensor reads a dataset of numbers. Two opaque bytes are a bfloat16, which h5py cannot name.
func readTensor(ds *hdf5.Dataset) (*tensor.Tensor, error) {
	name := ds.Datatype().String()
	d, ok := dtypes[name]
	if name == "opaque[2]" {
		d, ok = tensor.BFloat16, true
	}
	if !ok || d == tensor.String {
		return nil, fmt.Errorf("%w: %s holds %s, which is no element type of a weight", ErrFormat, ds.Path(), name)
	}
	t, err := tensor.New(d, slices.Clone(ds.Shape())...)
	if err != nil {
		return nil, err
	}
	return t, ds.ReadInto(t.Bytes())
}
