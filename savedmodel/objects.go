package savedmodel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// The entry of a bundle that describes the objects whose values it holds, and the attribute that is a variable's value.
const (
	objectGraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH"
	variableValue  = "VARIABLE_VALUE"
)

// ownPrefix starts the names of what this package adds to a graph that it reads.
const ownPrefix = "cambium/"

// object is a variable as the saved object graph knows it, with the nodes that are handles of it.
type object struct {
	id       int32
	handles  []*tfproto.NodeDef // those that functions take
	restored bool               // by the saver, through one of the handles
	key      string             // in the checkpoint, of one that the saver leaves out
}

// restoreObjects makes the restore op of a graph restore the variables that functions take and the saver leaves out. A module that
// holds a model of Keras 3 is saved with two handles of each variable, one that the saver restores and one that the functions
// take; tf.saved_model.load never sees the difference, because it hands each function the object that the object graph binds to
// it. So does this: handle → object → key in the checkpoint. Variables that have the same shared name, by which TensorFlow 1
// would take them for one, get names of their own.
func (m *MetaGraph) restoreObjects(g *graph.Graph) error {
	objects := m.boundVariables(g)
	def := &tfproto.GraphDef{Node: slices.Clone(g.Def.Node), Library: g.Def.Library, Versions: g.Def.Versions} // that of the file stays
	changed := separate(def, objects)
	if err := m.findKeys(objects); err != nil {
		return err
	}
	objects = slices.DeleteFunc(objects, func(o object) bool { return o.key == "" })
	if len(objects) > 0 {
		g.Checkpoint = addRestore(def, g.Checkpoint, m.prefix(), objects)
	} else if !changed {
		return nil
	}
	g.Def = def
	g.Source = graph.Source{} // an engine that loads the directory by itself would miss all this
	return nil
}

// boundVariables returns the variables that the calls of the graph hand to functions.
func (m *MetaGraph) boundVariables(g *graph.Graph) []object {
	functions := m.Def.GetObjectGraphDef().GetConcreteFunctions()
	if len(functions) == 0 {
		return nil
	}
	nodes := make(map[string]*tfproto.NodeDef, len(g.Def.GetNode()))
	for _, n := range g.Def.GetNode() {
		nodes[n.GetName()] = n
	}
	restored := restoredHandles(g, nodes)
	var objects []object
	index, seen := map[int32]int{}, map[string]bool{}
	for _, n := range g.Def.GetNode() {
		bound := functions[cmp.Or(n.GetAttr()["f"].GetFunc().GetName(), n.GetOp())].GetBoundInputs()
		for i, handle := range boundInputs(n, nodes, len(bound)) {
			if handle.GetOp() != "VarHandleOp" || seen[handle.GetName()] {
				continue
			}
			seen[handle.GetName()] = true
			k, ok := index[bound[i]]
			if !ok {
				k = len(objects)
				index[bound[i]], objects = k, append(objects, object{id: bound[i]})
			}
			objects[k].handles = append(objects[k].handles, handle)
			objects[k].restored = objects[k].restored || restored[handle.GetName()]
		}
	}
	return objects
}

// boundInputs returns the nodes of the last inputs of a call, which are what its function is bound to.
func boundInputs(call *tfproto.NodeDef, nodes map[string]*tfproto.NodeDef, count int) []*tfproto.NodeDef {
	data := slices.DeleteFunc(slices.Clone(call.GetInput()), func(in string) bool { return in[:min(1, len(in))] == "^" })
	if count > len(data) {
		return nil
	}
	r := make([]*tfproto.NodeDef, count)
	for i, in := range data[len(data)-count:] {
		r[i] = nodes[nodeName(in)]
	}
	return r
}

// restoredHandles returns the nodes that the restore op depends on.
func restoredHandles(g *graph.Graph, nodes map[string]*tfproto.NodeDef) map[string]bool {
	seen := map[string]bool{}
	if g.Checkpoint == nil {
		return seen
	}
	for stack := []string{g.Checkpoint.RestoreOp}; len(stack) > 0; {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, in := range nodes[name].GetInput() {
			stack = append(stack, nodeName(in))
		}
	}
	return seen
}

// findKeys finds the keys of the variables that the saver leaves out. Those without one get their values from the init op, or never.
func (m *MetaGraph) findKeys(objects []object) error {
	if !slices.ContainsFunc(objects, func(o object) bool { return !o.restored }) {
		return nil
	}
	bundle, err := OpenBundle(m.prefix())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	keys, err := m.objectKeys(bundle)
	for i := range objects {
		if !objects[i].restored {
			objects[i].key = keys[objects[i].id]
		}
	}
	return err
}

