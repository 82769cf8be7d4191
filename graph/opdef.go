package graph

import (
	"bytes"
	"compress/gzip"
	_ "embed" // opdefs.pb.gz
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

//go:embed opdefs.pb.gz
var opdefs []byte // written by scripts/record_opdefs.py

// registry holds the ops of TensorFlow 2.18 by name.
var registry = sync.OnceValue(func() map[string]*tfproto.OpDef {
	list := &tfproto.OpList{}
	r, err := gzip.NewReader(bytes.NewReader(opdefs))
	if err == nil {
		var data []byte
		if data, err = io.ReadAll(r); err == nil {
			err = proto.Unmarshal(data, list)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("graph: the embedded opdefs.pb.gz is damaged: %v", err))
	}
	return opsByName(list)
})

func opsByName(list *tfproto.OpList) map[string]*tfproto.OpDef {
	m := make(map[string]*tfproto.OpDef, len(list.GetOp()))
	for _, o := range list.GetOp() {
		m[o.GetName()] = o
	}
	return m
}

// definitions looks up what a graph's nodes are: its functions, the ops its file defines, TensorFlow's own.
type definitions struct {
	functions map[string]*tfproto.FunctionDef
	file      map[string]*tfproto.OpDef
}

func (g *Graph) definitions() definitions {
	return definitions{functions: functionsByName(g.Def), file: opsByName(g.Ops)}
}

func functionsByName(def *tfproto.GraphDef) map[string]*tfproto.FunctionDef {
	m := map[string]*tfproto.FunctionDef{}
	for _, f := range def.GetLibrary().GetFunction() {
		m[f.GetSignature().GetName()] = f
	}
	return m
}

// op returns the definition of an op or function; nil if nothing defines it.
func (d definitions) op(name string) *tfproto.OpDef {
	if f := d.functions[name]; f != nil {
		return f.GetSignature()
	}
	if o := d.file[name]; o != nil {
		return o
	}
	return registry()[name]
}

// attr returns an attribute of n, or its default.
func attr(n *tfproto.NodeDef, def *tfproto.OpDef, name string) *tfproto.AttrValue {
	if a := n.Attr[name]; a != nil {
		return a
	}
	for _, a := range def.GetAttr() {
		if a.Name == name {
			return a.DefaultValue
		}
	}
	return nil
}

// argCount returns how many tensors an argument of n stands for: one, or those of a list.
func argCount(n *tfproto.NodeDef, def *tfproto.OpDef, arg *tfproto.OpDef_ArgDef) (int, error) {
	count := int64(1)
	switch {
	case arg.TypeListAttr != "":
		count = int64(len(attr(n, def, arg.TypeListAttr).GetList().GetType()))
	case arg.NumberAttr != "":
		count = attr(n, def, arg.NumberAttr).GetI()
	}
	if count < 0 || count > maxOutputs {
		return 0, fmt.Errorf("%w: node %s (%s): argument %s is a list of %d", ErrMalformed, n.Name, n.Op, arg.Name, count)
	}
	return int(count), nil
}

// argTypes returns the element types of the tensors that an argument of n stands for.
func argTypes(n *tfproto.NodeDef, def *tfproto.OpDef, arg *tfproto.OpDef_ArgDef) ([]tensor.DType, error) {
	count, err := argCount(n, def, arg)
	if err != nil {
		return nil, err
	}
	t := DTypeOf(arg.Type)
	if arg.TypeAttr != "" {
		t = DTypeOf(attr(n, def, arg.TypeAttr).GetType())
	}
	r := make([]tensor.DType, count)
	for i := range r {
		if r[i] = t; arg.TypeListAttr != "" {
			r[i] = DTypeOf(attr(n, def, arg.TypeListAttr).GetList().Type[i])
		}
	}
	return r, nil
}

// outputs returns the element type of each output of n. An op that nothing defines is an error that wraps ErrUnsupported.
func (d definitions) outputs(n *tfproto.NodeDef) ([]tensor.DType, error) {
	def := d.op(n.Op)
	if def == nil {
		return nil, fmt.Errorf("%w: node %s: neither the file nor TensorFlow defines the op %s", ErrUnsupported, n.Name, n.Op)
	}
	var out []tensor.DType
	for _, arg := range def.OutputArg {
		t, err := argTypes(n, def, arg)
		if err != nil {
			return nil, err
		}
		out = append(out, t...)
	}
	return out, nil
}

// OpsUsed returns the definitions of the ops that the graph and its functions use, sorted by name: what a SavedModel keeps as
// its stripped_op_list. Functions are not ops; an op that nothing defines is an error that wraps ErrUnsupported.
func OpsUsed(g *Graph) (*tfproto.OpList, error) {
	d := g.definitions()
	used := map[string]*tfproto.OpDef{}
	look := func(nodes []*tfproto.NodeDef) error {
		for _, n := range nodes {
			if d.functions[n.GetOp()] != nil || used[n.GetOp()] != nil {
				continue
			}
			if used[n.GetOp()] = d.op(n.GetOp()); used[n.GetOp()] == nil {
				return fmt.Errorf("%w: node %s: neither the file nor TensorFlow defines the op %s", ErrUnsupported, n.GetName(), n.GetOp())
			}
		}
		return nil
	}
	if err := look(g.Def.GetNode()); err != nil {
		return nil, err
	}
	for _, f := range g.Def.GetLibrary().GetFunction() {
		if err := look(f.GetNodeDef()); err != nil {
			return nil, err
		}
	}
	list := &tfproto.OpList{}
	for _, name := range sortedKeys(used) {
		list.Op = append(list.Op, used[name])
	}
	return list, nil
}
