package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// The bounds of what inlining may produce: functions that call each other grow exponentially.
const (
	maxCallDepth   = 200
	maxInlined     = 1_000_000 // nodes and inputs of nodes
	alwaysInlined  = 100_000   // so many are fine for the smallest file
	inlinedPerNode = 20        // and so many more for each node and input in the file
)

// Inline returns the graph with every function call replaced by the function's body: PartitionedCall,
// StatefulPartitionedCall and nodes whose op is a function, at every depth. While, If and the like keep their functions,
// whose bodies stay as they are; functions that nothing uses any more are dropped.
//
// Every node keeps its name, and the nodes of a body are named CALL/NODE. The call itself becomes an Identity (IdentityN, or
// NoOp without outputs) that also waits for the function's side effects, so that signatures, checkpoint and init op stay
// valid; other nodes refer to what is inside.
//
// A function that calls itself is an error that wraps ErrUnsupported. The given graph is not changed.
func Inline(g *Graph) (*Graph, error) {
	if _, err := index(g.Def); err != nil {
		return nil, err
	}
	in := &inliner{defs: g.definitions(), names: map[string]bool{}, data: map[string][]string{}, fed: map[string]bool{}, ends: map[string]string{}}
	in.limit = min(maxInlined, alwaysInlined+inlinedPerNode*size(g.Def))
	for _, n := range g.Def.Node {
		in.names[n.Name] = true
	}
	for _, t := range g.fedTensors() {
		if node, output, err := ParseTensor(t); err == nil {
			in.fed[tensorName(node, output)] = true
		}
	}
	for _, n := range g.Def.Node {
		if err := in.add(copyNode(n)); err != nil {
			return nil, err
		}
	}
	if err := in.connect(); err != nil {
		return nil, err
	}
	r := *g
	r.Def = &tfproto.GraphDef{Node: in.out, Versions: g.Def.Versions, Library: g.Def.Library}
	r.Def.Library = usedFunctions(r.Def)
	return &r, nil
}

type inliner struct {
	defs  definitions
	names map[string]bool
	out   []*tfproto.NodeDef
	data  map[string][]string // the tensors that the outputs of an inlined call are
	fed   map[string]bool     // tensors that are fed: whoever reads one must go on reading it
	ends  map[string]string   // what follow found
	stack []string            // the functions whose bodies are being expanded
	size  int
	limit int // of size
}

// size counts the nodes of the graph and its functions, and their inputs.
func size(def *tfproto.GraphDef) int {
	count := func(nodes []*tfproto.NodeDef) int {
		n := len(nodes)
		for _, x := range nodes {
			n += len(x.GetInput())
		}
		return n
	}
	n := count(def.GetNode())
	for _, f := range def.GetLibrary().GetFunction() {
		n += count(f.GetNodeDef())
	}
	return n
}

// copyNode returns a node whose inputs and attributes can be changed; the values of attributes are shared.
func copyNode(n *tfproto.NodeDef) *tfproto.NodeDef {
	c := &tfproto.NodeDef{Name: n.Name, Op: n.Op, Device: n.Device, Input: slices.Clone(n.Input), Attr: make(map[string]*tfproto.AttrValue, len(n.Attr))}
	for k, v := range n.Attr {
		if k != "_class" { // it may name nodes that go away or are renamed
			c.Attr[k] = v
		}
	}
	return c
}

// callee returns the function that n calls, and the values of its attributes; nil where n is no call.
func (d definitions) callee(n *tfproto.NodeDef) (*tfproto.FunctionDef, map[string]*tfproto.AttrValue) {
	switch n.Op {
	case "PartitionedCall", "StatefulPartitionedCall":
		f := n.Attr["f"].GetFunc()
		return d.functions[f.GetName()], f.GetAttr()
	default:
		return d.functions[n.Op], n.Attr
	}
}

// add emits a node of the graph, or what the function that it calls consists of.
func (in *inliner) add(n *tfproto.NodeDef) error {
	f, attrs := in.defs.callee(n)
	if f == nil {
		if n.Op == "PartitionedCall" || n.Op == "StatefulPartitionedCall" {
			return fmt.Errorf("%w: node %s calls the function %q, which the graph does not have", ErrMalformed, n.Name, n.Attr["f"].GetFunc().GetName())
		}
		return in.emit(n)
	}
	name := f.GetSignature().GetName()
	if slices.Contains(in.stack, name) {
		return fmt.Errorf("%w: node %s: the function %s calls itself", ErrUnsupported, n.Name, name)
	}
	if len(in.stack) == maxCallDepth {
		return fmt.Errorf("%w: node %s: functions are nested deeper than %d", ErrUnsupported, n.Name, maxCallDepth)
	}
	in.stack = append(in.stack, name)
	b, err := in.body(n, f, attrs)
	if err == nil {
		err = b.expand()
	}
	if err != nil {
		return fmt.Errorf("node %s, function %s: %w", n.Name, name, err)
	}
	in.stack = in.stack[:len(in.stack)-1]
	return nil
}

