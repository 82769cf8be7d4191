package tensor_test

import (
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func TestReadJSON(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct {
		name, text string
		as         tensor.DType
		want       *tensor.Tensor
	}{
		{"floats are rounded to nearest", "[[0.1, 2], [3e1, -4]]", tensor.Float32, tensor.Must(tensor.Of([]float32{0.1, 2, 30, -4}, 2, 2))},
		{"scalar", " 2.5\n", tensor.Float64, tensor.Scalar(2.5)},
		{"whole numbers with a point", "[1.0, 2e2, -0.0]", tensor.Int16, tensor.Must(tensor.Of([]int16{1, 200, 0}))},
		{"limits", "[-128, 127]", tensor.Int8, tensor.Must(tensor.Of([]int8{-128, 127}))},
		{"limits of 64 bits", "[-9223372036854775808, 9223372036854775807]", tensor.Int64, tensor.Must(tensor.Of([]int64{math.MinInt64, math.MaxInt64}))},
		{"unsigned", "[18446744073709551615, -0]", tensor.Uint64, tensor.Must(tensor.Of([]uint64{math.MaxUint64, 0}))},
		{"bool", "[true, false, 1, 0]", tensor.Bool, tensor.Must(tensor.Of([]bool{true, false, true, false}))},
		{"half", "[1, 65504]", tensor.Float16, tensor.Must(tensor.Of([]tensor.Half{0x3c00, 0x7bff}))},
		{"bfloat16", "[1]", tensor.BFloat16, tensor.Must(tensor.Of([]tensor.Brain{0x3f80}))},
		{"not a number", `[NaN, "NaN", Infinity, "-Infinity"]`, tensor.Float32, tensor.Must(tensor.Of([]float32{nan, nan, inf, -inf}))},
		{"strings", `["a\u00e9\n", "", {"b64": "/wA="}, {"b64":""}]`, tensor.String, tensor.Must(tensor.Of([]string{"aé\n", "", "\xff\x00", ""}))},
		{"complex", "[[1, -2], [0.5, 0]]", tensor.Complex64, tensor.Must(tensor.Of([]complex64{1 - 2i, 0.5}))},
		{"complex scalar", `[1, "NaN"]`, tensor.Complex128, tensor.Must(tensor.Of([]complex128{complex(1, math.NaN())}, []int{}...))},
		{"empty", "[]", tensor.Int32, tensor.Must(tensor.New(tensor.Int32, 0))},
		{"empty rows", "[[], []]", tensor.Int32, tensor.Must(tensor.New(tensor.Int32, 2, 0))},
		{"inferred integers", "[1, -2]", tensor.Invalid, tensor.Must(tensor.Of([]int64{1, -2}))},
		{"inferred large integers", "[1, 9223372036854775808]", tensor.Invalid, tensor.Must(tensor.Of([]uint64{1, 1 << 63}))},
		{"inferred floats", "[1, 2.5]", tensor.Invalid, tensor.Must(tensor.Of([]float64{1, 2.5}))},
		{"inferred bool", "[[true]]", tensor.Invalid, tensor.Must(tensor.Of([]bool{true}, 1, 1))},
		{"inferred strings", `["1"]`, tensor.Invalid, tensor.Must(tensor.Of([]string{"1"}))},
		{"inferred from nothing", "[[]]", tensor.Invalid, tensor.Must(tensor.New(tensor.Float32, 1, 0))},
		{"byte order mark", "\xef\xbb\xbf[1]", tensor.Uint8, tensor.Must(tensor.Of([]uint8{1}))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tensor.ReadJSON(strings.NewReader(test.text), test.as)
			require.NoError(t, err)
			if test.name == "complex scalar" {
				test.want = tensor.Must(test.want.Reshape())
			}
			require.Equal(t, test.want.String(), got.String())
			require.NoError(t, tensor.AllClose(got, test.want, 0, 0))
		})
	}
}

func TestReadJSONRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		as         tensor.DType
		is         error
		says       string
	}{
		{"a short row", "[[1,2],[3]]", tensor.Float32, tensor.ErrShape, "ragged: [1] has 1 elements, the ones before it have 2"},
		{"a deep row", "[[[1,2],[3,4]],[[5,6],[7,8,9]]]", tensor.Float32, tensor.ErrShape, "[1,1] has 3 elements"},
		{"a list among numbers", "[1,[2]]", tensor.Float32, tensor.ErrShape, "[1] is a list, others beside it are not"},
		{"a number among lists", "[[1],2]", tensor.Float32, tensor.ErrShape, "[1] is no list, others beside it are"},
		{"a number after an empty list", "[[],2]", tensor.Float32, tensor.ErrShape, "[1] is no list"},
		{"rows after an empty one", "[[],[2]]", tensor.Float32, tensor.ErrShape, "[1] has 1 elements, the ones before it have 0"},
		{"a fraction", "[[1, 1.5]]", tensor.Int32, tensor.ErrDType, `element [0,1]: `},
		{"out of range", "[256]", tensor.Uint8, tensor.ErrDType, `"256" is no uint8`},
		{"negative", "[-1]", tensor.Uint8, tensor.ErrDType, `"-1" is no uint8`},
		{"below the range", "[-129]", tensor.Int8, tensor.ErrDType, `"-129" is no int8`},
		{"larger than a float32", "[1e39]", tensor.Float32, tensor.ErrDType, `"1e39" is no float32`},
		{"larger than a float16", "[65520]", tensor.Float16, tensor.ErrDType, `"65520" is no float16`},
		{"4 bits", "[8]", tensor.Int4, tensor.ErrDType, `"8" is no int4`},
		{"2 is no bool", "[2]", tensor.Bool, tensor.ErrDType, `"2" is no bool`},
		{"a string for a number", `["1"]`, tensor.Float32, tensor.ErrDType, `the string "1" is no float32`},
		{"NaN for an integer", `[NaN]`, tensor.Int8, tensor.ErrDType, `"NaN" is no int8`},
		{"a number for a string", `[1]`, tensor.String, tensor.ErrDType, "1 is no string"},
		{"numbers and strings", `["a", 1]`, tensor.Invalid, tensor.ErrDType, "1 is no string"},
		{"a handle", "[1]", tensor.Resource, tensor.ErrDType, "resource"},
		{"null", "[1,null]", tensor.Float32, tensor.ErrFormat, `"null" is neither`},
		{"nothing", "", tensor.Float32, tensor.ErrFormat, "a value is missing"},
		{"line", "[1,\n2,\nx]", tensor.Float32, tensor.ErrFormat, `line 3, byte 7: "x" is neither`},
		{"open", "[1,2", tensor.Float32, tensor.ErrFormat, "neither a comma nor the end"},
		{"comma", "[1,]", tensor.Float32, tensor.ErrFormat, "a value is missing"},
		{"more behind", "[1] [2]", tensor.Float32, tensor.ErrFormat, "more behind"},
		{"octal", "[01]", tensor.Float32, tensor.ErrFormat, `"01" is neither`},
		{"hexadecimal", "[0x1]", tensor.Float32, tensor.ErrFormat, `"0x1" is neither`},
		{"not UTF-8", "[\"\xff\"]", tensor.String, tensor.ErrFormat, "not UTF-8"},
		{"open string", `["a\"]`, tensor.String, tensor.ErrFormat, "without an end"},
		{"bad escape", `["\x"]`, tensor.String, tensor.ErrFormat, "invalid character"},
		{"an object", `[{"a": "b"}]`, tensor.String, tensor.ErrFormat, "not {\"b64\""},
		{"an object of a number", `[{"b64": 1}]`, tensor.String, tensor.ErrFormat, "not {\"b64\""},
		{"an object with more", `[{"b64": "", "a": ""}]`, tensor.String, tensor.ErrFormat, "not {\"b64\""},
		{"not base64", `[{"b64": "*"}]`, tensor.String, tensor.ErrFormat, "not {\"b64\""},
		{"too deep", strings.Repeat("[", 1_000_000), tensor.Float32, tensor.ErrFormat, "too many lists"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := tensor.ReadJSON(strings.NewReader(test.text), test.as)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := tensor.ReadJSON(iotest.ErrReader(errFull), tensor.Float32)
	require.ErrorIs(t, err, errFull)
}

// oneOfEach has a tensor of each type with the values that are hard to write as text.
func oneOfEach() []*tensor.Tensor {
	floats := tensor.Must(tensor.Of([]float64{0.1, 1, -3e38, 1e-45, math.NaN(), math.Inf(1), math.Inf(-1), 65504}, 2, 2, 2))
	list := []*tensor.Tensor{
		floats,
		tensor.Must(tensor.Of([]string{"a,b", "\"", "", "ß\u2028<&", "\xff\x00", "\n"}, 3, 2)),
		tensor.Must(tensor.Of([]bool{true, false}, 2)),
		tensor.Must(tensor.Of([]complex128{1 - 0.1i, complex(math.Inf(1), 0)}, 1, 2)),
		tensor.Must(tensor.Of([]complex64{1 - 0.1i, 0}, 2)),
		tensor.Must(tensor.Of([]int64{math.MinInt64, math.MaxInt64}, 2, 1)),
		tensor.Must(tensor.Of([]uint64{math.MaxUint64}, 1, 1, 1)),
	}
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float8E5M2, tensor.Float8E4M3FN} {
		list = append(list, tensor.Must(floats.Cast(d)))
	}
	small := tensor.Must(tensor.Of([]int8{0, 7, 1}, 1, 3))
	for _, d := range []tensor.DType{tensor.Int8, tensor.Uint8, tensor.Int16, tensor.Uint16, tensor.Int32, tensor.Uint32, tensor.QInt8, tensor.QUint8, tensor.QInt16, tensor.QUint16, tensor.QInt32, tensor.Int4, tensor.Uint4} {
		list = append(list, tensor.Must(small.Cast(d)))
	}
	return list
}

