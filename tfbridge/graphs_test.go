//go:build cgo

package tfbridge_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// finish returns the graph that was built.
func finish(t testing.TB, b *graph.Builder, signatures ...graph.Signature) *graph.Graph {
	t.Helper()
	g, err := b.Finish(signatures...)
	require.NoError(t, err)
	return g
}

func port(name string, d tensor.DType, shape tensor.Shape, r graph.Ref) graph.Port {
	return graph.Port{Name: name, DType: d, Shape: shape, Tensor: r.Tensor()}
}

// linear returns x [?,2] → y [?,1] = x·[2,-1] + bias, with the weights in resource variables.
func linear(t testing.TB, bias float32) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
	w := b.Read(b.Variable("w", floats(t, []int{2, 1}, 2, -1)))
	c := b.Read(b.Variable("b", floats(t, []int{1}, bias)))
	m := b.Op("MatMul", "matmul", []graph.Ref{x, w}, graph.Attrs{"T": tensor.Float32})
	y := b.Op("BiasAdd", "y", []graph.Ref{m, c}, graph.Attrs{"T": tensor.Float32})
	return finish(t, b, graph.Signature{
		Name:    graph.DefaultSignature,
		Inputs:  []graph.Port{port("x", tensor.Float32, tensor.Shape{-1, 2}, x)},
		Outputs: []graph.Port{port("y", tensor.Float32, tensor.Shape{-1, 1}, y)},
	})
}

// cell returns a vector in a variable with the signatures put (x → x, which it stores) and get (nothing → value).
func cell(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1})
	v := b.Op("VarHandleOp", "v", nil, graph.Attrs{"dtype": tensor.Float32, "shape": tensor.Shape{-1}, "shared_name": "v", "container": ""})
	assign := b.Op("AssignVariableOp", "assign", []graph.Ref{v, x}, graph.Attrs{"dtype": tensor.Float32})
	put := b.Op("Identity", "put", []graph.Ref{x, "^" + assign}, graph.Attrs{"T": tensor.Float32})
	get := b.Op("ReadVariableOp", "get", []graph.Ref{v}, graph.Attrs{"dtype": tensor.Float32})
	return finish(
		t, b,
		graph.Signature{Name: "get", Outputs: []graph.Port{port("value", tensor.Float32, nil, get)}},
		graph.Signature{Name: "put", Inputs: []graph.Port{port("x", tensor.Float32, tensor.Shape{-1}, x)}, Outputs: []graph.Port{port("x", tensor.Float32, nil, put)}},
	)
}

// unary returns x → y = op(x), with the signature's ports as given.
func unary(t testing.TB, op string, x, y graph.Port) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder()
	in := b.Placeholder("x", x.DType, x.Shape)
	b.Op(op, "y", []graph.Ref{in}, graph.Attrs{"T": x.DType})
	return finish(t, b, graph.Signature{Name: graph.DefaultSignature, Inputs: []graph.Port{x}, Outputs: []graph.Port{y}})
}

func TestGraphInMemory(t *testing.T) {
	for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}} {
		g := linear(t, 0.5)
		before := proto.Clone(g.Def)
		m := open(t, g, opts)
		y, err := m.Predict(t.Context(), floats(t, []int{3, 2}, 1, 0, 0, 1, 3, 4))
		require.NoError(t, err)
		require.Equal(t, []float64{2.5, -0.5, 2.5}, values(t, y))
		require.True(t, proto.Equal(before, g.Def), "the graph was changed")
	}
}

// Variables of equal names in two models are not the same variables.
func TestModelsShareNothing(t *testing.T) {
	one, two := open(t, linear(t, 1), tfbridge.Options{NoRewrite: true}), open(t, linear(t, 2), tfbridge.Options{NoRewrite: true})
	for m, want := range map[*tfbridge.Model]float64{one: 1, two: 2} {
		y, err := m.Predict(t.Context(), floats(t, []int{1, 2}, 0, 0))
		require.NoError(t, err)
		require.Equal(t, []float64{want}, values(t, y))
	}
}

