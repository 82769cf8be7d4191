package cambium

import (
	"errors"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// Info describes a model file without running it; its JSON form is what `infer show --json` prints.
type Info struct {
	Format     Format          `json:"format"`
	Producer   Producer        `json:"producer"`
	MetaGraphs []MetaGraphInfo `json:"meta_graphs"`
	Layers     []LayerInfo     `json:"layers,omitempty"` // of a Keras file
	Parameters int64           `json:"parameters"`
	// Unsupported says why the model cannot run: a layer of a Keras file holds Python code or is of a class that Keras does not
	// have. Then there are no meta graphs, and only layers before that one have shapes and parameters.
	Unsupported string `json:"unsupported,omitempty"`
}

// Producer names the versions that wrote a model, where they are known.
type Producer struct {
	TensorFlow string `json:"tensorflow,omitempty"`
	Keras      string `json:"keras,omitempty"`
}

// MetaGraphInfo is one meta graph of a model; formats other than SavedModel have one, without tags.
type MetaGraphInfo struct {
	Tags       []string        `json:"tags"`
	Signatures []SignatureInfo `json:"signatures"`
	// Functions are those of a model without signatures that Python could call, such as "f" or "encoder.__call__".
	Functions []string `json:"functions,omitempty"`
}

// SignatureInfo is one signature.
type SignatureInfo struct {
	Name    string     `json:"name"`
	Method  string     `json:"method"`
	Inputs  []PortInfo `json:"inputs"`
	Outputs []PortInfo `json:"outputs"`
}

// PortInfo is one input or output of a signature: -1 is an unknown dimension, a nil shape an unknown rank.
type PortInfo struct {
	Name       string            `json:"name"`
	DType      string            `json:"dtype"`
	Shape      tensor.Shape      `json:"shape"`
	Tensor     string            `json:"tensor,omitempty"`
	Components map[string]string `json:"components,omitempty"` // of a sparse or other composite tensor
	Optional   bool              `json:"optional,omitempty"`   // a call may leave this input out: the graph has a default
}

// LayerInfo is one row of a Keras model's summary().
type LayerInfo struct {
	Name        string       `json:"name"`
	Class       string       `json:"class"`
	OutputShape tensor.Shape `json:"output_shape"`
	Parameters  int64        `json:"parameters"`
}

// Inspect reads a model of any format and describes it: signatures, versions, layers, parameters. It needs no engine.
// A file of Keras weights needs [keras.WithArchitecture]. A Keras file with a layer that cannot run is described without signatures.
func Inspect(path string, opts ...keras.Option) (*Info, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	switch format {
	case SavedModel:
		return inspectSavedModel(path)
	case GraphDef:
		g, err := graph.ReadFrozen(path)
		if err != nil {
			return nil, err
		}
		return &Info{Format: format, MetaGraphs: []MetaGraphInfo{{Tags: []string{}, Signatures: signatureInfos(g.Signatures)}}, Parameters: g.Parameters()}, nil
	default:
		return inspectKeras(path, format, opts)
	}
}

func inspectKeras(path string, format Format, opts []keras.Option) (*Info, error) {
	m, err := keras.Load(path, opts...)
	var custom *keras.CustomObjectError
	if errors.As(err, &custom) {
		info := describeKeras(custom.Model, format)
		info.Unsupported, info.MetaGraphs = custom.Error(), []MetaGraphInfo{}
		return info, nil
	}
	if err != nil {
		return nil, err
	}
	info := describeKeras(m, format)
	g, err := m.Graph()
	if err != nil {
		return nil, err
	}
	info.MetaGraphs = []MetaGraphInfo{{Tags: []string{}, Signatures: signatureInfos(g.Signatures)}}
	return info, nil
}

func describeKeras(m *keras.Model, format Format) *Info {
	info := &Info{Format: format, Producer: Producer{Keras: m.Version}, Parameters: int64(m.Parameters())}
	for _, l := range m.Listed() {
		row := LayerInfo{Name: l.Name, Class: l.Class, Parameters: int64(l.Parameters())}
		if shapes := l.StatedShapes(); len(shapes) > 0 {
			row.OutputShape = shapes[0]
		}
		info.Layers = append(info.Layers, row)
	}
	return info
}

func inspectSavedModel(path string) (*Info, error) {
	m, err := savedmodel.Read(path)
	if err != nil {
		return nil, err
	}
	info := &Info{Format: SavedModel, Producer: Producer{TensorFlow: m.TensorFlowVersion, Keras: m.KerasVersion}}
	for _, mg := range m.MetaGraphs {
		g, err := mg.Graph()
		if err != nil {
			return nil, err
		}
		described := MetaGraphInfo{Tags: mg.Tags, Signatures: signatureInfos(g.Signatures)}
		if len(g.Signatures) == 0 {
			described.Functions = mg.Functions()
		}
		info.MetaGraphs = append(info.MetaGraphs, described)
		info.Parameters = max(info.Parameters, g.Parameters())
	}
	return info, nil
}

func signatureInfos(signatures []graph.Signature) []SignatureInfo {
	infos := make([]SignatureInfo, len(signatures))
	for i, s := range signatures {
		infos[i] = SignatureInfo{Name: s.Name, Method: s.Method, Inputs: portInfos(s.Inputs), Outputs: portInfos(s.Outputs)}
	}
	return infos
}

func portInfos(ports []graph.Port) []PortInfo {
	infos := make([]PortInfo, len(ports))
	for i, p := range ports {
		infos[i] = PortInfo{Name: p.Name, DType: p.DType.String(), Shape: p.Shape, Tensor: p.Tensor, Components: p.Components, Optional: p.Optional}
		if p.Shapeless { // as TensorFlow reports it
			infos[i].Shape = tensor.Shape{}
		}
	}
	return infos
}
