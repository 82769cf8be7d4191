package graph

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// ErrNotFrozen says that a GraphDef has variables, whose values such a file does not hold.
var ErrNotFrozen = errors.New("graph: not frozen")

// MaxFile is the largest file that a protocol buffer message can fill: 2 GiB.
const MaxFile = 1<<31 - 1

// ReadFrozen reads a frozen graph: a GraphDef in a binary (.pb) or text (.pbtxt) file, in which constants took the place of
// variables. It has one signature, named serving_default: its inputs are the placeholders that something consumes, its
// outputs the nodes that nothing consumes. A graph that still has variables is refused with ErrNotFrozen.
func ReadFrozen(path string) (*Graph, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	g, err := ParseFrozen(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g.Source.Path = path
	return g, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxFile {
		return nil, fmt.Errorf("%w: %s has %d bytes; a protocol buffer has at most 2 GiB", ErrMalformed, path, info.Size())
	}
	return os.ReadFile(path)
}

// ParseFrozen is ReadFrozen on the content of a file.
func ParseFrozen(data []byte) (*Graph, error) {
	if bytes.HasPrefix(data, []byte("\x08\x01\x12")) {
		return nil, fmt.Errorf("%w: this is a saved_model.pb, not a GraphDef: give the SavedModel's directory", ErrMalformed)
	}
	def := &tfproto.GraphDef{}
	unmarshal := proto.Unmarshal
	if looksLikeText(data) {
		unmarshal = prototext.UnmarshalOptions{DiscardUnknown: true}.Unmarshal
	}
	if err := unmarshal(data, def); err != nil {
		return nil, fmt.Errorf("%w: not a GraphDef, or a truncated one: %w", ErrMalformed, err)
	}
	if len(def.Node) == 0 {
		return nil, fmt.Errorf("%w: the GraphDef has no nodes", ErrMalformed)
	}
	g := &Graph{Def: def}
	s, err := g.endpoints()
	if err != nil {
		return nil, err
	}
	g.Signatures = []Signature{s}
	MarkOptional(g)
	return g, nil
}

// LooksLikeGraphDef tells from the first bytes of a file whether it can be a GraphDef, binary or text. 32 are enough, unless a
// text begins with comments.
func LooksLikeGraphDef(head []byte) bool {
	if looksLikeText(head) {
		return true
	}
	// GraphDef's fields: node = 1, library = 2, version = 3, versions = 4; a NodeDef starts with its name or op.
	if len(head) < 3 {
		return false
	}
	switch head[0] {
	case 0x0a:
		i := 1
		for i < len(head)-1 && head[i] >= 0x80 {
			i++
		}
		return i < 6 && i+1 < len(head) && (head[i+1] == 0x0a || head[i+1] == 0x12)
	case 0x12, 0x22:
		return true
	default:
		return head[0] == 0x18
	}
}

// looksLikeText reports whether data starts as a GraphDef in text form does, behind blanks and comments.
func looksLikeText(data []byte) bool {
	for {
		data = bytes.TrimLeft(data, " \t\r\n")
		if !bytes.HasPrefix(data, []byte("#")) {
			break
		}
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return false
		}
		data = data[i:]
	}
	for _, field := range []string{"node", "library", "versions", "version"} {
		if rest, ok := bytes.CutPrefix(data, []byte(field)); ok {
			rest = bytes.TrimLeft(rest, " \t\r\n")
			if len(rest) > 0 && strings.ContainsRune("{:<", rune(rest[0])) {
				return true
			}
		}
	}
	return false
}

