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

func TestReadFrozen(t *testing.T) {
	for name, want := range map[string]struct {
		parameters int64
		in, out    Port
	}{
		"mlp": {101770, Port{Name: "input_layer", DType: tensor.Float32, Shape: tensor.Shape{-1, 784}, Tensor: "input_layer:0"}, Port{Name: "Identity", DType: tensor.Float32, Tensor: "Identity:0"}},
	} {
		path := filepath.Join("../scripts/testdata/mnist", name, "frozen.pb")
		g, err := ReadFrozen(path)
		require.NoError(t, err)
		require.Equal(t, path, g.Source.Path)
		s, err := g.Signature("")
		require.NoError(t, err)
		require.Equal(t, DefaultSignature, s.Name)
		require.Len(t, s.Inputs, 1)
		require.Equal(t, want.in.Shape, s.Inputs[0].Shape)
		require.Equal(t, want.in.DType, s.Inputs[0].DType)
		require.Len(t, s.Outputs, 1)
		require.Equal(t, want.out.DType, s.Outputs[0].DType)
		require.Equal(t, want.parameters, g.Parameters())
	}
	_, err := ReadFrozen(filepath.Join(t.TempDir(), "none.pb"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestEndpoints(t *testing.T) {
	float := `attr { key: "dtype" value { type: DT_FLOAT } }`
	tests := []struct {
		name, text      string
		inputs, outputs []Port
	}{
		{"placeholders that nothing reads are no inputs", `node { name: "x" op: "Placeholder" ` + float + ` attr { key: "shape" value { shape { dim { size: -1 } dim { size: 2 } } } } }
			node { name: "idle" op: "Placeholder" } node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } }`,
			[]Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: "x:0"}}, []Port{{Name: "y", DType: tensor.Float32, Tensor: "y:0"}}},
		{"a scalar's shape before version 22 is none", `node { name: "x" op: "Placeholder" ` + float + ` attr { key: "shape" value { shape { } } } } node { name: "y" op: "Shape" input: "x" } versions { producer: 21 }`,
			[]Port{{Name: "x", DType: tensor.Float32, Tensor: "x:0"}}, []Port{{Name: "y", DType: tensor.Int32, Tensor: "y:0"}}},
		{"and later is one", `node { name: "x" op: "Placeholder" ` + float + ` attr { key: "shape" value { shape { } } } } node { name: "y" op: "Shape" input: "x" attr { key: "out_type" value { type: DT_INT64 } } } versions { producer: 22 }`,
			[]Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{}, Tensor: "x:0"}}, []Port{{Name: "y", DType: tensor.Int64, Tensor: "y:0"}}},
		{"several outputs of a node, shapes where they are noted", `node { name: "x" op: "PlaceholderWithDefault" input: "d" ` + float + ` attr { key: "_output_shapes" value { list { shape { dim { size: 4 } } } } } } node { name: "d" op: "Const" }
			node { name: "y" op: "TopKV2" input: "x" input: "d" attr { key: "T" value { type: DT_FLOAT } } attr { key: "_output_shapes" value { list { shape { dim { size: 2 } } shape { unknown_rank: true } } } } }`,
			[]Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{4}, Tensor: "x:0", Optional: true}}, []Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{2}, Tensor: "y:0"}, {Name: "y:1", DType: tensor.Int32, Tensor: "y:1"}}},
		{"lists of outputs", `node { name: "x" op: "Placeholder" ` + float + ` } node { name: "s" op: "Split" input: "x" input: "x" attr { key: "num_split" value { i: 2 } } attr { key: "T" value { type: DT_FLOAT } } }
			node { name: "n" op: "IdentityN" input: "x" attr { key: "T" value { list { type: DT_FLOAT } } } }`,
			[]Port{{Name: "x", DType: tensor.Float32, Tensor: "x:0"}}, []Port{{Name: "n", DType: tensor.Float32, Tensor: "n:0"}, {Name: "s", DType: tensor.Float32, Tensor: "s:0"}, {Name: "s:1", DType: tensor.Float32, Tensor: "s:1"}}},
		{"what initializes, asserts and saves is no output", `node { name: "x" op: "Placeholder" ` + float + ` } node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
			node { name: "a" op: "Assert" input: "x" } node { name: "n" op: "NoOp" input: "^x" } node { name: "v" op: "VariableV2" } node { name: "i" op: "Assign" input: "v" input: "x" } node { name: "c" op: "Const" }
			node { name: "s" op: "SaveV2" input: "v" } node { name: "saved" op: "Identity" input: "c" input: "^s" } node { name: "sum" op: "ScalarSummary" input: "x" }`,
			[]Port{{Name: "x", DType: tensor.Float32, Tensor: "x:0"}}, []Port{{Name: "y", DType: tensor.Float32, Tensor: "y:0"}}},
		{"an op of a library", `node { name: "x" op: "Placeholder" ` + float + ` } node { name: "y" op: "OfALibrary" input: "x" attr { key: "T" value { type: DT_INT8 } } }`,
			[]Port{{Name: "x", DType: tensor.Float32, Tensor: "x:0"}}, []Port{{Name: "y", DType: tensor.Int8, Tensor: "y:0"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			binary, err := proto.Marshal(parse(t, test.text).Def)
			require.NoError(t, err)
			for _, data := range [][]byte{[]byte("# a graph\n\n" + test.text), binary} {
				require.True(t, LooksLikeGraphDef(data[:min(len(data), 32)]))
				g, err := ParseFrozen(data)
				require.NoError(t, err)
				require.Equal(t, test.inputs, g.Signatures[0].Inputs)
				require.Equal(t, test.outputs, g.Signatures[0].Outputs)
			}
		})
	}
}

