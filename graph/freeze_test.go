package graph

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// variable returns the text of a variable node of float32 [2].
func variable(name, op string, more ...string) string {
	return `node { name: "` + name + `" op: "` + op + `" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 2 } } } } ` + strings.Join(more, " ") + ` }
	`
}

func values(names ...string) map[string]*tensor.Tensor {
	m := map[string]*tensor.Tensor{}
	for i, n := range names {
		m[n] = tensor.Must(tensor.Of([]float32{float32(i), 0.5}))
	}
	return m
}

const float = ` attr { key: "T" value { type: DT_FLOAT } }`
const readFloat = ` attr { key: "dtype" value { type: DT_FLOAT } }`

func TestFreeze(t *testing.T) {
	tests := []struct {
		name, text string
		variables  []string
		want       []string
		kept       map[string]string
	}{
		{"a resource", variable("v", "VarHandleOp") + `node { name: "r" op: "ReadVariableOp" input: "v"` + readFloat + `} node { name: "y" op: "Neg" input: "r" }`,
			[]string{"v"}, []string{"v/value = Const()", "r = Identity(v/value)", "y = Neg(r)"}, map[string]string{}},
		{"a reference", variable("v", "VariableV2") + `node { name: "r" op: "Identity" input: "v"` + float + `} node { name: "y" op: "AddV2" input: "r" input: "v:0" input: "^v" }`,
			[]string{"v"}, []string{"v/value = Const()", "r = Identity(v/value)", "y = AddV2(r, v/value, ^v/value)"}, map[string]string{}},
		{"a handle passed on", variable("v", "VarHandleOp") + `node { name: "i" op: "Identity" input: "v" attr { key: "T" value { type: DT_RESOURCE } } }
			node { name: "s" op: "VariableShape" input: "i:0" } node { name: "is" op: "VarIsInitializedOp" input: "i" } node { name: "y" op: "Pack" input: "s" input: "^is" }`,
			[]string{"v"}, []string{"v/value = Const()", "i = Identity(v/value)", "s = Shape(i)", "is = Const()", "y = Pack(s, ^is)"}, map[string]string{}},
		{"gathers", variable("v", "VarHandleOp") + `node { name: "x" op: "Placeholder" } node { name: "n/axis" op: "NoOp" }
			node { name: "n" op: "ResourceGather" input: "v" input: "x" input: "^n/axis"` + readFloat + ` attr { key: "batch_dims" value { i: 1 } } }
			node { name: "m" op: "ResourceGatherNd" input: "v" input: "x"` + readFloat + `} node { name: "y" op: "AddV2" input: "n" input: "m" }`,
			[]string{"v"}, []string{"v/value = Const()", "x = Placeholder()", "n/axis = NoOp()", "n/axis_ = Const()", "n = GatherV2(v/value, x, n/axis_, ^n/axis)", "m = GatherNd(v/value, x)", "y = AddV2(n, m)"}, map[string]string{}},
		{"written", variable("v", "VarHandleOp") + variable("w", "VariableV2") + variable("u", "VarHandleOp") + `
			node { name: "a" op: "AssignAddVariableOp" input: "v" input: "w" } node { name: "b" op: "AssignAdd" input: "w" input: "w" }
			node { name: "r" op: "ReadVariableOp" input: "u"` + readFloat + `} node { name: "y" op: "Neg" input: "r" input: "^a" input: "^b" }`,
			[]string{"v", "w", "u"}, []string{"v = VarHandleOp()", "w = VariableV2()", "u/value = Const()", "a = AssignAddVariableOp(v, w)", "b = AssignAdd(w, w)", "r = Identity(u/value)", "y = Neg(r, ^a, ^b)"},
			map[string]string{"v": "AssignAddVariableOp may write it (node a)", "w": "AssignAdd may write it (node b)"}},
		{"written where no signature gets", variable("v", "VarHandleOp") + `node { name: "a" op: "AssignVariableOp" input: "v" input: "y" }
			node { name: "y" op: "ReadVariableOp" input: "v"` + readFloat + `}`,
			[]string{"v"}, []string{"v/value = Const()", "y = Identity(v/value)"}, map[string]string{}},
		{"two nodes, one variable", variable("v", "VarHandleOp", `attr { key: "shared_name" value { s: "one" } }`) + variable("w", "VarHandleOp", `attr { key: "shared_name" value { s: "one" } }`) + `
			node { name: "a" op: "AssignAddVariableOp" input: "v" input: "r" } node { name: "r" op: "ReadVariableOp" input: "w"` + readFloat + `} node { name: "y" op: "Neg" input: "r" input: "^a" }`,
			[]string{"v", "w"}, []string{"v = VarHandleOp()", "w = VarHandleOp()", "a = AssignAddVariableOp(v, r)", "r = ReadVariableOp(w)", "y = Neg(r, ^a)"},
			map[string]string{"v": "AssignAddVariableOp may write it (node a)", "w": "AssignAddVariableOp may write it (node a)"}},
		{"an op that nobody knows", variable("v", "VarHandleOp") + `node { name: "y" op: "OfALibrary" input: "v" }`,
			[]string{"v"}, []string{"v = VarHandleOp()", "y = OfALibrary(v)"}, map[string]string{"v": "OfALibrary may write it (node y)"}},
		{"no value", variable("v", "VarHandleOp") + `node { name: "y" op: "ReadVariableOp" input: "v"` + readFloat + `}`,
			nil, []string{"v = VarHandleOp()", "y = ReadVariableOp(v)"}, map[string]string{"v": "its value was not read"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := parse(t, test.text, signature("s", nil, []string{"y:0"}))
			g.Variables = values(test.variables...)
			unchanged(t, g)
			frozen, kept, err := Freeze(g)
			require.NoError(t, err)
			require.Equal(t, test.want, lines(frozen.Def.Node))
			reasons := map[string]string{}
			for _, k := range kept {
				reasons[k.Variable] = k.Reason
			}
			require.Equal(t, test.kept, reasons)
			require.NoError(t, frozen.Check())
			for _, n := range frozen.Def.Node {
				if strings.HasSuffix(n.Name, "/value") {
					v, err := Value(n)
					require.NoError(t, err)
					require.True(t, g.Variables[strings.TrimSuffix(n.Name, "/value")].Equal(v))
				}
			}
		})
	}
}

