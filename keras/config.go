package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// Config is a layer's configuration as Keras 3 writes it: what get_config returns. Older files are brought to these names
// when they are read.
type Config map[string]any

// decodeJSON reads a JSON document as Python's json module writes it, which has NaN and Infinity.
func decodeJSON(data []byte) (map[string]any, error) {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(pythonNumbers(data)))
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: configuration: %w", ErrFormat, err)
	}
	if v == nil {
		return nil, fmt.Errorf("%w: the configuration is null", ErrFormat)
	}
	return v, nil
}

// encodeJSON writes a JSON document as Python's json module does.
func encodeJSON(v any) ([]byte, error) {
	text, err := json.Marshal(reals(v))
	for _, word := range numberWords {
		text = bytes.ReplaceAll(text, []byte(`"`+numberMark+word+`"`), []byte(word))
	}
	return text, err
}

// numberWords are the numbers that JSON does not have. What is decoded has them as strings that begin with a NUL.
var numberWords = []string{"NaN", "Infinity", "-Infinity"}

const numberMark = `\u0000`

// pythonNumbers writes these numbers as such strings.
func pythonNumbers(data []byte) []byte {
	if !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("Infinity")) {
		return data
	}
	var out []byte
	for i, quoted := 0, false; i < len(data); {
		switch {
		case data[i] == '"':
			quoted = !quoted
		case quoted && data[i] == '\\' && i+1 < len(data):
			out = append(out, data[i])
			i++
		case !quoted:
			if word := numberWord(data[i:]); word != "" {
				out = append(out, '"')
				out = append(append(append(out, numberMark...), word...), '"')
				i += len(word)
				continue
			}
		}
		out = append(out, data[i])
		i++
	}
	return out
}

func numberWord(b []byte) string {
	for _, w := range numberWords {
		if bytes.HasPrefix(b, []byte(w)) {
			return w
		}
	}
	return ""
}

// has reports whether the key is there and not null.
func (c Config) has(key string) bool { return c[key] != nil }

// number reads a JSON number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return float64(v), true
	case string:
		switch v {
		case "\x00NaN":
			return math.NaN(), true
		case "\x00Infinity":
			return math.Inf(1), true
		case "\x00-Infinity":
			return math.Inf(-1), true
		}
	case map[string]any: // a NumPy scalar or a one-element array that found its way into the configuration
		if inner, ok := v["config"].(map[string]any); ok {
			return number(inner["value"])
		}
		if inner, ok := v["value"]; ok {
			return number(inner)
		}
	case []any:
		if len(v) == 1 {
			return number(v[0])
		}
	}
	return 0, false
}

// Float returns a number, or def where the key is missing or null.
func (c Config) Float(key string, def float64) float64 {
	if !c.has(key) {
		return def
	}
	f, ok := number(c[key])
	if !ok {
		fail(ErrFormat, "%s is %v, not a number", key, c[key])
	}
	return f
}

// Int returns a whole number, or def where the key is missing or null.
func (c Config) Int(key string, def int) int {
	f := c.Float(key, float64(def))
	if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		fail(ErrFormat, "%s is %v, not a whole number", key, f)
	}
	return int(f)
}

// positive returns a whole number above zero, which must be there.
func (c Config) positive(key string) int {
	n := c.Int(key, 0)
	if n < 1 {
		fail(ErrFormat, "%s is %v, not a positive number", key, c[key])
	}
	return n
}

// Bool returns a truth value, or def where the key is missing or null.
func (c Config) Bool(key string, def bool) bool {
	if !c.has(key) {
		return def
	}
	f, ok := number(c[key])
	if !ok {
		fail(ErrFormat, "%s is %v, neither true nor false", key, c[key])
	}
	return f != 0
}

// String returns a string, or def where the key is missing or null.
func (c Config) String(key, def string) string {
	if !c.has(key) {
		return def
	}
	s, ok := c[key].(string)
	if !ok {
		fail(ErrFormat, "%s is %v, not a string", key, c[key])
	}
	return s
}

// ints returns a list of whole numbers; one number counts as a list of one.
func (c Config) ints(key string) []int {
	var list []any
	switch v := unwrapList(c[key]).(type) {
	case nil:
		return nil
	case []any:
		list = v
	default:
		list = []any{v}
	}
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = Config{key: v}.Int(key, 0)
	}
	return out
}

// tuple returns n whole numbers; one number stands for all of them.
func (c Config) tuple(key string, n, def int) []int {
	v := c.ints(key)
	if v == nil {
		v = []int{def}
	}
	if len(v) == 1 {
		return slices.Repeat(v, n)
	}
	if len(v) != n {
		fail(ErrFormat, "%s is %v, %d numbers are needed", key, v, n)
	}
	return v
}

// sizes is tuple of positive numbers.
func (c Config) sizes(key string, n, def int) []int {
	v := c.tuple(key, n, def)
	for _, x := range v {
		if x < 1 {
			fail(ErrFormat, "%s is %v, positive numbers are needed", key, v)
		}
	}
	return v
}

// numbers returns a list of numbers, flattened, and its shape.
func (c Config) numbers(key string) ([]float64, []int) {
	var out []float64
	shape := nested(unwrapList(c[key]), &out)
	return out, shape
}

func nested(v any, out *[]float64) []int {
	list, ok := unwrapList(v).([]any)
	if !ok {
		f, ok := number(v)
		if !ok {
			fail(ErrFormat, "%v is not a number", v)
		}
		*out = append(*out, f)
		return []int{}
	}
	shape := []int{len(list)}
	for i, x := range list {
		inner := nested(x, out)
		if i == 0 {
			shape = append(shape, inner...)
		} else if !slices.Equal(shape[1:], inner) {
			fail(ErrFormat, "a ragged list of numbers")
		}
	}
	return shape
}