// objectKeys returns the keys in the checkpoint of the objects of the saved object graph. The two number their objects by
// themselves: an object is found by the names that lead to it.
func (m *MetaGraph) objectKeys(bundle *Bundle) (map[int32]string, error) {
	t, err := bundle.Read(objectGraphKey)
	if errors.Is(err, ErrNoKey) {
		return nil, nil // a checkpoint of TensorFlow 1
	} else if err != nil {
		return nil, err
	}
	text, err := tensor.Data[string](t)
	if err != nil || len(text) != 1 {
		return nil, fmt.Errorf("%w: %s is %v, not one string", ErrMalformed, objectGraphKey, t)
	}
	saved := &tfproto.TrackableObjectGraph{}
	if err := proto.Unmarshal([]byte(text[0]), saved); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, objectGraphKey, err)
	}
	nodes, savedNodes := m.Def.GetObjectGraphDef().GetNodes(), saved.GetNodes()
	keys, seen := map[int32]string{}, map[int32]bool{}
	for queue := [][2]int32{{0, 0}}; len(queue) > 0; queue = queue[1:] {
		id, savedID := queue[0][0], queue[0][1]
		if seen[id] || id < 0 || savedID < 0 || int(id) >= len(nodes) || int(savedID) >= len(savedNodes) {
			continue
		}
		seen[id] = true
		for _, a := range savedNodes[savedID].GetAttributes() {
			if a.GetName() == variableValue {
				keys[id] = a.GetCheckpointKey()
			}
		}
		children := map[string]int32{}
		for _, c := range savedNodes[savedID].GetChildren() {
			children[c.GetLocalName()] = c.GetNodeId()
		}
		for _, c := range nodes[id].GetChildren() {
			if savedChild, ok := children[c.GetLocalName()]; ok {
				queue = append(queue, [2]int32{c.GetNodeId(), savedChild})
			}
		}
	}
	return keys, nil
}

// separate gives variables names of their own where nodes of other variables have the same shared name. It reports whether there
// were any.
func separate(def *tfproto.GraphDef, objects []object) bool {
	named := map[string]int{}
	for _, n := range def.GetNode() {
		if n.GetOp() == "VarHandleOp" {
			named[shared(n)]++
		}
	}
	changed := false
	for i := range objects {
		handles := objects[i].handles
		own := map[string]int{}
		for _, n := range handles {
			own[shared(n)]++
		}
		if name := shared(handles[0]); len(own) == 1 && own[name] == named[name] {
			continue
		}
		changed = true
		for k, n := range handles {
			renamed := &tfproto.NodeDef{Name: n.Name, Op: n.Op, Input: n.Input, Device: n.Device, Attr: maps.Clone(n.Attr)}
			renamed.Attr["shared_name"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(ownPrefix + handles[0].GetName())}}
			def.Node[slices.Index(def.Node, n)] = renamed
			handles[k] = renamed
		}
	}
	return changed
}

func shared(n *tfproto.NodeDef) string { return string(n.GetAttr()["shared_name"].GetS()) }

// addRestore adds the nodes that restore variables by their keys, after those that the graph restores already.
func addRestore(def *tfproto.GraphDef, after *graph.Checkpoint, prefix string, objects []object) *graph.Checkpoint {
	a := newAdder(def)
	c := &graph.Checkpoint{Prefix: prefix}
	var all []string
	if after != nil {
		c.FilenameTensor, all = after.FilenameTensor, []string{"^" + after.RestoreOp}
	} else {
		c.FilenameTensor = a.add("Placeholder", ownPrefix+"filename", nil, map[string]*tfproto.AttrValue{"dtype": typeAttr(tensor.String)}) + ":0"
	}
	keys, types := make([]string, len(objects)), make([]tfproto.DataType, len(objects))
	for i, o := range objects {
		keys[i], types[i] = o.key, o.handles[0].GetAttr()["dtype"].GetType()
	}
	restore := a.add("RestoreV2", ownPrefix+"RestoreV2", []string{
		c.FilenameTensor,
		a.constant(ownPrefix+"tensor_names", tensor.Must(tensor.Of(keys))),
		a.constant(ownPrefix+"shape_and_slices", tensor.Must(tensor.Of(make([]string, len(keys))))),
	}, map[string]*tfproto.AttrValue{"dtypes": typesAttr(types)})
	for i, o := range objects {
		all = append(all, "^"+a.assign(ownPrefix+"Assign", o.handles[0], fmt.Sprintf("%s:%d", restore, i)))
	}
	c.RestoreOp = a.add("NoOp", ownPrefix+"restore_all", all, map[string]*tfproto.AttrValue{})
	return c
}

// Functions returns the functions of the saved objects that have a trace and so could be called in Python, by the names that lead
// to them: "f", "encoder.__call__". Those of names that start with one underscore, and the signatures, are left out.
func (m *MetaGraph) Functions() []string {
	type step struct {
		id   int32
		path string
	}
	nodes := m.Def.GetObjectGraphDef().GetNodes()
	functions, seen := []string{}, map[int32]bool{}
	for queue := []step{{}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at.id] || at.id < 0 || int(at.id) >= len(nodes) {
			continue
		}
		seen[at.id] = true
		if len(nodes[at.id].GetFunction().GetConcreteFunctions()) > 0 {
			functions = append(functions, at.path)
		}
		for _, c := range nodes[at.id].GetChildren() {
			name := c.GetLocalName()
			if hidden := strings.HasPrefix(name, "_") && !strings.HasPrefix(name, "__"); hidden || at.id == 0 && name == "signatures" {
				continue
			}
			queue = append(queue, step{c.GetNodeId(), strings.TrimPrefix(at.path+"."+name, ".")})
		}
	}
	slices.Sort(functions)
	return functions
}
