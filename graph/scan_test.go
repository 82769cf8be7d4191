package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScan(t *testing.T) {
	attrs := `attr { key: "f" value { func { name: "f" } } } attr { key: "Tout" value { list { type: DT_FLOAT } } }`
	tests := []struct {
		name, text string
		init       Init
		checkpoint *Checkpoint
		want       []Finding
	}{
		{name: "nothing", text: `node { name: "y" op: "Placeholder" } node { name: "n" op: "MatMul" input: "y" input: "y" }`, want: []Finding{}},
		{
			name: "from a signature, from nowhere",
			text: `node { name: "y" op: "PyFunc" } node { name: "z" op: "ReadFile" } node { name: "w" op: "OfALibrary" input: "^z" }`,
			want: []Finding{
				{High, "PyFunc", "y", "serving_default", runsHost},
				{High, "ReadFile", "z", "", readsFiles}, {Medium, "OfALibrary", "w", "", "an op that TensorFlow does not define"},
			},
		},
		{
			name: "in functions, at any depth",
			text: `node { name: "x" op: "Placeholder" } node { name: "y" op: "If" input: "x" attr { key: "then_branch" value { func { name: "f" } } } attr { key: "else_branch" value { func { name: "g" } } } }
				library { function { signature { name: "f" } node_def { name: "c" op: "g" } } function { signature { name: "g" } node_def { name: "w" op: "WriteFile" } }
					function { signature { name: "h" } node_def { name: "w" op: "WriteFile" } } }`,
			want: []Finding{{High, "WriteFile", "g/w", "serving_default", writesFiles}, {High, "WriteFile", "h/w", "", writesFiles}},
		},
		{
			name: "the saver's own ops",
			text: `node { name: "y" op: "Placeholder" } node { name: "file" op: "Placeholder" } node { name: "restore" op: "RestoreV2" input: "file" }
				node { name: "run" op: "NoOp" input: "^restore" input: "^log" } node { name: "log" op: "WriteFile" } node { name: "save" op: "SaveV2" input: "file" }`,
			checkpoint: &Checkpoint{FilenameTensor: "file:0", RestoreOp: "run"},
			want:       []Finding{{High, "WriteFile", "log", Loader, writesFiles}},
		},
		{
			name: "saving from a signature",
			text: `node { name: "y" op: "Identity" input: "^save" } node { name: "save" op: "StatefulPartitionedCall" ` + attrs + ` }
				library { function { signature { name: "f" } node_def { name: "s" op: "SaveV2" } } }`,
			want: []Finding{{High, "SaveV2", "f/s", "serving_default", writesFiles}},
		},
		{
			name: "a table filled from an asset",
			text: `node { name: "y" op: "Placeholder" } node { name: "asset" op: "Const" } node { name: "fill" op: "InitializeTableFromTextFileV2" input: "asset" }`,
			init: Init{Op: "fill", Assets: map[string]string{"asset:0": "words.txt"}},
			want: []Finding{},
		},
		{
			name: "a table filled from another file",
			text: `node { name: "y" op: "Placeholder" } node { name: "fill" op: "InitializeTableFromTextFileV2" }`,
			init: Init{Op: "fill"},
			want: []Finding{{High, "InitializeTableFromTextFileV2", "fill", Loader, readsFiles}},
		},
		{
			name: "printing",
			text: `node { name: "y" op: "PrintV2" attr { key: "output_stream" value { s: "stderr" } } } node { name: "z" op: "PrintV2" attr { key: "output_stream" value { s: "file://printed.txt" } } }`,
			want: []Finding{{Low, "PrintV2", "y", "serving_default", "prints"}, {High, "PrintV2", "z", "", writesFiles}},
		},
		{
			name: "harmless as they are set",
			text: `node { name: "y" op: "DebugIdentity" } node { name: "d" op: "DecodeProtoV2" attr { key: "descriptor_source" value { s: "local://" } } } node { name: "u" op: "FixedUnigramCandidateSampler" }`,
			want: []Finding{},
		},
		{
			name: "and as they are not",
			text: `node { name: "y" op: "DebugIdentity" attr { key: "debug_urls" value { list { s: "file:///tmp" } } } } node { name: "d" op: "DecodeProtoV2" attr { key: "descriptor_source" value { s: "/etc/passwd" } } } node { name: "s" op: "_Send" }`,
			want: []Finding{{High, "DebugIdentity", "y", "serving_default", writesFiles}, {High, "DecodeProtoV2", "d", "", readsFiles}, {High, "_Send", "s", "", "exchanges tensors with other processes"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := parse(t, test.text, signature(DefaultSignature, nil, []string{"y:0"}), signature("other", nil, []string{"y:0"}))
			g.Init, g.Checkpoint = test.init, test.checkpoint
			require.Equal(t, test.want, Scan(g))
		})
	}
}

// Every op that is judged is one of TensorFlow's: a slip of the pen would go unseen.
func TestScanNamesExist(t *testing.T) {
	for op := range reaches {
		require.NotNil(t, registry()[op], op)
	}
	for op := range readsOnly {
		require.NotNil(t, registry()[op], op)
	}
	for op, r := range readers {
		require.NotNil(t, registry()[op], op)
		require.NotNil(t, registry()[r.op], r.op)
	}
}
