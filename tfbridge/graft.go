//go:build cgo && !tfgo

package tfbridge

import (
	"context"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// FromGraft makes a model of a graph that was built with graft's package op. Its one signature, serving_default, has the
// inputs (placeholders) and outputs as they are named here. The scope is finalized: no op can be added to it afterwards.
func FromGraft(ctx context.Context, root *op.Scope, inputs, outputs map[string]tf.Output, opts Options) (*Model, error) {
	return fromScope(ctx, root, inputs, outputs, opts)
}
