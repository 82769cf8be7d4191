//go:build cgo

package tfbridge

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// fromScope makes a model of a graph that was built with the binding.
func fromScope(ctx context.Context, root *binding.Scope, inputs, outputs map[string]binding.Output, opts Options) (*Model, error) {
	built, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	var data bytes.Buffer
	if _, err := built.WriteTo(&data); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	def := &tfproto.GraphDef{}
	if err := proto.Unmarshal(data.Bytes(), def); err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	sig := graph.Signature{Name: graph.DefaultSignature, Method: "tensorflow/serving/predict"}
	if sig.Inputs, err = scopePorts(inputs); err != nil {
		return nil, err
	}
	if sig.Outputs, err = scopePorts(outputs); err != nil {
		return nil, err
	}
	return New(ctx, &graph.Graph{Def: def, Signatures: []graph.Signature{sig}}, opts)
}

func scopePorts(outputs map[string]binding.Output) ([]graph.Port, error) {
	var ports []graph.Port
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := outputs[name]
		if o.Op == nil || o.Index < 0 || o.Index >= o.Op.NumOutputs() {
			return nil, fmt.Errorf("%w: %q is no output of an operation", ErrName, name)
		}
		p := graph.Port{Name: name, DType: elementType(uint32(o.DataType())), Tensor: fmt.Sprintf("%s:%d", o.Op.Name(), o.Index)}
		if dims, err := o.Shape().ToSlice(); err == nil {
			p.Shape = make(tensor.Shape, len(dims))
			for i, d := range dims {
				p.Shape[i] = int(d)
			}
		}
		ports = append(ports, p)
	}
	return ports, nil
}
