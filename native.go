package cambium

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// nativeModel is a dense network on the native engine: one signature with one input and one output, and perhaps another one that
// names the likeliest class.
type nativeModel struct {
	mu        sync.RWMutex // held for reading by calls
	model     *dense.Model // nil once closed
	signature graph.Signature
	output    graph.Port        // what the network computes
	classes   *dense.ClassNames // nil where there is one output only
}

// loadNative makes a model of the native engine; its error says which layer or op the engine lacks.
func loadNative(path string, opts *Options) (Model, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	if err := checkTags(path, format, opts.Tags); err != nil {
		return nil, err
	}
	m := &nativeModel{}
	if format == Keras || format == H5 {
		err = m.readKeras(path, opts)
	} else {
		err = m.readGraph(path, opts)
	}
	if err != nil {
		return nil, err
	}
	i := 0
	if m.classes != nil {
		i = slices.IndexFunc(m.signature.Outputs, func(p graph.Port) bool { return p.Name != m.classes.Output })
	}
	m.output = m.signature.Outputs[i]
	return m, nil
}

func (m *nativeModel) readKeras(path string, opts *Options) error {
	k, err := keras.Load(path, opts.Keras...)
	if err != nil {
		return err
	}
	m.signature = kerasSignature(k)
	if opts.Signature != "" && opts.Signature != m.signature.Name {
		return nativeError(path, fmt.Errorf("%w: %q; the model has %s", graph.ErrNoSignature, opts.Signature, m.signature.Name))
	}
	m.model, err = dense.FromKeras(k, dense.Config{Threads: opts.Threads})
	return nativeError(path, err)
}

func (m *nativeModel) readGraph(path string, opts *Options) error {
	g, err := ReadGraph(path, opts.Tags...)
	if err != nil {
		return err
	}
	if g.Checkpoint != nil && g.Variables == nil {
		if err := savedmodel.ReadVariables(g); err != nil {
			return err
		}
	}
	sig, err := g.Signature(opts.Signature)
	if err != nil {
		return nativeError(path, err)
	}
	m.signature = *sig
	if g, m.classes, err = dense.SplitClasses(g, sig); err == nil {
		m.model, err = dense.FromGraph(g, sig.Name, dense.Config{Threads: opts.Threads})
	}
	if err == nil && m.classes != nil {
		err = m.classes.Check(m.model.OutputWidth())
	}
	return nativeError(path, err)
}

func nativeError(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: native engine: %w", path, err)
}

// kerasSignature is the signature that keras.Model.Graph gives a model.
func kerasSignature(k *keras.Model) graph.Signature {
	sig := graph.Signature{Name: graph.DefaultSignature, Method: "tensorflow/serving/predict"}
	for _, e := range k.Inputs {
		sig.Inputs = append(sig.Inputs, graph.Port{Name: e.Name, DType: e.DType, Shape: e.Shape})
	}
	for _, e := range k.Outputs {
		sig.Outputs = append(sig.Outputs, graph.Port{Name: e.Name, DType: e.DType, Shape: e.Shape})
	}
	return sig
}

// Signatures implements Model.
func (m *nativeModel) Signatures() []Signature { return []Signature{m.signature} }

// Call implements Model.
func (m *nativeModel) Call(ctx context.Context, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return m.CallSignature(ctx, m.signature.Name, inputs)
}

// CallSignature implements Model.
func (m *nativeModel) CallSignature(ctx context.Context, signature string, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if signature != m.signature.Name {
		return nil, fmt.Errorf("%w: %s; the native engine has loaded: %s", graph.ErrNoSignature, signature, m.signature.Name)
	}
	in := m.signature.Inputs[0]
	x := inputs[in.Name]
	if x == nil || len(inputs) != 1 {
		names := make([]string, 0, len(inputs))
		for name := range inputs {
			names = append(names, name)
		}
		return nil, fmt.Errorf("signature %s takes the input %s (%v %v), not %q", signature, in.Name, in.DType, in.Shape, strings.Join(names, ", "))
	}
	y, err := m.predict(ctx, x)
	if err != nil {
		return nil, err
	}
	outputs := map[string]*tensor.Tensor{m.output.Name: y}
	if m.classes != nil {
		err = m.classes.Add(outputs, m.output.Name)
	}
	return outputs, err
}

// Predict implements Model.
func (m *nativeModel) Predict(ctx context.Context, x *tensor.Tensor) (*tensor.Tensor, error) {
	if m.classes != nil {
		return nil, fmt.Errorf("signature %s: Predict needs one input and one output; the outputs are %s and %s: use Call",
			m.signature.Name, m.signature.Outputs[0].Name, m.signature.Outputs[1].Name)
	}
	return m.predict(ctx, x)
}

func (m *nativeModel) predict(ctx context.Context, x *tensor.Tensor) (*tensor.Tensor, error) {
	if ctx == nil {
		return nil, errors.New("the context is nil; context.Background() never ends")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := m.signature.Inputs[0]
	if x == nil || x.DType() != in.DType {
		return nil, fmt.Errorf("input %s: %w: it is %v, %v is needed", in.Name, tensor.ErrDType, x.DType(), in.DType)
	}
	if !in.Shape.Accepts(x.Shape()) {
		return nil, fmt.Errorf("input %s: %w: it is %v, %v is needed", in.Name, tensor.ErrShape, x.Shape(), in.Shape)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.model == nil {
		return nil, dense.ErrClosed
	}
	x, err := x.Cast(tensor.Float32)
	if err != nil {
		return nil, err
	}
	y, err := m.model.Predict(x)
	if err != nil || m.output.DType == tensor.Invalid || m.output.DType == tensor.Float32 {
		return y, err
	}
	return y.Cast(m.output.DType)
}

// Close implements Model.
func (m *nativeModel) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.model == nil {
		return nil
	}
	err := m.model.Close()
	m.model = nil
	return err
}
