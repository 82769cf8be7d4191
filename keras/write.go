package keras

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/hdf5"
	"github.com/cambium-go/cambium/tensor"
)

// WrittenVersion is the version of Keras that written files name: the one whose format they have.
const WrittenVersion = "3.15.1"

// Write writes a model that Keras 3 and tf_keras open and go on training: architecture, weights, training configuration and
// the optimizer's state. The name says the format: ".keras", else HDF5 (".h5", ".hdf5"). The file appears whole or not at
// all. Models of Keras 1 and 2 are written in the terms of today; what those cannot say (their hard_sigmoid) is an
// [ErrUnsupported].
func Write(path string, m *Model) error {
	write := WriteH5
	if strings.EqualFold(filepath.Ext(path), ".keras") {
		write = WriteKeras
	}
	err := atomicfile.Write(path, func(w io.Writer) error { return write(w, m) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// WriteKeras writes a model as a .keras archive.
func WriteKeras(w io.Writer, m *Model) (err error) {
	defer catch(&err)
	z := zip.NewWriter(w)
	now := time.Now().UTC()
	member := func(name string) io.Writer {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: now})
		check(err)
		return f
	}
	write := func(name string, data []byte) {
		_, err := member(name).Write(data)
		check(err)
	}
	writeJSON := func(name string, value any) {
		text, err := encodeJSON(value)
		check(err)
		write(name, text)
	}
	writeJSON("metadata.json", map[string]any{"keras_version": WrittenVersion, "date_saved": now.Format("2006-01-02@15:04:05")})
	writeJSON("config.json", m.archiveConfig())
	weights, assets := m.archiveWeights()
	check(hdf5.Write(member("model.weights.h5"), weights))
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		write(name, assets[name])
	}
	return z.Close()
}

// archiveConfig is what config.json of an archive holds.
func (m *Model) archiveConfig() map[string]any {
	config := m.written("Model")
	config["module"], config["registered_name"] = "keras", nil
	if len(m.Inputs) == 1 && m.Class == "Sequential" {
		config["build_config"] = map[string]any{"input_shape": anyShape(m.Inputs[0].Shape)}
	}
	if c := m.Compile; c != nil {
		config["compile_config"] = map[string]any{"optimizer": map[string]any{"module": "keras.optimizers", "class_name": optimizerClass(c.Optimizer),
			"config": m.optimizerConfig(false), "registered_name": nil}, "loss": writtenLoss(c.Loss), "loss_weights": c.LossWeights,
			"metrics": writtenMetrics(c.Metrics), "weighted_metrics": nil, "run_eagerly": false, "steps_per_execution": 1, "jit_compile": false}
	}
	return config
}

// archiveWeights is what model.weights.h5 of an archive holds, and the files of layers beside it.
func (m *Model) archiveWeights() (root *hdf5.GroupBuilder, assets map[string][]byte) {
	root = hdf5.NewGroup()
	seen := map[*Layer]bool{}
	assets = map[string][]byte{}
	check(eachPath(m, "", false, func(l *Layer, at string) error {
		if _, err := root.CreateGroup(at + "/vars"); err != nil || seen[l] {
			return err
		}
		seen[l] = true
		for name, data := range l.assets {
			assets[path.Join("assets", at, name)] = data
			if l.Class == "TextVectorization" { // Keras stores the lookup layer in it too
				assets[path.Join("assets", at, "_lookup_layer", name)] = data
			}
		}
		return l.writeVars(root, at)
	}))
	for i, t := range m.stateFor(false) {
		check(writeTensor(root, "optimizer/vars/"+strconv.Itoa(i), t.Value))
	}
	_, err := root.CreateGroup("vars")
	check(err)
	return root, assets
}

// writeVars writes the weights of a layer alone, without those of the layers in it, below a path.
func (l *Layer) writeVars(root *hdf5.GroupBuilder, at string) error {
	first := 0
	if l.Class == "SpectralNormalization" { // Keras repeats the kernel of the layer it holds
		first = 1
		if err := writeTensor(root, at+"/vars/0", l.sublayers[0].variables[0].Value); err != nil {
			return err
		}
	}
	for i, v := range l.variables {
		if err := writeTensor(root, at+"/vars/"+strconv.Itoa(first+i), v.Value); err != nil {
			return fmt.Errorf("weight %s: %w", v.Path, err)
		}
	}
	idf := l.idfWeights()
	if idf == nil {
		return nil
	}
	if err := writeTensor(root, at+"/vars/idf_weights", idf); err != nil || l.Class != "TextVectorization" {
		return err
	}
	return writeTensor(root, at+"/_lookup_layer/vars/idf_weights", idf)
}

// writeTensor adds a dataset.
func writeTensor(g *hdf5.GroupBuilder, at string, t *tensor.Tensor) error {
	if t == nil {
		return fmt.Errorf("%w: no value", ErrWeights)
	}
	d, err := hdf5.NumpyDatatype(t.DType().String())
	if err != nil {
		return err
	}
	ds, err := g.CreateDataset(at, hdf5.Array{Datatype: d, Shape: t.Shape(), Data: t.Bytes()})
	if err == nil && t.DType() == tensor.BFloat16 {
		err = ds.SetAttr("dtype", "bfloat16") // two opaque bytes otherwise
	}
	return err
}