func TestJSONRoundTrip(t *testing.T) {
	for _, x := range append(oneOfEach(), tensor.Scalar("x"), tensor.Scalar(float32(2)), tensor.Must(tensor.New(tensor.Float32, 2, 0))) {
		var b strings.Builder
		require.NoError(t, tensor.WriteJSON(&b, x))
		require.True(t, json.Valid([]byte(b.String())), b.String())
		got, err := tensor.ReadJSON(strings.NewReader(b.String()), x.DType())
		require.NoError(t, err, b.String())
		require.Equal(t, x.String(), got.String())
		require.NoError(t, tensor.AllClose(got, x, 0, 0), b.String())

		document, err := json.Marshal(map[string]*tensor.Tensor{"y": x})
		require.NoError(t, err)
		var back map[string]*tensor.Tensor
		require.NoError(t, json.Unmarshal(document, &back), string(document))
		require.Equal(t, x.String(), back["y"].String())
		require.NoError(t, tensor.AllClose(back["y"], x, 0, 0), string(document))
	}
}

func TestJSONText(t *testing.T) {
	x := tensor.Must(tensor.Of([]float32{0.1, 3, float32(math.NaN()), 1e21}, 2, 2))
	text, err := json.Marshal(x)
	require.NoError(t, err)
	require.Contains(t, string(text), `"shape":[2,2],"data":[[0.1,3.0],["NaN",1e+21]]}`)

	for _, d := range []tensor.DType{tensor.Float32, tensor.String, tensor.Complex64} {
		empty := tensor.Must(tensor.New(d, 0, 784))
		text, err := json.Marshal(empty)
		require.NoError(t, err)
		back := new(tensor.Tensor)
		require.NoError(t, json.Unmarshal(text, back))
		require.Equal(t, empty.String(), back.String())
	}
	for _, bad := range []string{`{"dtype":"float32","shape":[3],"data":[1,2]}`, `{"dtype":"float32","shape":[0,2],"data":[1,2]}`, `{"dtype":"float32","shape":[-1],"data":[1]}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), new(tensor.Tensor)), tensor.ErrShape, bad)
	}
	require.ErrorIs(t, json.Unmarshal([]byte(`{"dtype":"float33","data":1}`), new(tensor.Tensor)), tensor.ErrDType)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"dtype":3}`), new(tensor.Tensor)), tensor.ErrFormat)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"dtype":"int8"}`), new(tensor.Tensor)), tensor.ErrFormat)
	require.ErrorIs(t, tensor.WriteJSON(io.Discard, nil), tensor.ErrDType)
	require.ErrorIs(t, tensor.WriteJSON(&fullDisk{3}, x), errFull)
	null, err := json.Marshal((*tensor.Tensor)(nil))
	require.NoError(t, err)
	require.Equal(t, "null", string(null))
}