// Reference variables, as TensorFlow 1 had them, are set too.
func TestReferenceVariable(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Int64, tensor.Shape{})
	v := b.Op("VariableV2", "v", nil, graph.Attrs{"dtype": tensor.Int64, "shape": tensor.Shape{}, "shared_name": "", "container": ""})
	y := b.Op("AddV2", "y", []graph.Ref{x, v}, graph.Attrs{"T": tensor.Int64})
	g := finish(t, b, graph.Signature{Name: "add", Inputs: []graph.Port{port("x", tensor.Int64, tensor.Shape{}, x)}, Outputs: []graph.Port{port("y", tensor.Int64, tensor.Shape{}, y)}})
	g.Variables["v"] = tensor.Scalar(int64(40))
	for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}} {
		sum, err := open(t, g, opts).Predict(t.Context(), tensor.Scalar(int64(2)))
		require.NoError(t, err)
		require.Equal(t, []float64{42}, values(t, sum))
	}
}

func TestFrozenGraph(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
	w := b.Const("w", floats(t, []int{2, 2}, 0, 1, 1, 0))
	b.Op("MatMul", "swapped", []graph.Ref{x, w}, graph.Attrs{"T": tensor.Float32})
	data, err := proto.Marshal(finish(t, b).Def)
	require.NoError(t, err)
	g, err := graph.ParseFrozen(data)
	require.NoError(t, err)
	y, err := open(t, g, tfbridge.Options{}).Predict(t.Context(), floats(t, []int{1, 2}, 3, 4))
	require.NoError(t, err)
	require.Equal(t, []float64{4, 3}, values(t, y))
}

// TensorFlow keeps the memory of an input that was assigned to a variable: the next input must lie elsewhere.
func TestInputThatTensorFlowKeeps(t *testing.T) {
	m := open(t, cell(t), tfbridge.Options{MaxConcurrent: 1})
	put := func(v ...float32) {
		_, err := m.CallSignature(t.Context(), "put", map[string]*tensor.Tensor{"x": floats(t, []int{len(v)}, v...)})
		require.NoError(t, err)
	}
	get := func() any {
		y, err := m.CallSignature(t.Context(), "get", nil)
		require.NoError(t, err)
		return values(t, y["value"])
	}
	put(1, 2, 3)
	require.Equal(t, []float64{1, 2, 3}, get())
	_, err := m.Fetch(t.Context(), map[string]*tensor.Tensor{"x": floats(t, []int{3}, 7, 8, 9)}, []string{"x:0"})
	require.Error(t, err, "TensorFlow refuses to fetch what is fed")
	require.Equal(t, []float64{1, 2, 3}, get())
	put(4, 5, 6)
	put(7)
	require.Equal(t, []float64{7}, get())
}

// An output that several ports name comes back under each of them.
func TestAliasedOutputs(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1})
	y := b.Op("Neg", "y", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
	g := finish(t, b, graph.Signature{
		Name:    graph.DefaultSignature,
		Inputs:  []graph.Port{port("x", tensor.Float32, tensor.Shape{-1}, x)},
		Outputs: []graph.Port{port("minus", tensor.Float32, nil, y), port("negative", tensor.Float32, nil, y)},
	})
	for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}} {
		r, err := open(t, g, opts).Call(t.Context(), map[string]*tensor.Tensor{"x": floats(t, []int{2}, 1, 2)})
		require.NoError(t, err)
		require.Equal(t, []float64{-1, -2}, values(t, r["minus"]))
		require.Equal(t, []float64{-1, -2}, values(t, r["negative"]))
	}
}

func TestOutputThatIsTheInput(t *testing.T) {
	x := graph.Port{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1}, Tensor: "x:0"}
	y := graph.Port{Name: "y", DType: tensor.Float32, Tensor: "y:0"}
	for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}} {
		m := open(t, unary(t, "Identity", x, y), opts)
		r, err := m.Predict(t.Context(), floats(t, []int{2}, 1, 2))
		require.NoError(t, err)
		require.Equal(t, []float64{1, 2}, values(t, r))
	}
}

