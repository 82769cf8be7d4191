package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The functions that the tests call: twice(x) = x + x, four(x) = twice(twice(x)) with a control output, both(list) = its
// tensors in reverse, generic(x: T), log(x) with a side effect.
const library = `library {
  function {
    signature { name: "twice" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } }
    node_def { name: "sum" op: "AddV2" input: "x" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
    ret { key: "y" value: "sum:z:0" }
  }
  function {
    signature { name: "four" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } control_output: "ready" is_stateful: true }
    node_def { name: "one" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } }
    node_def { name: "check" op: "Assert" input: "x" input: "one:output:0" }
    node_def { name: "a" op: "PartitionedCall" input: "x" attr { key: "f" value { func { name: "twice" } } } attr { key: "Tout" value { list { type: DT_FLOAT } } } }
    node_def { name: "b" op: "twice" input: "a:output:0" input: "^one" }
    ret { key: "y" value: "b:y:0" }
    control_ret { key: "ready" value: "check" }
  }
  function {
    signature { name: "both" input_arg { name: "list" type_list_attr: "T" } output_arg { name: "y" type: DT_FLOAT } output_arg { name: "rest" type_attr: "U" number_attr: "N" }
      attr { name: "T" type: "list(type)" } attr { name: "U" type: "type" } attr { name: "N" type: "int" } }
    node_def { name: "packed" op: "IdentityN" input: "list" attr { key: "T" value { placeholder: "T" } } }
    node_def { name: "parts" op: "Split" input: "packed:output:0" input: "packed:output:1" attr { key: "num_split" value { placeholder: "N" } } attr { key: "T" value { placeholder: "U" } } }
    ret { key: "y" value: "list:1" }
    ret { key: "rest" value: "parts:output" }
  }
}`

func TestInline(t *testing.T) {
	tests := []struct {
		name, nodes string
		want        []string
	}{
		{"a call", `node { name: "x" op: "Placeholder" }
			node { name: "f" op: "PartitionedCall" input: "x" attr { key: "f" value { func { name: "twice" } } } }
			node { name: "y" op: "Neg" input: "f" }`,
			[]string{"x = Placeholder()", "f/sum = AddV2(x, x)", "f = Identity(f/sum)", "y = Neg(f/sum)"}},
		{"nested, a direct call, control edges through both", `node { name: "x" op: "Placeholder" }
			node { name: "first" op: "NoOp" }
			node { name: "f" op: "StatefulPartitionedCall" input: "x:0" input: "^first" attr { key: "f" value { func { name: "four" } } } }
			node { name: "y" op: "Neg" input: "f:0" input: "^f" }`,
			[]string{
				"x = Placeholder()", "first = NoOp()",
				"f/one = Const(^first)", "f/check = Assert(x:0, f/one)",
				"f/a/sum = AddV2(x:0, x:0, ^first)", "f/a = Identity(f/a/sum, ^first)",
				"f/b/sum = AddV2(f/a/sum, f/a/sum, ^f/one)", "f/b = Identity(f/b/sum, ^f/one)",
				"f = Identity(f/b/sum, ^f/check, ^first)", "y = Neg(f/b/sum, ^f)",
			}},
		{"list arguments, attributes, several outputs", `node { name: "x" op: "Placeholder" }
			node { name: "f" op: "both" input: "x" input: "x" attr { key: "T" value { list { type: DT_INT32 type: DT_FLOAT } } } attr { key: "U" value { type: DT_FLOAT } } attr { key: "N" value { i: 2 } } }
			node { name: "y" op: "AddV2" input: "f:2" input: "f:0" }`,
			[]string{"x = Placeholder()", "f/packed = IdentityN(x, x)", "f/parts = Split(f/packed, f/packed:1)", "f = IdentityN(x, f/parts, f/parts:1)", "y = AddV2(f/parts:1, x)"}},
		{"names that are taken", `node { name: "x" op: "Placeholder" } node { name: "f/sum" op: "Neg" input: "x" }
			node { name: "f" op: "twice" input: "f/sum" }`,
			[]string{"x = Placeholder()", "f/sum = Neg(x)", "f_1/sum = AddV2(f/sum, f/sum)", "f = Identity(f_1/sum)"}},
		{"a function without nodes in a chain", `node { name: "x" op: "Placeholder" }
			node { name: "f" op: "same" input: "x" } node { name: "g" op: "same" input: "f" } node { name: "y" op: "Neg" input: "g" }
			library { function { signature { name: "same" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } } ret { key: "y" value: "x" } } }`,
			[]string{"x = Placeholder()", "f = Identity(x)", "g = Identity(x)", "y = Neg(x)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := test.nodes
			if !strings.Contains(text, "library") {
				text += library
			}
			g := parse(t, text)
			unchanged(t, g)
			flat, err := Inline(g)
			require.NoError(t, err)
			for i, l := range test.want { // a reference may be spelled with ":0" where no call was involved
				test.want[i] = strings.ReplaceAll(l, "x:0", "x")
			}
			require.Equal(t, test.want, lines(flat.Def.Node))
			require.Nil(t, flat.Def.Library, "nothing calls a function any more")
			require.NoError(t, flat.Check())
		})
	}
}