// WriteH5 writes a model as an HDF5 file with Keras's old layout, which Keras 2 reads, too, if it knows all layers. tf_keras goes on
// training from it. It takes the hard_sigmoid of Keras 3 for its own, which is another function.
// Keras 3.15 opens it, but from any HDF5 file with an optimizer's state it trains only after compile was called again: it
// forgets which variables the optimizer has. The optimizer's state survives in Keras 3 only by way of .keras, and so does a
// vocabulary that adapt found: it has no place in an HDF5 file, and the error wraps ErrUnsupported.
func WriteH5(w io.Writer, m *Model) (err error) {
	defer catch(&err)
	check(eachPath(m, "", false, func(l *Layer, _ string) error {
		if l.assets["vocabulary.txt"] != nil && !l.Config.has("vocabulary") {
			return fmt.Errorf("%w: layer %s: a vocabulary that adapt found has no place in an .h5 file, which Keras would open without it; write .keras", ErrUnsupported, l.path)
		}
		return nil
	}))
	root := hdf5.NewGroup()
	config, err := encodeJSON(m.written("Functional"))
	check(err)
	check(root.SetAttr("keras_version", WrittenVersion))
	check(root.SetAttr("backend", "tensorflow"))
	check(setText(root, "model_config", string(config)))
	if c := m.Compile; c != nil {
		training, err := encodeJSON(map[string]any{"loss": writtenLoss(c.Loss), "loss_weights": c.LossWeights,
			"metrics": writtenMetrics(c.Metrics), "weighted_metrics": nil,
			"optimizer_config": map[string]any{"class_name": optimizerClass(c.Optimizer), "config": m.optimizerConfig(true)}})
		check(err)
		check(setText(root, "training_config", string(training)))
	}
	weights, err := root.CreateGroup("model_weights")
	check(err)
	check(weights.SetAttr("keras_version", WrittenVersion))
	check(weights.SetAttr("backend", "tensorflow"))
	var layerNames []string
	for _, l := range m.Layers {
		if !l.isOperation() {
			layerNames = append(layerNames, l.Name)
		}
	}
	check(setNames(weights, "layer_names", layerNames))
	for _, l := range m.Layers {
		if l.isOperation() {
			continue
		}
		g, err := weights.CreateGroup(l.Name)
		check(err)
		var list []NamedTensor
		for _, trainable := range []bool{true, false} {
			for _, v := range l.Variables() {
				if v.Trainable == trainable {
					list = append(list, NamedTensor{v.Path, v.Value})
				}
			}
		}
		check(writeNamed(g, list))
	}
	top, err := weights.CreateGroup("top_level_model_weights")
	check(err)
	check(writeNamed(top, nil))
	if len(m.OptimizerState) > 0 {
		g, err := root.CreateGroup("optimizer_weights")
		check(err)
		check(writeNamed(g, m.stateFor(true)))
	}
	return hdf5.Write(w, root)
}

// isOperation reports whether a layer is a keras.ops function, which is no member of model.layers. The module says so or, in
// HDF5 files, which have none, the configuration: an operation cannot be trained.
func (l *Layer) isOperation() bool {
	_, trains := l.Config["trainable"]
	return strings.Contains(l.rawModule, ".ops") || l.rawModule == "" && !trains && l.age == keras3 && classes["keras.ops>"+l.Class].call != nil
}

// setText stores a text attribute of any length: a variable-length string stands outside the object header.
func setText(g *hdf5.GroupBuilder, name, text string) error { return g.SetAttr(name, text) }

// writeNamed adds tensors and the attribute that lists them.
func writeNamed(g *hdf5.GroupBuilder, list []NamedTensor) error {
	list = distinctNames(list)
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
		if err := writeTensor(g, t.Name, t.Value); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return setNames(g, "weight_names", names)
}

// distinctNames makes names usable as paths of datasets: no two alike, none the start of another's path.
func distinctNames(list []NamedTensor) []NamedTensor {
	out, seen := slices.Clone(list), map[string]bool{}
	for i, t := range out {
		if seen[t.Name] {
			t.Name = unique(t.Name, 1, func(s string) bool { return seen[s] })
		}
		seen[t.Name] = true
		out[i] = t
	}
	return out
}

// setNames writes a list of names as Keras does: fixed-length bytes, split where they exceed the size of an attribute, and
// an empty array of float64 for none.
func setNames(g *hdf5.GroupBuilder, name string, list []string) error {
	if len(list) == 0 {
		return g.SetAttr(name, hdf5.Numbers([]int{0}, []float64{}))
	}
	longest := 1
	for _, s := range list {
		longest = max(longest, len(s))
	}
	each := max(1, hdf5.MaxAttributeSize/longest)
	if len(list) <= each {
		return g.SetAttr(name, hdf5.FixedText([]int{len(list)}, list))
	}
	for i := 0; len(list) > 0; i++ {
		n := min(each, len(list))
		if err := g.SetAttr(name+strconv.Itoa(i), hdf5.FixedText([]int{n}, list[:n])); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