// Where a signature contradicts the graph, the graph is right: it is what TensorFlow runs.
func TestSignatureThatLies(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		b := graph.NewBuilder()
		x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
		y := b.Op("Neg", "y", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
		m := open(t, finish(t, b, graph.Signature{
			Name:    graph.DefaultSignature,
			Inputs:  []graph.Port{port("x", tensor.String, tensor.Shape{}, x)},
			Outputs: []graph.Port{port("y", tensor.Int64, tensor.Shape{-1, -1, 3}, y)},
		}), opts)
		sig := m.Signature()
		require.Equal(t, []graph.Port{port("x", tensor.Float32, tensor.Shape{-1, 2}, x)}, sig.Inputs)
		require.Equal(t, []graph.Port{port("y", tensor.Float32, tensor.Shape{-1, 2}, y)}, sig.Outputs)
		r, err := m.Predict(t.Context(), floats(t, []int{1, 2}, 3, 4))
		require.NoError(t, err)
		require.Equal(t, []float64{-3, -4}, values(t, r))
		_, err = m.Predict(t.Context(), tensor.Scalar("a"))
		require.ErrorIs(t, err, tfbridge.ErrInput)
	})
}

func TestNewRefuses(t *testing.T) {
	x := graph.Port{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1}, Tensor: "x:0"}
	y := graph.Port{Name: "y", DType: tensor.Float32, Tensor: "y:0"}
	with := func(p graph.Port, change func(*graph.Port)) graph.Port {
		change(&p)
		return p
	}
	for _, c := range []struct {
		name  string
		graph func() *graph.Graph
		opts  tfbridge.Options
		is    error
		want  string
	}{
		{"no graph", func() *graph.Graph { return nil }, tfbridge.Options{}, graph.ErrMalformed, "there is no graph"},
		{"no definition", func() *graph.Graph { return &graph.Graph{} }, tfbridge.Options{}, graph.ErrMalformed, "there is no graph"},
		{"an unknown op", func() *graph.Graph { return unary(t, "Frobnicate", x, y) }, tfbridge.Options{}, graph.ErrUnsupported, "has no op Frobnicate"},
		{"a signature that is not there", func() *graph.Graph { return linear(t, 0) }, tfbridge.Options{Signature: "train"}, graph.ErrNoSignature, "train"},
		{"an input that is not there", func() *graph.Graph { return unary(t, "Neg", with(x, func(p *graph.Port) { p.Tensor = "z:0" }), y) }, tfbridge.Options{}, tfbridge.ErrName, `no node "z"`},
		{"an output number that is not there", func() *graph.Graph { return unary(t, "Neg", x, with(y, func(p *graph.Port) { p.Tensor = "y:1" })) }, tfbridge.Options{}, tfbridge.ErrName, "has 1 outputs"},
		{"a name with a zero byte", func() *graph.Graph { return unary(t, "Neg", x, with(y, func(p *graph.Port) { p.Tensor = "y\x00:0" })) }, tfbridge.Options{}, tfbridge.ErrName, "no node"},
		{"a constant of two types", func() *graph.Graph {
			b := graph.NewBuilder()
			b.Op("Const", "c", nil, graph.Attrs{"dtype": tensor.Int32, "value": tensor.Scalar(float32(1))})
			return finish(t, b)
		}, tfbridge.Options{}, graph.ErrMalformed, "constant c should be DT_INT32 and is DT_FLOAT"},
		{"a function that is not there", func() *graph.Graph {
			g := readGraph(t, models+"/control_flow/saved_model")
			for _, f := range g.Def.GetLibrary().GetFunction() {
				for _, n := range f.GetNodeDef() {
					if body := n.GetAttr()["body"].GetFunc(); body != nil {
						body.Name = "nobody"
					}
				}
			}
			return g
		}, tfbridge.Options{}, graph.ErrMalformed, `calls the function "nobody", which the graph does not have`},
		{"no such device", func() *graph.Graph { return linear(t, 0) }, tfbridge.Options{Device: "gpu:63"}, tfbridge.ErrOptions, "there is no GPU 63; TensorFlow sees /job:localhost"},
		{"options", func() *graph.Graph { return linear(t, 0) }, tfbridge.Options{Threads: -1}, tfbridge.ErrOptions, "Threads"},
		{"no checkpoint", func() *graph.Graph {
			g := linear(t, 0)
			g.Variables, g.Checkpoint = nil, &graph.Checkpoint{Prefix: t.TempDir() + "/variables", RestoreOp: "w"}
			return g
		}, tfbridge.Options{}, tfbridge.ErrCheckpoint, "copy the variables directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tfbridge.New(t.Context(), c.graph(), c.opts)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.want)
		})
	}
}
