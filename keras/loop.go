package keras

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// variant is TensorFlow's DT_VARIANT, the type of a TensorList's handle.
const variant = tensor.DType(21)

// loop is a While node and the two functions that it calls.
type loop struct {
	node       string
	cond, body *tfproto.FunctionDef
}

// whileLoop adds TensorFlow 2's While: body is called on vars as long as cond holds, and returns their next values. What
// the functions need from outside must be among vars. Both are built in graphs of their own.
func (w *walk) whileLoop(e *emitter, vars []Value, cond func(e *emitter, vars []Value) Value, body func(e *emitter, vars []Value) []Value) []Value {
	name := e.scope + "/while"
	types := make([]tensor.DType, len(vars))
	for i, v := range vars {
		types[i] = v.DType
	}
	first := e.op("While", vars, graph.Attrs{"T": types, "parallel_iterations": 32}, types[0], vars[0].Shape)
	l := loop{node: string(first.Ref)}
	l.cond = functionOf(string(first.Ref)+"_cond", name, vars, func(e *emitter, v []Value) []Value { return []Value{cond(e, v)} })
	l.body = functionOf(string(first.Ref)+"_body", name, vars, func(e *emitter, v []Value) []Value {
		next := body(e, v)
		for i := range next {
			if next[i].DType != v[i].DType {
				fail(ErrFormat, "loop variable %d changes from %v to %v", i, v[i].DType, next[i].DType)
			}
		}
		return next
	})
	w.loops = append(w.loops, l)
	out := make([]Value, len(vars))
	for i, v := range vars {
		out[i] = first.output(i, v.DType, v.Shape)
	}
	return out
}

// functionOf builds a function of arguments arg0, arg1 … with results ret0, ret1 … .
func functionOf(name, scope string, args []Value, build func(e *emitter, args []Value) []Value) *tfproto.FunctionDef {
	name = strings.ReplaceAll(name, "/", "_")
	f := &tfproto.FunctionDef{Signature: &tfproto.OpDef{Name: name}, Ret: map[string]string{}}
	in := make([]Value, len(args))
	for i, a := range args {
		arg := "arg" + strconv.Itoa(i)
		in[i] = Value{Ref: graph.Ref(arg), DType: a.DType, Shape: a.Shape}
		f.Signature.InputArg = append(f.Signature.InputArg, &tfproto.OpDef_ArgDef{Name: arg, Type: tfproto.DataType(a.DType)})
	}
	b := graph.NewBuilder()
	out := build(&emitter{b, scope}, in)
	g, err := b.Finish()
	check(err)
	ops := map[string]string{}
	for _, n := range g.Def.Node {
		ops[n.Name] = n.Op
	}
	for _, n := range g.Def.Node {
		for i, s := range n.Input {
			n.Input[i] = functionInput(s, ops)
		}
	}
	f.NodeDef = g.Def.Node
	for i, v := range out {
		ret := "ret" + strconv.Itoa(i)
		f.Signature.OutputArg = append(f.Signature.OutputArg, &tfproto.OpDef_ArgDef{Name: ret, Type: tfproto.DataType(v.DType)})
		f.Ret[ret] = functionInput(string(v.Ref), ops)
	}
	return f
}

// functionInput writes an input as functions do, with the name of the op's output: "node:z:0".
func functionInput(s string, ops map[string]string) string {
	name, index, _ := strings.Cut(s, ":")
	op, ok := ops[name]
	if !ok || strings.HasPrefix(s, "^") {
		return s // an argument
	}
	if index == "" {
		index = "0"
	}
	if op == "TopKV2" {
		return name + map[string]string{"0": ":values:0", "1": ":indices:0"}[index]
	}
	out, ok := outputNames[op]
	if !ok {
		out = "y"
	}
	return name + ":" + out + ":" + index
}

// outputNames gives the name of the output of ops whose output is not called y.
var outputNames = map[string]string{
	"Const": "output", "AddV2": "z", "Sub": "z", "Mul": "z", "RealDiv": "z", "Maximum": "z", "Minimum": "z", "Less": "z", "LessEqual": "z",
	"Greater": "z", "LogicalAnd": "z", "LogicalOr": "z", "NotEqual": "z", "MatMul": "product", "BatchMatMulV2": "output", "BiasAdd": "output",
	"Relu": "activations", "Relu6": "activations", "Elu": "activations", "Selu": "activations", "Softplus": "activations",
	"Softsign": "activations", "LeakyRelu": "activations", "Softmax": "softmax", "LogSoftmax": "logsoftmax", "Split": "output",
	"SelectV2": "output", "ExpandDims": "output", "Squeeze": "output", "Identity": "output", "GatherV2": "output", "TensorListGetItem": "item",
	"TensorListSetItem": "output_handle", "Reshape": "output", "ConcatV2": "output", "Conv2D": "output", "Conv3D": "output",
	"StridedSlice": "output", "Pack": "output", "Cumsum": "out", "Sum": "output", "Max": "output", "Mean": "output", "Fill": "output",
	"Shape": "output", "Pad": "output", "SpaceToBatchND": "output", "BatchToSpaceND": "output",
}

// link adds the functions of the loops to a finished graph and names them in its While nodes.
func (w *walk) link(g *graph.Graph) error {
	if len(w.loops) == 0 {
		return nil
	}
	nodes := map[string]*tfproto.NodeDef{}
	for _, n := range g.Def.Node {
		nodes[n.Name] = n
	}
	g.Def.Library = &tfproto.FunctionDefLibrary{}
	for _, l := range w.loops {
		n := nodes[l.node]
		if n == nil {
			return fmt.Errorf("%w: no node %s", graph.ErrMalformed, l.node)
		}
		for key, f := range map[string]*tfproto.FunctionDef{"cond": l.cond, "body": l.body} {
			n.Attr[key] = &tfproto.AttrValue{Value: &tfproto.AttrValue_Func{Func: &tfproto.NameAttrList{Name: f.Signature.Name}}}
		}
		n.Attr["output_shapes"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{}}}
		g.Def.Library.Function = append(g.Def.Library.Function, l.cond, l.body)
	}
	return nil
}