// The wrong type of a value is a reason too.
func TestFreezeWrongValue(t *testing.T) {
	g := parse(t, variable("v", "VarHandleOp")+`node { name: "y" op: "ReadVariableOp" input: "v" }`, signature("s", nil, []string{"y:0"}))
	g.Variables = map[string]*tensor.Tensor{"v": tensor.Scalar(1.5)}
	_, kept, err := Freeze(g)
	require.NoError(t, err)
	require.Equal(t, []Kept{{"v", "its value is float64, the graph says float32"}}, kept)
}

// A loop and a branch that read a variable through its handle get functions that take the value.
func TestFreezeBranches(t *testing.T) {
	types := func(list string) string { return `value { list { ` + list + ` } } }` }
	functions := `library {
		function { signature { name: "cond" input_arg { name: "i" type: DT_FLOAT } input_arg { name: "h" type: DT_RESOURCE } output_arg { name: "c" type: DT_BOOL } }
			node_def { name: "r" op: "ReadVariableOp" input: "h"` + readFloat + `} node_def { name: "less" op: "Less" input: "i" input: "r:value:0" } ret { key: "c" value: "less:z:0" } }
		function { signature { name: "body" input_arg { name: "i" type: DT_FLOAT } input_arg { name: "h" type: DT_RESOURCE } output_arg { name: "i_out" type: DT_FLOAT } output_arg { name: "h_out" type: DT_RESOURCE } }
			arg_attr { key: 1 value { attr { key: "_output_shapes" value { list { shape { } } } } } }
			node_def { name: "id" op: "Identity" input: "h" attr { key: "T" value { type: DT_RESOURCE } } }
			node_def { name: "call" op: "PartitionedCall" input: "id:output:0" attr { key: "f" value { func { name: "inner" } } } attr { key: "Tin" ` + types("type: DT_RESOURCE") + ` attr { key: "Tout" ` + types("type: DT_FLOAT") + ` }
			node_def { name: "sum" op: "AddV2" input: "i" input: "call:output:0" }
			ret { key: "i_out" value: "sum:z:0" } ret { key: "h_out" value: "id:output:0" } }
		function { signature { name: "inner" input_arg { name: "handle" type: DT_RESOURCE } output_arg { name: "v" type: DT_FLOAT } }
			node_def { name: "read" op: "ReadVariableOp" input: "handle:0"` + readFloat + `} ret { key: "v" value: "read:value" } }
		function { signature { name: "write" input_arg { name: "handle" type: DT_RESOURCE } output_arg { name: "v" type: DT_FLOAT } }
			node_def { name: "read" op: "ReadVariableOp" input: "handle"` + readFloat + `} node_def { name: "w" op: "AssignVariableOp" input: "handle" input: "read:value:0" } ret { key: "v" value: "read:value:0" } }
		function { signature { name: "give" input_arg { name: "handle" type: DT_RESOURCE } output_arg { name: "v" type: DT_RESOURCE } } ret { key: "v" value: "handle" } }
	}`
	g := parse(t, variable("v", "VarHandleOp")+`node { name: "x" op: "Placeholder" }
		node { name: "w" op: "While" input: "x" input: "v" attr { key: "T" `+types("type: DT_FLOAT type: DT_RESOURCE")+` attr { key: "cond" value { func { name: "cond" } } } attr { key: "body" value { func { name: "body" } } } attr { key: "output_shapes" `+types("shape {} shape {}")+` }
		node { name: "y" op: "If" input: "w" input: "v" attr { key: "Tin" `+types("type: DT_RESOURCE")+` attr { key: "then_branch" value { func { name: "inner" } } } attr { key: "else_branch" value { func { name: "inner" } } } }`+functions,
		signature("s", []string{"x:0"}, []string{"y:0"}))
	g.Variables = values("v")
	unchanged(t, g)
	frozen, kept, err := Freeze(g)
	require.NoError(t, err)
	require.Empty(t, kept)
	require.Equal(t, []string{"v/value = Const()", "x = Placeholder()", "w = While(x, v/value)", "y = If(w, v/value)"}, lines(frozen.Def.Node))
	require.Equal(t, "[DT_FLOAT,DT_FLOAT]", typesOf(frozen, t, "w", "T"))
	require.Nil(t, node(t, frozen, "w").Attr["output_shapes"])
	f := functionsByName(frozen.Def)
	require.Len(t, f, 3, "cond, body and inner, once for the loop and the branches")
	body := f[node(t, frozen, "w").Attr["body"].GetFunc().Name]
	require.Equal(t, []string{"id = Identity(h)", "call = PartitionedCall(id:output:0)", "sum = AddV2(i, call:output:0)"}, lines(body.NodeDef))
	require.EqualValues(t, tensor.Float32, body.Signature.InputArg[1].Type)
	require.EqualValues(t, tensor.Float32, body.Signature.OutputArg[1].Type)
	require.Empty(t, body.ArgAttr)
	inner := f[node(t, frozen, "y").Attr["then_branch"].GetFunc().Name]
	require.Equal(t, []string{"read = Identity(handle)"}, lines(inner.NodeDef))
	require.Equal(t, map[string]string{"v": "read:output:0"}, inner.Ret)

	for branch, reason := range map[string]string{
		"write": "AssignVariableOp may write it (node w)", "give": "a function returns its handle", "gone": `node y calls "gone", which the graph does not have`,
	} {
		bad := parse(t, variable("v", "VarHandleOp")+`node { name: "x" op: "Placeholder" }
			node { name: "y" op: "If" input: "x" input: "v" attr { key: "Tin" `+types("type: DT_RESOURCE")+` attr { key: "then_branch" value { func { name: "inner" } } } attr { key: "else_branch" value { func { name: "`+branch+`" } } } }`+functions,
			signature("s", []string{"x:0"}, []string{"y:0"}))
		bad.Variables = values("v")
		_, kept, err := Freeze(bad)
		require.NoError(t, err)
		require.Equal(t, []Kept{{"v", reason}}, kept)
	}
}