func (in *inliner) emit(n *tfproto.NodeDef) error {
	if in.size += 1 + len(n.Input); in.size > in.limit {
		return fmt.Errorf("%w: the functions expand to more than %d nodes", ErrUnsupported, in.limit)
	}
	in.out = append(in.out, n)
	return nil
}

// body is one call being replaced.
type body struct {
	*inliner
	call    *tfproto.NodeDef
	control []string // what the call waits for
	def     *tfproto.FunctionDef
	attrs   map[string]*tfproto.AttrValue
	prefix  string                      // of the names of the body's nodes
	args    map[string][]string         // by the name of the argument: the tensors it stands for
	nodes   map[string]*tfproto.NodeDef // of the body, by their own names, attributes bound
}

func (in *inliner) body(call *tfproto.NodeDef, f *tfproto.FunctionDef, attrs map[string]*tfproto.AttrValue) (*body, error) {
	b := &body{inliner: in, call: call, def: f, attrs: attrs, args: map[string][]string{}, nodes: map[string]*tfproto.NodeDef{}}
	data, control := splitInputs(call.Input)
	b.control = control
	for _, arg := range f.GetSignature().GetInputArg() {
		count, err := argCount(&tfproto.NodeDef{Name: call.Name, Op: call.Op, Attr: attrs}, f.Signature, arg)
		if err != nil {
			return nil, err
		}
		if count > len(data) {
			return nil, fmt.Errorf("%w: %d arguments are too few", ErrMalformed, len(call.Input)-len(control))
		}
		b.args[arg.Name], data = data[:count:count], data[count:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%w: %d arguments are too many", ErrMalformed, len(call.Input)-len(control))
	}
	for _, n := range f.GetNodeDef() {
		if b.nodes[n.GetName()] != nil || b.args[n.GetName()] != nil || !isName(n.GetName()) {
			return nil, fmt.Errorf("%w: %q is no name for a node, or is used twice", ErrMalformed, n.GetName())
		}
		c := copyNode(n)
		if err := b.bind(c); err != nil {
			return nil, err
		}
		b.nodes[n.Name] = c
	}
	b.prefix = b.freePrefix()
	return b, nil
}

// freePrefix returns "CALL/", or "CALL_1/" …, such that no node of the body gets a name that is taken, and takes them.
func (b *body) freePrefix() string {
	for i := 0; ; i++ {
		prefix := b.call.Name + "/"
		if i > 0 {
			prefix = b.call.Name + "_" + strconv.Itoa(i) + "/"
		}
		taken := false
		for name := range b.nodes {
			taken = taken || b.names[prefix+name]
		}
		if !taken {
			for name := range b.nodes {
				b.names[prefix+name] = true
			}
			return prefix
		}
	}
}

// bind replaces attributes that name an attribute of the function by their value.
func (b *body) bind(n *tfproto.NodeDef) error {
	for k, v := range n.Attr {
		name := v.GetPlaceholder()
		if name == "" {
			continue
		}
		value := b.attrs[name]
		if value == nil {
			value = b.call.Attr[name]
		}
		if value == nil {
			return fmt.Errorf("%w: node %s: the function's attribute %q has no value", ErrMalformed, n.Name, name)
		}
		n.Attr[k] = value
	}
	return nil
}

// expand emits the body, then what stands for the call.
func (b *body) expand() error {
	for _, def := range b.def.GetNodeDef() {
		n := copyNode(b.nodes[def.Name])
		n.Name = b.prefix + def.Name
		if n.Device == "" {
			n.Device = b.call.Device
		}
		n.Input = nil
		inside := false
		for _, ref := range def.Input {
			tensors, local, err := b.resolve(ref)
			if err != nil {
				return fmt.Errorf("node %s: %w", def.Name, err)
			}
			n.Input = append(n.Input, tensors...)
			inside = inside || local
		}
		if !inside {
			n.Input = append(n.Input, b.control...)
		}
		n.Input = orderInputs(n.Input)
		if err := b.add(n); err != nil {
			return err
		}
	}
	return b.finish()
}

// finish records what the outputs of the call are, and emits a node that has its name and waits for its side effects.
func (b *body) finish() error {
	stand := &tfproto.NodeDef{Name: b.call.Name, Op: "NoOp", Device: b.call.Device, Attr: map[string]*tfproto.AttrValue{}}
	var list []tfproto.DataType
	for _, out := range b.def.GetSignature().GetOutputArg() {
		types, err := argTypes(&tfproto.NodeDef{Name: b.call.Name, Op: b.call.Op, Attr: b.attrs}, b.def.Signature, out)
		if err != nil {
			return err
		}
		tensors, _, err := b.resolve(b.def.Ret[out.Name])
		if err != nil {
			return fmt.Errorf("output %s: %w", out.Name, err)
		}
		if len(tensors) != len(types) {
			return fmt.Errorf("%w: output %s has %d tensors, want %d", ErrMalformed, out.Name, len(tensors), len(types))
		}
		stand.Input = append(stand.Input, tensors...)
		for _, t := range types {
			list = append(list, tfproto.DataType(t))
		}
	}
	b.data[b.call.Name] = slices.Clone(stand.Input)
	switch len(list) {
	case 0:
	case 1:
		stand.Op, stand.Attr["T"] = "Identity", &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: list[0]}}
	default:
		stand.Op, stand.Attr["T"] = "IdentityN", &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{Type: list}}}
	}
	for _, key := range sortedKeys(b.def.ControlRet) {
		if b.nodes[b.def.ControlRet[key]] == nil {
			return fmt.Errorf("%w: control output %s is %q, which the function does not have", ErrMalformed, key, b.def.ControlRet[key])
		}
		stand.Input = append(stand.Input, "^"+b.prefix+b.def.ControlRet[key])
	}
	stand.Input = orderInputs(append(stand.Input, b.control...))
	return b.emit(stand)
}