// endpoints works out the signature of a graph that has none.
func (g *Graph) endpoints() (Signature, error) {
	s := Signature{Name: DefaultSignature, Method: "tensorflow/serving/predict"}
	nodes, err := index(g.Def)
	if err != nil {
		return s, err
	}
	consumed := map[string]bool{}
	for _, n := range g.Def.Node {
		for _, in := range n.Input {
			consumed[inputNode(in)] = true
		}
	}
	defs := g.definitions()
	saving := nodes.downstream(func(n *tfproto.NodeDef) bool { return isSaver(n.Op) })
	var roots []string
	for _, n := range g.Def.Node {
		switch {
		case isPlaceholder(n.Op):
			if consumed[n.Name] {
				s.Inputs = append(s.Inputs, Port{Name: n.Name, DType: DTypeOf(n.Attr["dtype"].GetType()), Shape: g.placeholderShape(n), Tensor: n.Name + ":0"})
			}
		case !consumed[n.Name] && !saving[n.Name] && !isInternal(n.Op):
			ports, err := nodePorts(defs, n)
			if err != nil {
				return s, err
			}
			s.Outputs = append(s.Outputs, ports...)
			roots = append(roots, n.Name)
		}
	}
	if len(s.Outputs) == 0 {
		return s, fmt.Errorf("%w: the GraphDef has no outputs: something consumes every node", ErrMalformed)
	}
	if v := nodes.variables(roots); len(v) > 0 {
		return s, fmt.Errorf("%w: the GraphDef has variables (%s) but no file of this kind holds their values: freeze the graph, or export a SavedModel", ErrNotFrozen, few(v))
	}
	sortPorts(s.Inputs)
	sortPorts(s.Outputs)
	return s, nil
}

// nodePorts returns the outputs of a node as ports: "name", "name:1" …; their shapes are those that _output_shapes tells.
func nodePorts(defs definitions, n *tfproto.NodeDef) ([]Port, error) {
	types, err := defs.outputs(n)
	if errors.Is(err, ErrUnsupported) { // a custom op: it has one output, of a type that only its library knows
		types, err = []tensor.DType{DTypeOf(n.Attr["T"].GetType())}, nil
	}
	if err != nil {
		return nil, err
	}
	shapes := n.Attr["_output_shapes"].GetList().GetShape()
	ports := make([]Port, len(types))
	for i, t := range types {
		ports[i] = Port{Name: tensorName(n.Name, i), DType: t, Tensor: Ref(tensorName(n.Name, i)).Tensor()}
		if i < len(shapes) {
			ports[i].Shape = ShapeOf(shapes[i])
		}
	}
	return ports, nil
}

// placeholderShape returns the shape of a placeholder. Before version 22 an unknown shape was written as that of a scalar.
func (g *Graph) placeholderShape(n *tfproto.NodeDef) tensor.Shape {
	if shapes := n.Attr["_output_shapes"].GetList().GetShape(); len(shapes) == 1 {
		return ShapeOf(shapes[0])
	}
	s := ShapeOf(n.Attr["shape"].GetShape())
	if n.Op == "Placeholder" && len(s) == 0 && g.Def.GetVersions().GetProducer() <= 21 {
		return nil
	}
	return s
}

func isPlaceholder(op string) bool {
	return op == "Placeholder" || op == "PlaceholderV2" || op == "PlaceholderWithDefault"
}

// isSaver reports whether an op belongs to saving or restoring a checkpoint.
func isSaver(op string) bool {
	switch op {
	case "Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "ShardedFilename", "MergeV2Checkpoints":
		return true
	default:
		return false
	}
}

// isInternal reports whether a node of this op that nothing consumes is no output of the model.
func isInternal(op string) bool {
	switch op {
	case "NoOp", "Assert", "Const", "Print", "Timestamp", "MergeSummary":
		return true
	default:
		return IsVariable(op) || strings.HasPrefix(op, "Assign") || strings.HasSuffix(op, "Summary") || strings.HasPrefix(op, "InitializeTable")
	}
}

// IsVariable reports whether an op is a variable or the handle of one.
func IsVariable(op string) bool {
	switch op {
	case "VarHandleOp", "VariableV2", "Variable":
		return true
	default:
		return false
	}
}

// few lists the first names of many.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
