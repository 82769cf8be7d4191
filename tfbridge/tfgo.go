//go:build cgo && tfgo

package tfbridge

import (
	"context"
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"

	"github.com/cambium-go/cambium/graph"
)

// Tfgo returns tfgo's model that a SavedModel directory was loaded into. It shares its variables with m, and Close closes both.
//
// The error wraps ErrClosed, or graph.ErrUnsupported where the model is not a SavedModel directory or its variables were
// changed before it was loaded.
func Tfgo(m *Model) (*tg.Model, error) {
	e := m.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.session == nil:
		return nil, ErrClosed
	case e.session.model == nil:
		return nil, fmt.Errorf("%w: tfgo loads SavedModel directories only", graph.ErrUnsupported)
	}
	return e.session.model, nil
}

// FromTfgo makes a model of a graph that was built with tfgo. Its one signature, serving_default, has the inputs
// (placeholders) and outputs as they are named here. The root is finalized: no op can be added to it afterwards.
func FromTfgo(ctx context.Context, root *op.Scope, inputs, outputs map[string]tf.Output, opts Options) (*Model, error) {
	return fromScope(ctx, root, inputs, outputs, opts)
}