// resolve translates a reference inside the body, "argument", "node:output:1" or "^node", into those of the graph, and
// reports whether it is to a node of the body. A reference to a list without a number stands for all of its tensors.
func (b *body) resolve(ref string) (tensors []string, local bool, err error) {
	if isControl(ref) {
		name := ref[1:]
		if arg, ok := b.args[name]; ok {
			for _, t := range arg {
				tensors = append(tensors, "^"+inputNode(t))
			}
			return tensors, false, nil
		}
		if b.nodes[name] == nil {
			return nil, false, fmt.Errorf("%w: %q names no node of the function", ErrMalformed, ref)
		}
		return []string{"^" + b.prefix + name}, true, nil
	}
	name, output, _ := strings.Cut(ref, ":")
	if arg, ok := b.args[name]; ok {
		from, to, err := pick(len(arg), output, ref)
		return arg[from:to:to], false, err
	}
	n := b.nodes[name]
	if n == nil {
		return nil, false, fmt.Errorf("%w: %q names no node and no argument of the function", ErrMalformed, ref)
	}
	first, count, number, err := b.defs.outputRange(n, output)
	if err != nil {
		return nil, false, err
	}
	from, to, err := pick(count, number, ref)
	for i := from; i < to; i++ {
		tensors = append(tensors, tensorName(b.prefix+name, first+i))
	}
	return tensors, true, err
}

// pick returns the range of all tensors of a list, or of the one with the given number.
func pick(count int, number, ref string) (from, to int, err error) {
	if number == "" {
		return 0, count, nil
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= count {
		return 0, 0, fmt.Errorf("%w: %q: there are %d tensors", ErrMalformed, ref, count)
	}
	return i, i + 1, nil
}

// outputRange finds a named output of a node in a function body, "output" or "output:1": the numbers of its tensors among all
// outputs of the node, and what stands behind the name.
func (d definitions) outputRange(n *tfproto.NodeDef, ref string) (first, count int, number string, err error) {
	def := d.op(n.Op)
	if def == nil {
		return 0, 0, "", fmt.Errorf("%w: node %s: neither the file nor TensorFlow defines the op %s", ErrUnsupported, n.Name, n.Op)
	}
	name, number, _ := strings.Cut(ref, ":")
	for _, arg := range def.OutputArg {
		count, err := argCount(n, def, arg)
		if err != nil || arg.Name == name || name == "" {
			return first, count, number, err
		}
		first += count
	}
	return 0, 0, "", fmt.Errorf("%w: node %s (%s) has no output %q", ErrMalformed, n.Name, n.Op, name)
}

// connect makes every node that reads the output of an inlined call read what that output is.
func (in *inliner) connect() error {
	for _, n := range in.out {
		for i, ref := range n.Input {
			if isControl(ref) {
				continue
			}
			r, err := in.follow(ref)
			if err != nil {
				return fmt.Errorf("node %s: %w", n.Name, err)
			}
			n.Input[i] = r
		}
	}
	return nil
}

// follow returns the tensor that ref is once calls are inlined.
func (in *inliner) follow(ref string) (string, error) {
	var path []string
	for {
		if end, ok := in.ends[ref]; ok {
			ref = end
			break
		}
		node, output, err := ParseTensor(ref)
		if err != nil {
			return "", err
		}
		name := tensorName(node, output)
		outputs, inlined := in.data[node]
		if !inlined || in.fed[name] {
			ref = name
			break
		}
		if output >= len(outputs) {
			return "", fmt.Errorf("%w: input %s: the call has %d outputs", ErrMalformed, ref, len(outputs))
		}
		if len(path) > len(in.data) {
			return "", fmt.Errorf("%w: input %s leads in a circle", ErrMalformed, ref)
		}
		path = append(path, ref)
		ref = outputs[output]
	}
	for _, p := range path {
		in.ends[p] = ref
	}
	return ref, nil
}

// orderInputs puts data before control dependencies and drops repeated control dependencies.
func orderInputs(inputs []string) []string {
	data := make([]string, 0, len(inputs))
	var control []string
	for _, in := range inputs {
		switch {
		case !isControl(in):
			data = append(data, in)
		case !slices.Contains(control, in):
			control = append(control, in)
		}
	}
	return append(data, control...)
}