// A call whose output a signature feeds is read by name.
func TestInlineFed(t *testing.T) {
	text := `node { name: "x" op: "Placeholder" } node { name: "f" op: "twice" input: "x" } node { name: "y" op: "Neg" input: "f" }` + library
	g, err := Inline(parse(t, text, signature("s", []string{"f:0"}, []string{"y:0"})))
	require.NoError(t, err)
	require.Equal(t, []string{"f"}, node(t, g, "y").Input)
}

// While and the functions it needs stay.
func TestInlineKeepsBranches(t *testing.T) {
	text := `node { name: "x" op: "Placeholder" }
		node { name: "w" op: "While" input: "x" attr { key: "T" value { list { type: DT_FLOAT } } } attr { key: "cond" value { func { name: "four" } } } attr { key: "body" value { func { name: "twice" } } } }` + library
	g, err := Inline(parse(t, text))
	require.NoError(t, err)
	require.Equal(t, []string{"x = Placeholder()", "w = While(x)"}, lines(g.Def.Node))
	var kept []string
	for _, f := range g.Def.Library.Function {
		kept = append(kept, f.Signature.Name)
	}
	require.Equal(t, []string{"twice", "four"}, kept)
}

func TestInlineErrors(t *testing.T) {
	call := func(f, body string) string {
		return `node { name: "x" op: "Placeholder" } node { name: "c" op: "` + f + `" input: "x" } library { function { signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } } ` + body + ` } }`
	}
	var doubling strings.Builder // f0 calls f1 twice, which calls f2 twice …
	doubling.WriteString(`node { name: "c" op: "f0" } library {`)
	for i := range 60 {
		fmt.Fprintf(&doubling, `function { signature { name: "f%d" } node_def { name: "a" op: "f%d" } node_def { name: "b" op: "f%d" } }`, i, i+1, i+1)
	}
	doubling.WriteString(`function { signature { name: "f60" } } }`)
	tests := []struct {
		name, text string
		is         error
		says       string
	}{
		{"calls itself", call("f", `node_def { name: "n" op: "f" input: "a" } ret { key: "y" value: "n:y:0" }`), ErrUnsupported, "calls itself"},
		{"grows without end", doubling.String(), ErrUnsupported, "expand to more than"},
		{"no such function", `node { name: "c" op: "PartitionedCall" attr { key: "f" value { func { name: "gone" } } } }`, ErrMalformed, `"gone"`},
		{"too few arguments", `node { name: "c" op: "twice" } ` + library, ErrMalformed, "too few"},
		{"too many arguments", `node { name: "x" op: "NoOp" } node { name: "c" op: "twice" input: "x" input: "x" } ` + library, ErrMalformed, "too many"},
		{"unknown node", call("f", `ret { key: "y" value: "n:y:0" }`), ErrMalformed, "names no node"},
		{"unknown output", call("f", `node_def { name: "n" op: "Neg" input: "a" } ret { key: "y" value: "n:q:0" }`), ErrMalformed, `no output "q"`},
		{"output number", call("f", `node_def { name: "n" op: "Neg" input: "a" } ret { key: "y" value: "n:y:7" }`), ErrMalformed, "there are 1 tensors"},
		{"unknown op", call("f", `node_def { name: "n" op: "OfALibrary" input: "a" } ret { key: "y" value: "n:y:0" }`), ErrUnsupported, "OfALibrary"},
		{"unknown control input", call("f", `node_def { name: "n" op: "Neg" input: "a" input: "^m" } ret { key: "y" value: "n:y:0" }`), ErrMalformed, `"^m"`},
		{"a result is missing", call("f", ``), ErrMalformed, "output y"},
		{"attribute without a value", call("f", `node_def { name: "n" op: "Neg" input: "a" attr { key: "T" value { placeholder: "Q" } } } ret { key: "y" value: "n:y:0" }`), ErrMalformed, `"Q"`},
		{"a circle", `node { name: "c" op: "f" input: "c" } library { function { signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } } ret { key: "y" value: "a" } } }`, ErrMalformed, "circle"},
		{"an output that the call does not have", `node { name: "x" op: "Placeholder" } node { name: "c" op: "twice" input: "x" } node { name: "y" op: "Neg" input: "c:3" } ` + library, ErrMalformed, "1 outputs"},
		{"two nodes of one name", `node { name: "c" op: "NoOp" } node { name: "c" op: "NoOp" }`, ErrMalformed, "two nodes"},
		{"no such input", `node { name: "c" op: "Neg" input: "q" }`, ErrMalformed, `"q"`},
		{"no name", `node { op: "NoOp" }`, ErrMalformed, "is no name"},
		{"a name like a tensor's", `node { name: "a:0" op: "NoOp" }`, ErrMalformed, "is no name"},
		{"data after control", `node { name: "a" op: "NoOp" } node { name: "c" op: "Neg" input: "^a" input: "a" }`, ErrMalformed, "after a control"},
		{"not a tensor", `node { name: "a" op: "NoOp" } node { name: "c" op: "Neg" input: "a:x" }`, ErrMalformed, `"a:x"`},
		{"a function without a name", `library { function { } }`, ErrMalformed, "no name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Inline(parse(t, test.text))
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
}
