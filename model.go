package cambium

import (
	"context"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Signature is one way to call a model: named inputs and outputs with their element types and shapes.
type Signature = graph.Signature

// Model is a loaded model, ready to be called, whichever engine runs it. It is safe for concurrent use.
type Model interface {
	// Signatures returns every signature of the model, sorted by name.
	Signatures() []Signature

	// Call runs the model's signature: the one that Options named, else the only one, else serving_default. The keys are
	// the signature's input and output names. Optional inputs, which have a default, may be left out.
	Call(ctx context.Context, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error)

	// CallSignature runs the named signature. Signatures of one model share its variables.
	CallSignature(ctx context.Context, signature string, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error)

	// Predict runs a signature that has one input, besides optional ones, and one output.
	Predict(ctx context.Context, x *tensor.Tensor) (*tensor.Tensor, error)

	// Close waits for the calls under way and frees the model. Calls after it fail; closing twice is no error.
	Close() error
}

// Fetcher is a Model whose graph can be fed and fetched at any node by name, as the TensorFlow engine's can.
type Fetcher interface {
	Model

	// Fetch feeds the tensors named by the keys and returns those named by fetches. A name is a signature's input or
	// output, or a tensor of the graph: "node:0".
	Fetch(ctx context.Context, feeds map[string]*tensor.Tensor, fetches []string) (map[string]*tensor.Tensor, error)
}
