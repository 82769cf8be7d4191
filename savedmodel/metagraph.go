package savedmodel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// The pseudo-signatures by which TensorFlow 2 names its init and train ops, and the collections in which TensorFlow 1 does.
const (
	initSignature    = "__saved_model_init_op"
	trainSignature   = "__saved_model_train_op"
	mainOp           = "saved_model_main_op"
	legacyInitOp     = "legacy_init_op"
	assetsCollection = "saved_model_assets"
)

// Graph returns the meta graph as a graph: nodes, signatures, op definitions, where the variables and assets are. It is an
// error if the graph contradicts itself, if an asset is missing, or if there are variables but no variables.index.
func (m *MetaGraph) Graph() (*graph.Graph, error) {
	g, err := m.graph()
	if err != nil {
		return nil, fmt.Errorf("%s, meta graph [%s]: %w", m.dir, strings.Join(m.Tags, ","), err)
	}
	return g, nil
}

func (m *MetaGraph) graph() (*graph.Graph, error) {
	g := &graph.Graph{
		Def:    m.Def.GetGraphDef(),
		Ops:    m.Def.GetMetaInfoDef().GetStrippedOpList(),
		Source: graph.Source{Path: m.dir, Tags: m.Tags},
	}
	if g.Def == nil {
		return nil, fmt.Errorf("%w: it has no graph", ErrMalformed)
	}
	g.Signatures = m.signatures()
	if err := g.Check(); err != nil {
		return nil, err
	}
	graph.MarkOptional(g)
	var err error
	if g.Init, err = m.init(g); err != nil {
		return nil, err
	}
	if g.Checkpoint, err = m.checkpoint(g); err != nil {
		return nil, err
	}
	return g, m.restoreObjects(g)
}

