package tfbridge

import (
	"context"
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Model is a graph that is ready to be called. It is safe for concurrent use.
type Model struct {
	engine *engine
}

// New makes a graph ready: it imports it, restores or sets its variables and runs its init op. The context ends the wait for
// it. Errors wrap graph.ErrNoSignature, ErrOptions, ErrCheckpoint, ErrTensorFlow or ErrNotBuilt.
func New(ctx context.Context, g *graph.Graph, opts Options) (*Model, error) {
	e, err := newEngine(ctx, g, opts)
	if err != nil {
		return nil, err
	}
	return &Model{engine: e}, nil
}

// Signatures returns the ways to call the model, sorted by name; the caller must not change them.
func (m *Model) Signatures() []graph.Signature { return m.engine.signatures() }

// Signature returns the signature that Call and Predict use: the one of Options.Signature, else the only one, else
// serving_default. It is the zero Signature if the model has none that can be chosen so.
func (m *Model) Signature() graph.Signature { return m.engine.signature() }

// Call runs the model's signature on inputs by the names of its ports and returns its outputs by theirs.
// Optional inputs may be left out.
func (m *Model) Call(ctx context.Context, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return m.engine.call(ctx, "", inputs)
}

// CallSignature is Call with the signature of the given name.
func (m *Model) CallSignature(ctx context.Context, name string, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return m.engine.call(ctx, name, inputs)
}

// Predict runs a signature that has one input, besides optional ones, and one output.
func (m *Model) Predict(ctx context.Context, x *tensor.Tensor) (*tensor.Tensor, error) {
	return m.engine.predict(ctx, x, nil)
}

// PredictInto is Predict that puts the output into y, which must have the output's element type and shape: nothing of its size
// is allocated. After an error, what y holds is not settled.
func (m *Model) PredictInto(ctx context.Context, x, y *tensor.Tensor) error {
	if y == nil {
		return fmt.Errorf("%w: there is no tensor for the output", ErrInput)
	}
	_, err := m.engine.predict(ctx, x, y)
	return err
}

// Fetch computes tensors of the graph, "node:0" or the names of the signature's outputs, from fed ones, "node:0" or the
// names of the signature's inputs. A node's name alone means its first output; a node without outputs is run and gives
// nothing. The result's keys are the names as they were asked for.
func (m *Model) Fetch(ctx context.Context, feeds map[string]*tensor.Tensor, fetches []string) (map[string]*tensor.Tensor, error) {
	return m.engine.fetch(ctx, feeds, fetches)
}

// Close waits for calls that are running and frees what the model holds. Calls that wait or come later return ErrClosed.
// Closing again does nothing.
func (m *Model) Close() error { return m.engine.close() }