func typesOf(g *Graph, t *testing.T, name, attr string) string {
	t.Helper()
	var s []string
	for _, d := range node(t, g, name).Attr[attr].GetList().Type {
		s = append(s, d.String())
	}
	return "[" + strings.Join(s, ",") + "]"
}

// The init op fills a table that one signature reads; the other does not need it.
func TestForSignature(t *testing.T) {
	text := variable("v", "VarHandleOp") + variable("count", "VarHandleOp") + `
		node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
		node { name: "mid" op: "Square" input: "x" }
		node { name: "r" op: "ReadVariableOp" input: "v"` + readFloat + `}
		node { name: "half" op: "Split" input: "mid" input: "mid" attr { key: "num_split" value { i: 2 } }` + float + `}
		node { name: "mul" op: "Mul" input: "half:1" input: "r" }
		node { name: "done" op: "NoOp" input: "^r" }
		node { name: "y" op: "Identity" input: "mul" input: "^done" }
		node { name: "table" op: "HashTableV2" }
		node { name: "fill" op: "InitializeTableV2" input: "table" input: "mid" input: "mid" }
		node { name: "init" op: "NoOp" input: "^fill" }
		node { name: "found" op: "LookupTableFindV2" input: "table" input: "x" input: "mid" }
		node { name: "add" op: "AssignAddVariableOp" input: "count" input: "r" }
		node { name: "c" op: "ReadVariableOp" input: "count" input: "^add"` + readFloat + `}
		node { name: "file" op: "Placeholder" } node { name: "restore" op: "NoOp" input: "^file" }`
	g := parse(t, text,
		signature("count", nil, []string{"c:0"}),
		signature("look", []string{"x:0"}, []string{"found:0"}),
		signature("middle", []string{"half:1"}, []string{"y:0"}),
		signature("same", []string{"mid:0"}, []string{"mid:0", "y:0"}))
	g.Variables = values("v", "count")
	g.Init.Op = "init"
	g.Checkpoint = &Checkpoint{FilenameTensor: "file:0", RestoreOp: "restore"}
	unchanged(t, g)

	middle, err := ForSignature(g, "middle")
	require.NoError(t, err)
	require.Equal(t, []string{"v/value = Const()", "mul = Mul(half_1, v/value)", "half_1 = Placeholder()"}, lines(middle.Def.Node))
	require.Equal(t, "half_1:0", middle.Signatures[0].Inputs[0].Tensor)
	require.Equal(t, "mul:0", middle.Signatures[0].Outputs[0].Tensor)
	require.Empty(t, middle.Init.Op)
	require.Nil(t, middle.Checkpoint)

	same, err := ForSignature(g, "same")
	require.NoError(t, err)
	require.Equal(t, []string{"mid:0", "mul:0"}, []string{same.Signatures[0].Outputs[0].Tensor, same.Signatures[0].Outputs[1].Tensor})
	require.Equal(t, "Placeholder", node(t, same, "mid").Op)

	look, err := ForSignature(g, "look")
	require.NoError(t, err)
	require.Equal(t, "init", look.Init.Op)
	require.Nil(t, look.Checkpoint)
	require.Contains(t, lines(look.Def.Node), "fill = InitializeTableV2(table, mid, mid)")

	count, err := ForSignature(g, "count")
	require.NoError(t, err)
	require.NotNil(t, count.Checkpoint)
	require.Contains(t, lines(count.Def.Node), "c = ReadVariableOp(count, ^add)")
	require.Contains(t, lines(count.Def.Node), "add = AssignAddVariableOp(count, v/value)")

	_, err = ForSignature(g, "other")
	require.ErrorIs(t, err, ErrNoSignature)
	_, err = ForSignature(parse(t, text, signature("s", []string{"gone:0"}, []string{"y:0"})), "")
	require.ErrorIs(t, err, ErrMalformed)
}