// signatures returns the SignatureDefs, sorted by name, without the pseudo-signatures.
func (m *MetaGraph) signatures() []graph.Signature {
	list := []graph.Signature{}
	for name, def := range m.Def.GetSignatureDef() {
		if name == initSignature || name == trainSignature {
			continue
		}
		list = append(list, graph.Signature{Name: name, Method: def.GetMethodName(), Inputs: ports(def.GetInputs()), Outputs: ports(def.GetOutputs())})
	}
	slices.SortFunc(list, func(a, b graph.Signature) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func ports(infos map[string]*tfproto.TensorInfo) []graph.Port {
	list := make([]graph.Port, 0, len(infos))
	for name, info := range infos {
		p := graph.Port{Name: name, DType: graph.DTypeOf(info.GetDtype()), Shape: graph.ShapeOf(info.GetTensorShape()), Shapeless: info.GetTensorShape() == nil}
		switch e := info.GetEncoding().(type) {
		case *tfproto.TensorInfo_CooSparse_:
			p.Components = map[string]string{
				"values":      e.CooSparse.GetValuesTensorName(),
				"indices":     e.CooSparse.GetIndicesTensorName(),
				"dense_shape": e.CooSparse.GetDenseShapeTensorName(),
			}
		case *tfproto.TensorInfo_CompositeTensor_:
			setComponents(&p, e.CompositeTensor)
		default:
			p.Tensor = info.GetName()
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b graph.Port) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// setComponents describes a composite tensor, of which the file says no more than its parts and its Python class. The parts come
// in the order in which the class flattens itself: a ragged tensor into "values" and its row splits, everything else by number.
func setComponents(p *graph.Port, t *tfproto.TensorInfo_CompositeTensor) {
	p.Components, p.Types, p.Shapeless = map[string]string{}, map[string]tensor.DType{}, false
	class := t.GetTypeSpec().GetTypeSpecClassName()
	for i, c := range t.GetComponents() {
		name := "component_" + strconv.Itoa(i)
		switch {
		case class == "SparseTensorSpec" && i < 3:
			name = []string{"indices", "values", "dense_shape"}[i]
		case class == "RaggedTensorSpec" && i == 0:
			name = "values"
		case class == "RaggedTensorSpec":
			name = "row_splits_" + strconv.Itoa(i-1)
		}
		p.Components[name], p.Types[name] = c.GetName(), graph.DTypeOf(c.GetDtype())
	}
	if d := p.Types["values"]; p.DType == tensor.Invalid {
		p.DType = d
	}
	for _, part := range t.GetTypeSpec().GetTypeState().GetTupleValue().GetValues() {
		if s := part.GetTensorShapeValue(); s != nil {
			p.Shape = graph.ShapeOf(s)
		}
	}
}

// init finds the op to run after restoring, and the assets to feed to it.
func (m *MetaGraph) init(g *graph.Graph) (graph.Init, error) {
	var r graph.Init
	for _, op := range []string{
		m.Def.GetSignatureDef()[initSignature].GetOutputs()[initSignature].GetName(),
		m.node(mainOp),
		m.node(legacyInitOp),
	} {
		if op = nodeName(op); op != "" {
			if !hasNode(g, op) {
				return r, fmt.Errorf("%w: its init op %s is no node of the graph", ErrMalformed, op)
			}
			r.Op = op
			break
		}
	}
	assets, err := m.assets()
	if err != nil || len(assets) == 0 {
		return r, err
	}
	r.Assets = map[string]string{}
	for _, a := range assets {
		name := a.GetFilename()
		if !filepath.IsLocal(name) {
			return r, fmt.Errorf("%w: the asset %q would lie outside the model's directory", ErrMalformed, name)
		}
		path := filepath.Join(m.dir, assetsDir, filepath.FromSlash(name))
		if _, err := os.Stat(path); err != nil {
			return r, fmt.Errorf("an asset is missing: %w", err)
		}
		tensor := a.GetTensorInfo().GetName()
		if node, _, err := graph.ParseTensor(tensor); err != nil || !hasNode(g, node) {
			return r, fmt.Errorf("%w: the asset %s is fed to %q, which is no tensor of the graph", ErrMalformed, name, tensor)
		}
		r.Assets[tensor] = path
	}
	return r, nil
}

// node returns the first entry of a collection that lists nodes.
func (m *MetaGraph) node(collection string) string {
	if list := m.Def.GetCollectionDef()[collection].GetNodeList().GetValue(); len(list) > 0 {
		return list[0]
	}
	return ""
}

// assets lists the asset files: asset_file_def, or in older models a collection.
func (m *MetaGraph) assets() ([]*tfproto.AssetFileDef, error) {
	if list := m.Def.GetAssetFileDef(); len(list) > 0 {
		return list, nil
	}
	var list []*tfproto.AssetFileDef
	for _, v := range m.Def.GetCollectionDef()[assetsCollection].GetAnyList().GetValue() {
		a := &tfproto.AssetFileDef{}
		if err := proto.Unmarshal(v.GetValue(), a); err != nil {
			return nil, fmt.Errorf("%w: the collection %s: %w", ErrMalformed, assetsCollection, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// checkpoint says where the variables come from; nil if there are none to restore.
func (m *MetaGraph) checkpoint(g *graph.Graph) (*graph.Checkpoint, error) {
	saver := m.Def.GetSaverDef()
	c := &graph.Checkpoint{
		Prefix:         m.prefix(),
		FilenameTensor: saver.GetFilenameTensorName(),
		RestoreOp:      nodeName(saver.GetRestoreOpName()),
	}
	_, err := os.Stat(c.Prefix + ".index")
	switch {
	case c.RestoreOp == "":
		return nil, nil
	case err == nil:
	case errors.Is(err, os.ErrNotExist) && !g.HasVariables():
		return nil, nil
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: the graph has variables but there is no %s.index with their values; copy the whole directory, variables/ too", ErrNoVariables, c.Prefix)
	default:
		return nil, err
	}
	if node, _, err := graph.ParseTensor(c.FilenameTensor); err != nil || !hasNode(g, node) {
		return nil, fmt.Errorf("%w: the saver's file name is fed to %q, which is no tensor of the graph", ErrMalformed, c.FilenameTensor)
	}
	if !hasNode(g, c.RestoreOp) {
		return nil, fmt.Errorf("%w: the saver's restore op %s is no node of the graph", ErrMalformed, c.RestoreOp)
	}
	return c, nil
}

// prefix returns the path of the checkpoint without ".index".
func (m *MetaGraph) prefix() string { return filepath.Join(m.dir, variablesDir, variablesPrefix) }

func hasNode(g *graph.Graph, name string) bool {
	return slices.ContainsFunc(g.Def.GetNode(), func(n *tfproto.NodeDef) bool { return n.GetName() == name })
}

// nodeName drops what may surround a node's name where an op is meant: "^node", "node:0".
func nodeName(s string) string {
	node, _, _ := strings.Cut(strings.TrimPrefix(s, "^"), ":")
	return node
}