func TestParseFrozenErrors(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		is   error
	}{
		"empty":               {"", ErrMalformed},
		"something else":      {"hello, world", ErrMalformed},
		"a SavedModel":        {"\x08\x01\x12\x00", ErrMalformed},
		"text cut short":      {`node { name: "x" op: `, ErrMalformed},
		"no outputs":          {`node { name: "x" op: "Placeholder" }`, ErrMalformed},
		"a circle":            {`node { name: "x" op: "Neg" input: "x" }`, ErrMalformed},
		"variables":           {`node { name: "v" op: "VarHandleOp" } node { name: "y" op: "ReadVariableOp" input: "v" }`, ErrNotFrozen},
		"input without name":  {`node { name: "y" op: "Neg" input: "" }`, ErrMalformed},
		"too many outputs":    {`node { name: "y" op: "Unpack" attr { key: "num" value { i: 1000000000 } } }`, ErrMalformed},
		"a negative number":   {`node { name: "y" op: "Unpack" attr { key: "num" value { i: -1 } } }`, ErrMalformed},
		"output out of range": {`node { name: "x" op: "NoOp" } node { name: "y" op: "Neg" input: "x:99999999" }`, ErrMalformed},
	} {
		_, err := ParseFrozen([]byte(test.data))
		require.ErrorIs(t, err, test.is, name)
	}
}

func TestLooksLikeGraphDef(t *testing.T) {
	for head, want := range map[string]bool{
		"\x0a\x05\x0a\x01x\x12": true, "\x0a\xff\xff\x03\x0a\x01x": true, "\x22\x02\x08\x01": true, "node {": true, "  # c\nversions: <": true, "versions\n{": true,
		"": false, "no": false, "nodes": false, "node": false, "# only": false, "\x89HDF\r\n\x1a\n": false, "PK\x03\x04": false, "\x08\x01\x12": false, "\x0a\x05\x08\x01": false, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff": false,
	} {
		require.Equal(t, want, LooksLikeGraphDef([]byte(head)), "%q", head)
	}
}

