package savedmodel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// WriteOptions say how a SavedModel is written.
type WriteOptions struct {
	// Tags of the meta graph; nil means "serve".
	Tags []string
	// Frozen writes the variables as constants of the graph, without a checkpoint. It is an error if one has to stay a
	// variable because a signature writes it.
	Frozen bool
	// Prefix is put before the shared name of every variable. Variables are shared by name between all models of a
	// TensorFlow server: give each model its own prefix, such as a name and a hash.
	Prefix string
	// Trainable tells which variables Python may train further; nil means none of them.
	Trainable func(variable string) bool
	// TensorFlowVersion is written as that of the producer; "" means 2.18.0, the version whose ops package graph knows.
	TensorFlowVersion string
}

const defaultVersion = "2.18.0"

// Write writes a graph as a SavedModel directory, which it replaces as a whole: saved_model.pb with the signatures, the values
// of the variables, and copies of the assets. Every variable that a signature or the init op depends on must have its value
// in g.Variables. What no signature needs is left out. TensorFlow's C, Python (1 and 2) and Keras's TFSMLayer loaders all
// read it; the model has its signatures, but no Python objects to call.
func Write(dir string, g *graph.Graph, opts WriteOptions) error {
	w, err := newWriter(g, opts)
	if err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	return atomicfile.Dir(dir, func(tmp string) error {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&tfproto.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*tfproto.MetaGraphDef{w.def}})
		if err != nil {
			return err
		}
		if len(data) > graph.MaxFile {
			return fmt.Errorf("writing %s: %w: the graph takes %d bytes, a protocol buffer at most 2 GiB; write variables instead of constants", dir, graph.ErrUnsupported, len(data))
		}
		if err := os.WriteFile(filepath.Join(tmp, binaryFile), data, 0o644); err != nil {
			return err
		}
		if err := w.copyAssets(filepath.Join(tmp, assetsDir)); err != nil {
			return err
		}
		if len(w.values) == 0 {
			return nil
		}
		if err := os.Mkdir(filepath.Join(tmp, variablesDir), 0o755); err != nil {
			return err
		}
		return WriteBundle(filepath.Join(tmp, variablesDir, variablesPrefix), w.values)
	})
}

// writer collects what Write writes.
type writer struct {
	adder
	graph  *graph.Graph
	opts   WriteOptions
	def    *tfproto.MetaGraphDef
	values map[string]*tensor.Tensor // by key of the checkpoint
	assets map[string]string         // by file name: where it comes from
}

func newWriter(g *graph.Graph, opts WriteOptions) (*writer, error) {
	if len(g.Signatures) == 0 {
		return nil, fmt.Errorf("%w: nobody could call a model without signatures", graph.ErrNoSignature)
	}
	g, err := selfContained(g, opts.Frozen)
	if err != nil {
		return nil, err
	}
	w := &writer{graph: g, opts: opts, values: map[string]*tensor.Tensor{}, assets: map[string]string{}}
	if opts.Tags == nil {
		w.opts.Tags = []string{TagServe}
	}
	if opts.TensorFlowVersion == "" {
		w.opts.TensorFlowVersion = defaultVersion
	}
	w.def = &tfproto.MetaGraphDef{
		MetaInfoDef:   &tfproto.MetaGraphDef_MetaInfoDef{Tags: w.opts.Tags, TensorflowVersion: w.opts.TensorFlowVersion},
		GraphDef:      &tfproto.GraphDef{Node: slices.Clone(g.Def.Node), Library: g.Def.Library, Versions: g.Def.Versions},
		CollectionDef: map[string]*tfproto.CollectionDef{},
	}
	w.adder = newAdder(w.def.GraphDef)
	if w.def.SignatureDef, err = signatureDefs(g.Signatures); err != nil {
		return nil, err
	}
	if err := w.variables(); err != nil {
		return nil, err
	}
	w.initOp()
	if err := w.assetDefs(); err != nil {
		return nil, err
	}
	w.def.MetaInfoDef.StrippedOpList, err = graph.OpsUsed(&graph.Graph{Def: w.def.GraphDef, Ops: g.Ops})
	return w, err
}