// unwrapList takes a list out of the wrappers that Keras puts around arrays and tuples.
func unwrapList(v any) any {
	if m, ok := v.(map[string]any); ok {
		switch m["class_name"] {
		case "__numpy__", "__tensor__":
			if inner, ok := m["config"].(map[string]any); ok {
				return inner["value"]
			}
		case "__tuple__", "TensorShape":
			return m["items"]
		}
		if m["type"] == "ndarray" {
			return m["value"]
		}
	}
	return v
}

// strings returns a list of strings; numbers are written out.
func (c Config) strings(key string) []string {
	list, ok := unwrapList(c[key]).([]any)
	if !ok {
		if c.has(key) {
			fail(ErrFormat, "%s is %v, not a list", key, c[key])
		}
		return nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case string:
			out[i] = v
		case float64:
			out[i] = fmt.Sprint(int64(v))
		default:
			fail(ErrFormat, "%s holds %v, not a string", key, v)
		}
	}
	return out
}

// shape returns a shape with -1 for null, or nil where the key is missing or null.
func (c Config) shape(key string) tensor.Shape {
	s, ok := shapeOf(c[key])
	if !ok && c.has(key) {
		fail(ErrFormat, "%s is %v, not a shape", key, c[key])
	}
	return s
}

// shapeOf reads a JSON list of sizes, null for unknown ones.
func shapeOf(v any) (tensor.Shape, bool) {
	list, ok := unwrapList(v).([]any)
	if !ok {
		return nil, false
	}
	s := make(tensor.Shape, len(list))
	for i, d := range list {
		f, ok := number(d)
		switch {
		case d == nil || ok && f == -1:
			s[i] = -1
		case ok && f == math.Trunc(f) && f >= 0 && f <= math.MaxInt32:
			s[i] = int(f)
		default:
			return nil, false
		}
	}
	return s, len(s) <= 32
}

// object returns a nested {"class_name": …, "config": {…}}.
func (c Config) object(key string) (class string, config Config, ok bool) {
	return objectOf(c[key])
}

func objectOf(v any) (class string, config Config, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return "", nil, false
	}
	class, ok = m["class_name"].(string)
	inner, _ := m["config"].(map[string]any)
	return class, inner, ok
}

// clone copies the map, not what it holds.
func (c Config) clone() Config {
	out := make(Config, len(c))
	for k, v := range c {
		out[k] = v
	}
	return out
}

// channelsFirst tells the data format, which defaults to channels_last.
func (c Config) channelsFirst() bool {
	switch f := c.String("data_format", "channels_last"); f {
	case "channels_last":
		return false
	case "channels_first":
		return true
	default:
		fail(ErrFormat, "data_format is %q", f)
		return false
	}
}

// dtypes maps the names that Keras and NumPy use.
var dtypes = map[string]tensor.DType{
	"float16": tensor.Float16, "half": tensor.Float16, "bfloat16": tensor.BFloat16, "float32": tensor.Float32, "float": tensor.Float32,
	"float64": tensor.Float64, "double": tensor.Float64,
	"int8": tensor.Int8, "int16": tensor.Int16, "int32": tensor.Int32, "int64": tensor.Int64, "int": tensor.Int32,
	"uint8": tensor.Uint8, "uint16": tensor.Uint16, "uint32": tensor.Uint32, "uint64": tensor.Uint64,
	"bool": tensor.Bool, "string": tensor.String,
}

// dtypeNamed looks a type up.
func dtypeNamed(name string) tensor.DType {
	d, ok := dtypes[strings.TrimPrefix(name, "tf.")]
	if !ok {
		fail(ErrUnsupported, "element type %q", name)
	}
	return d
}

// policy is a dtype policy: the types in which a layer computes and in which it holds its variables, and how it is quantized.
type policy struct {
	compute, variable tensor.DType
	quantization      string // "int8", "" for none
}

// policy reads the key dtype: a name, a DTypePolicy, a Policy of tf.keras, a QuantizedDTypePolicy.
func (c Config) policy() policy {
	return policyOf(c["dtype"])
}

func policyOf(v any) policy {
	if class, config, ok := objectOf(v); ok {
		switch class {
		case "QuantizedDTypePolicy":
			p := policyOf(config.String("source_name", "float32"))
			p.quantization = config.String("mode", "")
			return p
		case "DTypePolicyMap":
			return policyOf(config["default_policy"])
		}
		if name, ok := config["name"].(string); ok {
			return policyOf(name)
		}
		fail(ErrUnsupported, "the dtype policy %s", class)
	}
	name, _ := v.(string)
	switch {
	case name == "" || name == "_infer" || name == "infer" || name == "infer_with_float32_vars":
		return policy{compute: tensor.Float32, variable: tensor.Float32}
	case strings.HasPrefix(name, "mixed_"):
		return policy{compute: dtypeNamed(strings.TrimPrefix(name, "mixed_")), variable: tensor.Float32}
	case strings.Contains(name, "_from_"): // int8_from_float32
		mode, source, _ := strings.Cut(name, "_from_")
		p := policyOf(source)
		p.quantization = mode
		return p
	case name == "string":
		return policy{compute: tensor.String, variable: tensor.Float32}
	}
	d := dtypeNamed(name)
	return policy{compute: d, variable: d}
}

// floating reports whether a type is one that a layer casts to its compute type.
func floating(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float16 || d == tensor.BFloat16 || d == tensor.Float64
}
