//go:build !cgo

package tfbridge

import (
	"context"
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Available says whether TensorFlow is built into this program.
const Available = false

var errNotBuilt = fmt.Errorf("%w: build with CGO_ENABLED=1, a C compiler and libtensorflow (`go run github.com/cambium-go/cambium/scripts/libtensorflow install`)", ErrNotBuilt)

// Devices returns the hardware that TensorFlow can use.
func Devices() ([]Device, error) { return nil, errNotBuilt }

// Version returns TensorFlow's version, such as "2.18.1"; "" where it is not built in.
func Version() string { return "" }

type engine struct{}

func newEngine(context.Context, *graph.Graph, Options) (*engine, error) { return nil, errNotBuilt }

func (*engine) signatures() []graph.Signature { return nil }

func (*engine) signature() graph.Signature { return graph.Signature{} }

func (*engine) call(context.Context, string, map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return nil, errNotBuilt
}

func (*engine) predict(context.Context, *tensor.Tensor, *tensor.Tensor) (*tensor.Tensor, error) {
	return nil, errNotBuilt
}

func (*engine) fetch(context.Context, map[string]*tensor.Tensor, []string) (map[string]*tensor.Tensor, error) {
	return nil, errNotBuilt
}

func (*engine) close() error { return nil }