func TestTensorOf(t *testing.T) {
	shape := func(dims ...int) *tfproto.TensorShapeProto { return ShapeProto(append(tensor.Shape{}, dims...)) }
	dtype := func(d tensor.DType) tfproto.DataType { return tfproto.DataType(d) }
	for name, test := range map[string]struct {
		p    *tfproto.TensorProto
		want *tensor.Tensor
	}{
		"content":          {&tfproto.TensorProto{Dtype: dtype(tensor.Int32), TensorShape: shape(2), TensorContent: []byte{1, 0, 0, 0, 2, 0, 0, 0}}, tensor.Must(tensor.Of([]int32{1, 2}))},
		"values":           {&tfproto.TensorProto{Dtype: dtype(tensor.Float32), TensorShape: shape(2), FloatVal: []float32{1, 2}}, tensor.Must(tensor.Of([]float32{1, 2}))},
		"one for all":      {&tfproto.TensorProto{Dtype: dtype(tensor.Float64), TensorShape: shape(2, 2), DoubleVal: []float64{3}}, tensor.Must(tensor.Of([]float64{3, 3, 3, 3}, 2, 2))},
		"the last repeats": {&tfproto.TensorProto{Dtype: dtype(tensor.Int64), TensorShape: shape(4), Int64Val: []int64{1, 2}}, tensor.Must(tensor.Of([]int64{1, 2, 2, 2}))},
		"none":             {&tfproto.TensorProto{Dtype: dtype(tensor.Float32), TensorShape: shape(2)}, tensor.Must(tensor.Of([]float32{0, 0}))},
		"scalar":           {&tfproto.TensorProto{Dtype: dtype(tensor.Bool), TensorShape: shape(), BoolVal: []bool{true}}, tensor.Scalar(true)},
		"empty":            {&tfproto.TensorProto{Dtype: dtype(tensor.Float32), TensorShape: shape(0, 3), FloatVal: nil}, tensor.Must(tensor.Of([]float32{}, 0, 3))},
		"half":             {&tfproto.TensorProto{Dtype: dtype(tensor.Float16), TensorShape: shape(2), HalfVal: []int32{0x3c00}}, tensor.Must(tensor.Of([]tensor.Half{0x3c00, 0x3c00}))},
		"bfloat16":         {&tfproto.TensorProto{Dtype: dtype(tensor.BFloat16), TensorShape: shape(1), HalfVal: []int32{0x3f80}}, tensor.Must(tensor.Of([]tensor.Brain{0x3f80}))},
		"int8":             {&tfproto.TensorProto{Dtype: dtype(tensor.Int8), TensorShape: shape(2), IntVal: []int32{-1, 5}}, tensor.Must(tensor.Of([]int8{-1, 5}))},
		"uint16":           {&tfproto.TensorProto{Dtype: dtype(tensor.Uint16), TensorShape: shape(1), IntVal: []int32{65535}}, tensor.Must(tensor.Of([]uint16{65535}))},
		"uint32":           {&tfproto.TensorProto{Dtype: dtype(tensor.Uint32), TensorShape: shape(1), Uint32Val: []uint32{7}}, tensor.Must(tensor.Of([]uint32{7}))},
		"uint64":           {&tfproto.TensorProto{Dtype: dtype(tensor.Uint64), TensorShape: shape(1), Uint64Val: []uint64{7}}, tensor.Must(tensor.Of([]uint64{7}))},
		"complex64":        {&tfproto.TensorProto{Dtype: dtype(tensor.Complex64), TensorShape: shape(2), ScomplexVal: []float32{1, 2}}, tensor.Must(tensor.Of([]complex64{1 + 2i, 1 + 2i}))},
		"complex128":       {&tfproto.TensorProto{Dtype: dtype(tensor.Complex128), TensorShape: shape(1), DcomplexVal: []float64{1, 2}}, tensor.Must(tensor.Of([]complex128{1 + 2i}))},
		"strings":          {&tfproto.TensorProto{Dtype: dtype(tensor.String), TensorShape: shape(3), StringVal: [][]byte{[]byte("a"), nil}}, tensor.Must(tensor.Of([]string{"a", "", ""}))},
		"encoded strings":  {&tfproto.TensorProto{Dtype: dtype(tensor.String), TensorShape: shape(2), TensorContent: []byte("\x02\x01abc")}, tensor.Must(tensor.Of([]string{"ab", "c"}))},
	} {
		got, err := TensorOf(test.p)
		require.NoError(t, err, name)
		require.True(t, test.want.Equal(got), "%s: want %v, have %v", name, test.want, got)
	}
	for name, p := range map[string]*tfproto.TensorProto{
		"nothing":             nil,
		"unknown shape":       {Dtype: dtype(tensor.Float32), TensorShape: &tfproto.TensorShapeProto{UnknownRank: true}},
		"unknown dimension":   {Dtype: dtype(tensor.Float32), TensorShape: shape(-1)},
		"overflow":            {Dtype: dtype(tensor.Float32), TensorShape: shape(1<<40, 1<<40)},
		"huge from one value": {Dtype: dtype(tensor.Float32), TensorShape: shape(1 << 40), FloatVal: []float32{1}},
		"too many values":     {Dtype: dtype(tensor.Float32), TensorShape: shape(1), FloatVal: []float32{1, 2}},
		"short content":       {Dtype: dtype(tensor.Float32), TensorShape: shape(2), TensorContent: []byte{1, 2}},
		"resource":            {Dtype: dtype(tensor.Resource), TensorShape: shape()},
		"unknown type":        {Dtype: 77, TensorShape: shape()},
		"huge strings":        {Dtype: dtype(tensor.String), TensorShape: shape(1 << 40)},
		"short strings":       {Dtype: dtype(tensor.String), TensorShape: shape(2), TensorContent: []byte("\x02\x05abc")},
		"no lengths":          {Dtype: dtype(tensor.String), TensorShape: shape(2), TensorContent: []byte("\x02")},
		"too many strings":    {Dtype: dtype(tensor.String), TensorShape: shape(1), StringVal: [][]byte{nil, nil}},
	} {
		_, err := TensorOf(p)
		require.Error(t, err, name)
	}
}

