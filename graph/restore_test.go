package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRestoreMap(t *testing.T) {
	names := func(node string, s ...string) string {
		text := `node { name: "` + node + `" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { dim { size: 2 } }`
		for _, x := range s {
			text += ` string_val: "` + x + `"`
		}
		return text + ` } } } }
		`
	}
	handle := func(node, shared string) string {
		return `node { name: "` + node + `" op: "VarHandleOp" attr { key: "shared_name" value { s: "` + shared + `" } } }
		`
	}
	one := handle("a", "a") + handle("b", "b") + handle("b_again", "b") + handle("never", "never") + `node { name: "file" op: "Placeholder" }
		node { name: "ref" op: "VariableV2" }
		`
	tests := []struct {
		name, text string
		want       map[string]Restored
	}{
		{"TensorFlow 1, sharded, sliced", one + names("n", "key/a", "key/ref") + names("s", "", "10 2 0,5:-") + `
			node { name: "r" op: "RestoreV2" input: "file" input: "n" input: "s" attr { key: "dtypes" value { list { type: DT_FLOAT type: DT_FLOAT } } } }
			node { name: "shape" op: "Const" } node { name: "reshaped" op: "Reshape" input: "r" input: "shape" }
			node { name: "x" op: "AssignVariableOp" input: "a" input: "reshaped" } node { name: "y" op: "Assign" input: "ref" input: "r:1" }
			node { name: "shard" op: "NoOp" input: "^x" input: "^y" } node { name: "run" op: "NoOp" input: "^shard" }
			node { name: "unrelated" op: "AssignVariableOp" input: "never" input: "r" }`,
			map[string]Restored{"a": {Key: "key/a"}, "ref": {Key: "key/ref", Slice: "10 2 0,5:-"}}},
		{"TensorFlow 2, in a function", one + `node { name: "run" op: "StatefulPartitionedCall" input: "file" input: "a" input: "b" attr { key: "f" value { func { name: "restore" } } } attr { key: "Tout" value { list { type: DT_STRING } } } }
			library { function { signature { name: "restore" input_arg { name: "file" type: DT_STRING } input_arg { name: "h0" type: DT_RESOURCE } input_arg { name: "h1" type: DT_RESOURCE } output_arg { name: "out" type: DT_STRING } control_output: "done" }
				` + `node_def { name: "n" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { dim { size: 2 } } string_val: "k0" string_val: "k1" } } } }
				node_def { name: "s" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { dim { size: 2 } } string_val: "" string_val: "" } } } }
				node_def { name: "r" op: "RestoreV2" input: "file" input: "n:output:0" input: "s:output:0" attr { key: "dtypes" value { list { type: DT_FLOAT type: DT_FLOAT } } } }
				node_def { name: "i" op: "Identity" input: "r:tensors:1" attr { key: "T" value { type: DT_FLOAT } } }
				node_def { name: "w0" op: "AssignVariableOp" input: "h0" input: "r:tensors:0" } node_def { name: "w1" op: "AssignVariableOp" input: "h1" input: "i:output:0" input: "^w0" }
				ret { key: "out" value: "file" } control_ret { key: "done" value: "w1" } } }`,
			map[string]Restored{"a": {Key: "k0"}, "b": {Key: "k1"}, "b_again": {Key: "k1"}}},
		{"the first format", one + `node { name: "n" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { } string_val: "k" } } } }
			node { name: "r" op: "Restore" input: "file" input: "n" } node { name: "run" op: "Assign" input: "ref" input: "r" }`,
			map[string]Restored{"ref": {Key: "k"}}},
		{"from elsewhere", one + `node { name: "c" op: "Const" } node { name: "run" op: "Assign" input: "ref" input: "c" }`, map[string]Restored{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := parse(t, test.text)
			none, err := RestoreMap(g)
			require.NoError(t, err)
			require.Empty(t, none, "without a checkpoint there is nothing to restore")
			g.Checkpoint = &Checkpoint{FilenameTensor: "file:0", RestoreOp: "run"}
			m, err := RestoreMap(g)
			require.NoError(t, err)
			require.Equal(t, test.want, m)
		})
	}
	for name, text := range map[string]string{
		"too few names":      names("n") + names("s") + `node { name: "r" op: "RestoreV2" input: "file" input: "n" input: "s" }  node { name: "run" op: "Assign" input: "ref" input: "r:5" }`,
		"no constant":        `node { name: "r" op: "RestoreV2" input: "file" input: "file" input: "file" }  node { name: "run" op: "Assign" input: "ref" input: "r" }`,
		"inputs are missing": `node { name: "r" op: "RestoreV2" input: "file" }  node { name: "run" op: "Assign" input: "ref" input: "r" }`,
	} {
		g := parse(t, one+text)
		g.Checkpoint = &Checkpoint{FilenameTensor: "file:0", RestoreOp: "run"}
		_, err := RestoreMap(g)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestUsedVariables(t *testing.T) {
	g := parse(t, variable("v", "VarHandleOp")+variable("i", "VariableV2")+variable("slot", "VariableV2")+`
		node { name: "y" op: "ReadVariableOp" input: "v" } node { name: "init" op: "Identity" input: "i" }`, signature("s", nil, []string{"y:0"}))
	g.Init.Op = "init"
	used, err := UsedVariables(g)
	require.NoError(t, err)
	require.Equal(t, []string{"v = VarHandleOp()", "i = VariableV2()"}, lines(used))
}
