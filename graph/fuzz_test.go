package graph

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// FuzzReadFrozen parses a GraphDef and puts what it finds through the passes.
func FuzzReadFrozen(f *testing.F) {
	data, err := os.ReadFile("../scripts/testdata/mnist/cnn/frozen.pb")
	require.NoError(f, err)
	f.Add(data)
	for _, c := range foldCases[:3] {
		b := &caseBuilder{Builder: NewBuilder(), r: newRand()}
		c.build(b, b.Placeholder("x", tensor.Float32, c.shape))
		g, err := b.Finish()
		require.NoError(f, err)
		data, err := proto.Marshal(g.Def)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } } node { name: "y" op: "Neg" input: "x" } versions { producer: 21 }`))
	f.Fuzz(func(t *testing.T, data []byte) {
		LooksLikeGraphDef(data[:min(len(data), 32)])
		g, err := ParseFrozen(data)
		if err != nil {
			return
		}
		require.NoError(t, g.Check())
		passes(t, g)
	})
}

// FuzzInline puts a graph with functions, whose signature fetches its last node, through every pass.
func FuzzInline(f *testing.F) {
	for _, name := range []string{"control_flow", "counter", "table", "training", "reaches_files"} {
		data, err := os.ReadFile(filepath.Join("../scripts/testdata/models", name, "saved_model", "saved_model.pb"))
		require.NoError(f, err)
		m := &tfproto.SavedModel{}
		require.NoError(f, proto.Unmarshal(data, m))
		data, err = proto.Marshal(m.MetaGraphs[0].GraphDef)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, text := range []string{
		`node { name: "x" op: "Placeholder" } node { name: "f" op: "four" input: "x" } node { name: "y" op: "Neg" input: "f" input: "^f" }` + library,
		variable("v", "VarHandleOp") + variable("w", "VariableV2") + `node { name: "g" op: "ResourceGather" input: "v" input: "w" } node { name: "y" op: "AddV2" input: "g" input: "w" }`,
	} {
		data, err := proto.Marshal(parse(f, text).Def)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		def := &tfproto.GraphDef{}
		if proto.Unmarshal(data, def) != nil || len(def.Node) == 0 {
			return
		}
		last := def.Node[len(def.Node)-1].Name
		g := &Graph{Def: def, Signatures: []Signature{signature("s", nil, []string{last + ":0"})}, Variables: map[string]*tensor.Tensor{}}
		for _, n := range def.Node {
			if IsVariable(n.Op) {
				g.Variables[n.Name] = tensor.Must(tensor.Of([]float32{1, 2}))
			}
		}
		passes(t, g)
	})
}

// passes runs every pass; what one makes must be sound, and the next must take it.
func passes(t *testing.T, g *Graph) {
	t.Helper()
	Scan(g)
	g.Parameters()
	_, _ = UsedVariables(g)
	_, _ = OpsUsed(g)
	inlined, err := Inline(g)
	if err != nil {
		return
	}
	if _, err := index(inlined.Def); err != nil {
		t.Fatalf("inlining made a graph that is not sound: %v", err)
	}
	flat, err := ForSignature(g, "")
	if err != nil {
		return
	}
	require.NoError(t, flat.Check())
	folded, err := Fold(flat)
	require.NoError(t, err)
	require.NoError(t, folded.Check())
}