func TestTensorProto(t *testing.T) {
	for _, want := range []*tensor.Tensor{
		tensor.Scalar("text"), tensor.Must(tensor.Of([]string{"a", ""}, 1, 2)), tensor.Must(tensor.Of([]float32{1, 2, 3})), tensor.Must(tensor.New(tensor.BFloat16, 0, 2)), tensor.Scalar(true),
	} {
		p, err := TensorProto(want)
		require.NoError(t, err)
		got, err := TensorOf(p)
		require.NoError(t, err)
		require.True(t, want.Equal(got))
	}
}

func TestParseTensor(t *testing.T) {
	node, output, err := ParseTensor("a/b:3")
	require.NoError(t, err)
	require.Equal(t, "a/b", node)
	require.Equal(t, 3, output)
	node, output, err = ParseTensor("a")
	require.NoError(t, err)
	require.Equal(t, "a", node)
	require.Zero(t, output)
	for _, s := range []string{"", ":0", "a:", "a:b", "a:-1", "a:99999999", "^a", "a:0:1"} {
		_, _, err := ParseTensor(s)
		require.ErrorIs(t, err, ErrMalformed, s)
	}
}

func TestSignature(t *testing.T) {
	one := &Graph{Signatures: []Signature{{Name: "only"}}}
	s, err := one.Signature("")
	require.NoError(t, err)
	require.Equal(t, "only", s.Name)
	two := &Graph{Signatures: []Signature{{Name: "a", Inputs: []Port{{Name: "x"}}, Outputs: []Port{{Name: "y"}}}, {Name: DefaultSignature}}}
	s, err = two.Signature("")
	require.NoError(t, err)
	require.Equal(t, DefaultSignature, s.Name)
	s, err = two.Signature("a")
	require.NoError(t, err)
	require.NotNil(t, s.Input("x"))
	require.Nil(t, s.Input("y"))
	require.NotNil(t, s.Output("y"))
	_, err = two.Signature("b")
	require.ErrorIs(t, err, ErrNoSignature)
	require.ErrorContains(t, err, "a, serving_default")
	_, err = (&Graph{Signatures: []Signature{{Name: "a"}, {Name: "b"}}}).Signature("")
	require.ErrorIs(t, err, ErrNoSignature)
	_, err = (&Graph{}).Signature("")
	require.ErrorIs(t, err, ErrNoSignature)
}

// Variables that share a name count once, those that no output needs not at all; without variables constants count.
func TestParameters(t *testing.T) {
	g := parse(t, variable("v", "VarHandleOp", `attr { key: "shared_name" value { s: "v" } }`)+variable("again", "VarHandleOp", `attr { key: "shared_name" value { s: "v" } }`)+variable("slot", "VariableV2")+`
		node { name: "big" op: "VariableV2" } node { name: "c" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 7 } } } } } }
		node { name: "y" op: "Pack" input: "v" input: "again" input: "big" input: "c" } node { name: "z" op: "Neg" input: "c" }`,
		signature("s", nil, []string{"y:0"}))
	require.EqualValues(t, 2, g.Parameters())
	g.Variables = map[string]*tensor.Tensor{"big": tensor.Must(tensor.New(tensor.Float32, 3, 3))}
	require.EqualValues(t, 11, g.Parameters())
	require.True(t, g.HasVariables())
	g.Signatures = []Signature{signature("s", nil, []string{"z:0"})}
	require.EqualValues(t, 7, g.Parameters())
}
