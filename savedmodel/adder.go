package savedmodel

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// adder adds nodes to a graph, under names that are free.
type adder struct {
	graphDef *tfproto.GraphDef
	names    map[string]bool
}

func newAdder(def *tfproto.GraphDef) adder {
	a := adder{graphDef: def, names: make(map[string]bool, len(def.GetNode()))}
	for _, n := range def.GetNode() {
		a.names[n.GetName()] = true
	}
	return a
}

// add adds a node and returns its name.
func (a adder) add(op, name string, inputs []string, attrs map[string]*tfproto.AttrValue) string {
	n := &tfproto.NodeDef{Name: a.free(name), Op: op, Input: inputs, Attr: attrs}
	a.graphDef.Node = append(a.graphDef.Node, n)
	return n.Name
}

// free returns a name that no node has, and takes it.
func (a adder) free(name string) string {
	free := name
	for i := 1; a.names[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	a.names[free] = true
	return free
}

func (a adder) constant(name string, t *tensor.Tensor) string {
	p, _ := graph.TensorProto(t) // it fails for no tensor that exists
	return a.add("Const", name, nil, map[string]*tfproto.AttrValue{"dtype": typeAttr(t.DType()), "value": {Value: &tfproto.AttrValue_Tensor{Tensor: p}}})
}

// assign adds the node that gives a variable a value.
func (a adder) assign(name string, variable *tfproto.NodeDef, value string) string {
	op, attr := "Assign", "T"
	if variable.GetOp() == "VarHandleOp" {
		op, attr = "AssignVariableOp", "dtype"
	}
	return a.add(op, name, []string{variable.GetName(), value}, map[string]*tfproto.AttrValue{attr: variable.GetAttr()["dtype"]})
}

func typeAttr(d tensor.DType) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(d)}}
}

func typesAttr(types []tfproto.DataType) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{Type: types}}}
}
