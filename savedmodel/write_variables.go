package savedmodel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// variable is one to be saved: the nodes that stand for it share its name.
type variable struct {
	node  *tfproto.NodeDef
	key   string // in the checkpoint
	value *tensor.Tensor
	read  string // the node that yields its value
}

// variables enters the values, the nodes that save and restore them, and the collections that list them.
func (w *writer) variables() error {
	vars, err := w.collect()
	if err != nil || len(vars) == 0 {
		return err
	}
	w.reads(vars)
	w.saver(vars)
	return nil
}

// collect gives the nodes of variables their shared names, and returns each variable once.
func (w *writer) collect() ([]*variable, error) {
	var vars []*variable
	known := map[string]*variable{}
	for i, n := range w.def.GraphDef.Node {
		if !graph.IsVariable(n.GetOp()) {
			continue
		}
		shared := cmp.Or(string(n.GetAttr()["shared_name"].GetS()), n.GetName())
		renamed := &tfproto.NodeDef{Name: n.Name, Op: n.Op, Input: n.Input, Device: n.Device, Attr: maps.Clone(n.Attr)}
		renamed.Attr["shared_name"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(w.opts.Prefix + shared)}}
		w.def.GraphDef.Node[i] = renamed
		if known[shared] == nil {
			known[shared] = &variable{node: renamed, key: w.key(n.Name)}
			vars = append(vars, known[shared])
		}
		if v := w.graph.Variables[n.Name]; v != nil {
			known[shared].value = v
		}
	}
	filled := w.filledByInit()
	vars = slices.DeleteFunc(vars, func(v *variable) bool { return v.value == nil && filled[v.node.Name] })
	for _, v := range vars {
		if v.value == nil {
			return nil, fmt.Errorf("%w: variable %s has no value", ErrNoVariables, v.node.Name)
		}
		if d := graph.DTypeOf(v.node.Attr["dtype"].GetType()); d != v.value.DType() {
			return nil, fmt.Errorf("%w: variable %s is %v, its value %v", ErrMalformed, v.node.Name, d, v.value)
		}
		if s := graph.ShapeOf(v.node.Attr["shape"].GetShape()); !s.Accepts(v.value.Shape()) {
			return nil, fmt.Errorf("%w: variable %s is %v, its value %v", ErrMalformed, v.node.Name, s, v.value)
		}
		w.values[v.key] = v.value
	}
	return vars, nil
}

// filledByInit returns the variables that an op assigns a value to while nothing but the init op can be meant: no signature
// and no checkpoint gives them one.
func (w *writer) filledByInit() map[string]bool {
	filled := map[string]bool{}
	for _, n := range w.def.GraphDef.Node {
		if (n.GetOp() == "AssignVariableOp" || n.GetOp() == "Assign") && len(n.GetInput()) > 0 && w.graph.Init.Op != "" {
			filled[nodeName(n.GetInput()[0])] = true
		}
	}
	return filled
}

// key returns a name that the checkpoint does not have yet.
func (w *writer) key(name string) string {
	for w.values[name] != nil {
		name += "_"
	}
	return name
}

// reads finds or adds a node that reads each variable.
func (w *writer) reads(vars []*variable) {
	handles, refs := map[string]string{}, map[string]string{}
	for _, n := range w.def.GraphDef.Node {
		if len(n.GetInput()) != 1 {
			continue
		}
		switch n.GetOp() {
		case "ReadVariableOp":
			handles[n.Input[0]] = n.Name
		case "Identity":
			refs[n.Input[0]] = n.Name
		}
	}
	for _, v := range vars {
		name := v.node.Name
		if v.node.Op != "VarHandleOp" {
			v.read = cmp.Or(refs[name], name)
		} else if v.read = handles[name]; v.read == "" {
			v.read = w.add("ReadVariableOp", name+"/Read/ReadVariableOp", []string{name}, map[string]*tfproto.AttrValue{"dtype": v.node.Attr["dtype"]})
		}
	}
}

// saver adds the nodes of a Saver as TensorFlow 1 writes them, and the collections of variables:
//
//	save/filename ─▶ RestoreV2 ─▶ one Assign for each variable ─▶ save/restore_all
//	             └─▶ SaveV2 (of what reads each variable) ─▶ save/saved
func (w *writer) saver(vars []*variable) {
	keys, slicesOf, reads, types := make([]string, len(vars)), make([]string, len(vars)), make([]string, len(vars)), make([]tfproto.DataType, len(vars))
	for i, v := range vars {
		keys[i], reads[i], types[i] = v.key, v.read, v.node.Attr["dtype"].GetType()
	}
	name := w.constant("save/filename/input", tensor.Scalar("model"))
	filename := w.add("PlaceholderWithDefault", "save/filename", []string{name}, map[string]*tfproto.AttrValue{
		"dtype": typeAttr(tensor.String), "shape": {Value: &tfproto.AttrValue_Shape{Shape: &tfproto.TensorShapeProto{}}},
	})
	tensors := []string{filename, w.constant("save/tensor_names", tensor.Must(tensor.Of(keys))), w.constant("save/shape_and_slices", tensor.Must(tensor.Of(slicesOf)))}
	dtypes := map[string]*tfproto.AttrValue{"dtypes": typesAttr(types)}
	save := w.add("SaveV2", "save/SaveV2", slices.Concat(tensors, reads), dtypes)
	saved := w.add("Identity", "save/saved", []string{filename, "^" + save}, map[string]*tfproto.AttrValue{"T": typeAttr(tensor.String)})
	restore := w.add("RestoreV2", "save/RestoreV2", tensors, dtypes)
	all := make([]string, len(vars))
	for i, v := range vars {
		value := fmt.Sprintf("%s:%d", restore, i)
		all[i] = "^" + w.assign("save/Assign", v.node, value)
		w.list(v, all[i][1:], value)
	}
	w.def.SaverDef = &tfproto.SaverDef{
		FilenameTensorName: filename + ":0", SaveTensorName: saved + ":0", Version: tfproto.SaverV2,
		RestoreOpName: w.add("NoOp", "save/restore_all", all, map[string]*tfproto.AttrValue{}),
	}
}

// list enters a variable in the collections by which Python finds variables. Its initial value is the saved one.
func (w *writer) list(v *variable, initializer, value string) {
	trainable := w.opts.Trainable != nil && w.opts.Trainable(v.node.Name)
	data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(&tfproto.VariableDef{ // strings and bools: it cannot fail
		VariableName: v.node.Name + ":0", InitializerName: initializer, InitialValueName: value, SnapshotName: v.read + ":0",
		IsResource: v.node.Op == "VarHandleOp", Trainable: trainable,
	})
	collections := []string{"variables"}
	if trainable {
		collections = append(collections, "trainable_variables")
	}
	for _, c := range collections {
		if w.def.CollectionDef[c] == nil {
			w.def.CollectionDef[c] = &tfproto.CollectionDef{Kind: &tfproto.CollectionDef_BytesList_{BytesList: &tfproto.CollectionDef_BytesList{}}}
		}
		list := w.def.CollectionDef[c].GetBytesList()
		list.Value = append(list.Value, data)
	}
}