// Control dependencies that keep a node in its branch or loop stay, as do those on assertions.
func TestSimplify(t *testing.T) {
	g := parse(t, `node { name: "x" op: "Placeholder" } node { name: "p" op: "Placeholder" }
		node { name: "switch" op: "Switch" input: "x" input: "p" } node { name: "pivot" op: "Identity" input: "switch:1" }
		node { name: "inside" op: "Const" input: "^pivot" }
		node { name: "assert" op: "Assert" input: "p" } node { name: "checked" op: "Identity" input: "x" input: "^assert" }
		node { name: "a" op: "Identity" input: "x" input: "^p" } node { name: "n" op: "IdentityN" input: "a" input: "checked:0" }
		node { name: "v" op: "VariableV2" } node { name: "snapshot" op: "Identity" input: "v" }
		node { name: "y" op: "Pack" input: "inside" input: "n:0" input: "n:1" input: "snapshot" input: "^a" }
		node { name: "out" op: "Identity" input: "y" } node { name: "echo" op: "Identity" input: "x" }`,
		signature("s", []string{"x:0", "p:0"}, []string{"out:0", "echo:0"}))
	unchanged(t, g)
	s, err := Simplify(g)
	require.NoError(t, err)
	require.Equal(t, []string{
		"x = Placeholder()", "p = Placeholder()", "switch = Switch(x, p)", "pivot = Identity(switch:1)", "inside = Const(^pivot)",
		"assert = Assert(p)", "checked = Identity(x, ^assert)", "v = VariableV2()", "snapshot = Identity(v)",
		"y = Pack(inside, x, checked, snapshot)", "echo = Identity(x)",
	}, lines(s.Def.Node))
	require.Equal(t, "y:0", s.Signatures[0].Outputs[0].Tensor)
	require.Equal(t, "echo:0", s.Signatures[0].Outputs[1].Tensor, "an input cannot be fetched")
}

func TestPrune(t *testing.T) {
	g := parse(t, `node { name: "x" op: "Placeholder" } node { name: "w" op: "twice" input: "x" } node { name: "y" op: "Neg" input: "x" }`+library,
		signature("a", []string{"x:0"}, []string{"w:0"}), signature("b", []string{"x:0"}, []string{"y:0"}))
	g.Variables = values("w")
	g.Init = Init{Op: "w", Assets: map[string]string{"w:0": "file"}}
	g.Checkpoint = &Checkpoint{FilenameTensor: "x:0", RestoreOp: "w"}
	p, err := Prune(g, "y:0")
	require.NoError(t, err)
	require.Equal(t, []string{"x = Placeholder()", "y = Neg(x)"}, lines(p.Def.Node))
	require.Nil(t, p.Def.Library)
	require.Len(t, p.Signatures, 1)
	require.Empty(t, p.Variables)
	require.Empty(t, p.Init.Op)
	require.Empty(t, p.Init.Assets)
	require.Nil(t, p.Checkpoint)
	_, err = Prune(g, "q")
	require.ErrorIs(t, err, ErrMalformed)
}