// selfContained returns the part of the graph that signatures and init op need, without the ops of its checkpoint.
func selfContained(g *graph.Graph, frozen bool) (*graph.Graph, error) {
	if frozen {
		r, kept, err := graph.Freeze(g)
		if err == nil && len(kept) > 0 {
			err = fmt.Errorf("%w: variable %s cannot become a constant: %s", graph.ErrUnsupported, kept[0].Variable, kept[0].Reason)
		}
		return r, err
	}
	g, err := graph.Inline(g) // handles, and with them reads, come to the top
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, s := range g.Signatures {
		for _, p := range append(slices.Clone(s.Inputs), s.Outputs...) {
			roots = append(roots, p.Tensors()...)
		}
	}
	if g.Init.Op != "" {
		roots = append(roots, g.Init.Op)
		for t := range g.Init.Assets {
			roots = append(roots, t)
		}
	}
	r, err := graph.Prune(g, roots...)
	if err == nil {
		r.Checkpoint = nil
	}
	return r, err
}

func signatureDefs(signatures []graph.Signature) (map[string]*tfproto.SignatureDef, error) {
	m := map[string]*tfproto.SignatureDef{}
	for _, s := range signatures {
		inputs, err := tensorInfos(s.Inputs)
		if err != nil {
			return nil, fmt.Errorf("signature %s: %w", s.Name, err)
		}
		outputs, err := tensorInfos(s.Outputs)
		if err != nil {
			return nil, fmt.Errorf("signature %s: %w", s.Name, err)
		}
		m[s.Name] = &tfproto.SignatureDef{MethodName: s.Method, Inputs: inputs, Outputs: outputs}
	}
	return m, nil
}

func tensorInfos(ports []graph.Port) (map[string]*tfproto.TensorInfo, error) {
	m := map[string]*tfproto.TensorInfo{}
	for _, p := range ports {
		info := &tfproto.TensorInfo{Dtype: tfproto.DataType(p.DType), Encoding: &tfproto.TensorInfo_Name{Name: p.Tensor}}
		if !p.Shapeless {
			info.TensorShape = graph.ShapeProto(p.Shape)
		}
		if p.Components != nil {
			if p.Components["dense_shape"] == "" {
				return nil, fmt.Errorf("%w: %s is a composite tensor other than a sparse one", graph.ErrUnsupported, p.Name)
			}
			info.Encoding = &tfproto.TensorInfo_CooSparse_{CooSparse: &tfproto.TensorInfo_CooSparse{
				ValuesTensorName: p.Components["values"], IndicesTensorName: p.Components["indices"], DenseShapeTensorName: p.Components["dense_shape"],
			}}
		}
		m[p.Name] = info
	}
	return m, nil
}

// initOp names the op to run after restoring. TensorFlow 2 also writes it as a pseudo-signature, which its own loader cannot
// read from a model without Python objects when the op has assets.
func (w *writer) initOp() {
	if op := w.graph.Init.Op; op != "" {
		w.def.CollectionDef[mainOp] = &tfproto.CollectionDef{Kind: &tfproto.CollectionDef_NodeList_{NodeList: &tfproto.CollectionDef_NodeList{Value: []string{op}}}}
	}
}

// assetDefs enters the assets under their base names; two files of one name get numbers.
func (w *writer) assetDefs() error {
	tensors := make([]string, 0, len(w.graph.Init.Assets))
	for t := range w.graph.Init.Assets {
		tensors = append(tensors, t)
	}
	slices.Sort(tensors)
	for _, t := range tensors {
		path := w.graph.Init.Assets[t]
		if info, err := os.Stat(path); err != nil {
			return fmt.Errorf("asset: %w", err)
		} else if !info.Mode().IsRegular() {
			return fmt.Errorf("asset %s: %w", path, errors.ErrUnsupported)
		}
		name := filepath.Base(path)
		for i := 1; w.assets[name] != "" && w.assets[name] != path; i++ {
			name = fmt.Sprintf("%d_%s", i, filepath.Base(path))
		}
		w.assets[name] = path
		w.def.AssetFileDef = append(w.def.AssetFileDef, &tfproto.AssetFileDef{
			TensorInfo: &tfproto.TensorInfo{Encoding: &tfproto.TensorInfo_Name{Name: t}, Dtype: tfproto.DataType(tensor.String), TensorShape: &tfproto.TensorShapeProto{}},
			Filename:   name,
		})
	}
	return nil
}

func (w *writer) copyAssets(dir string) error {
	for name, path := range w.assets {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(dir, name), path); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
