package keras

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callLookup, keepsTypes: true}, "StringLookup", "IntegerLookup")
	register(class{call: callTextVectorization, keepsTypes: true}, "TextVectorization")
	register(class{call: callHashing, keepsTypes: true}, "Hashing")
	register(class{call: callHashedCrossing, keepsTypes: true}, "HashedCrossing")
}

// vocabulary is what a lookup layer knows: tokens and the numbers that they get.
type vocabulary struct {
	tokens  []string
	mask    *string // the token that becomes 0; nil for none
	oov     int     // how many numbers unknown tokens share
	first   int     // number of the first token
	strings bool
	depth   int // length of an encoding
	idf     []float64
}

// vocabularyOf reads the vocabulary of a lookup layer: from its configuration, or from the archive beside the weights.
func vocabularyOf(l *Layer, mode string, textual bool) vocabulary {
	c := l.Config
	v := vocabulary{oov: bounded(c.Int("num_oov_indices", 1), "num_oov_indices"), strings: textual}
	if c.has("mask_token") {
		m := c.strings2("mask_token")
		v.mask = &m
	}
	maskPlaces := 0
	if v.mask != nil && mode == "int" {
		maskPlaces = 1
	}
	v.first = maskPlaces + v.oov
	switch t := unwrapList(c["vocabulary"]).(type) {
	case []any:
		v.tokens = c.strings("vocabulary")
	case string:
		fail(ErrUnsupported, "the vocabulary is in a file %q, not in the model", t)
	case nil:
		data, ok := l.assets["vocabulary.txt"]
		if !ok {
			fail(ErrUnsupported, "the model has no vocabulary: it is neither in the configuration nor in the archive")
		}
		text := string(bytes.TrimSuffix(data, []byte("\n")))
		v.tokens = strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	}
	// a vocabulary can start with the special tokens
	var special []string
	if maskPlaces > 0 {
		special = append(special, *v.mask)
	}
	oovToken := c.strings2("oov_token")
	for range v.oov {
		special = append(special, oovToken)
	}
	if len(special) > 0 && len(v.tokens) >= len(special) && slices.Equal(v.tokens[:len(special)], special) {
		v.tokens = v.tokens[len(special):]
	}
	v.depth = v.first + len(v.tokens)
	if c.Bool("pad_to_max_tokens", false) && c.has("max_tokens") {
		v.depth = c.Int("max_tokens", v.depth)
	}
	v.idf = l.idf
	if c.has("idf_weights") {
		v.idf, _ = c.numbers("idf_weights")
	}
	return v
}

// strings2 reads a string or a number as a string.
func (c Config) strings2(key string) string {
	switch v := c[key].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatInt(int64(v), 10)
	case nil:
		if key == "oov_token" {
			return "[UNK]"
		}
	}
	fail(ErrFormat, "%s is %v", key, c[key])
	return ""
}

// table adds a hash table from tokens to numbers, which the init op fills, and returns its handle.
func (c *Call) table(v vocabulary, inverse bool) Value {
	keys, numbers := c.keys(v.tokens, v.strings), make([]int64, len(v.tokens))
	for i := range numbers {
		numbers[i] = int64(v.first + i)
	}
	values := tensor.Must(tensor.Of(numbers, len(numbers)))
	if inverse {
		keys, values = values, keys
	}
	name := nodeName(c.scope + "/table")
	handle := c.op("HashTableV2", nil, graph.Attrs{"key_dtype": keys.DType(), "value_dtype": values.DType(), "shared_name": name, "container": "",
		"use_node_name_sharing": true}, tensor.DType(20), tensor.Shape{})
	init := c.op("LookupTableImportV2", []Value{handle, c.constant(keys), c.constant(values)},
		graph.Attrs{"Tin": keys.DType(), "Tout": values.DType()}, tensor.Invalid, tensor.Shape{})
	c.walk.init = append(c.walk.init, init.Ref)
	return handle
}

// keys writes tokens as strings or as integers.
func (c *Call) keys(tokens []string, textual bool) *tensor.Tensor {
	if textual {
		return tensor.Must(tensor.Of(slices.Clone(tokens), len(tokens)))
	}
	out := make([]int64, len(tokens))
	for i, t := range tokens {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			fail(ErrFormat, "the vocabulary of integers holds %q", t)
		}
		out[i] = n
	}
	return tensor.Must(tensor.Of(out, len(out)))
}

// find looks tokens up: the mask becomes 0, unknown ones share the numbers before the first token.
func (c *Call) find(v vocabulary, x Value, mode string) Value {
	handle := c.table(v, false)
	oovStart := v.first - v.oov
	missing := int64(-1)
	if v.oov > 0 {
		missing = int64(oovStart)
	}
	def := c.constant(tensor.Scalar(missing))
	if v.oov > 1 {
		def = c.constant(tensor.Scalar(int64(-1)))
	}
	ids := c.op("LookupTableFindV2", []Value{handle, x, def}, graph.Attrs{"Tin": x.DType, "Tout": tensor.Int64}, tensor.Int64, x.Shape)
	if v.oov > 1 {
		var hash Value
		if v.strings || c.config().String("oov_method", "floormod") == "farmhash" {
			hash = c.hash(x, v.oov)
		} else {
			hash = c.binary("FloorMod", x, c.constant(tensor.Scalar(int64(v.oov))))
		}
		hash = c.add(hash, c.constant(tensor.Scalar(int64(oovStart))))
		ids = c.choose(c.compare("Equal", ids, c.constant(tensor.Scalar(int64(-1)))), hash, ids)
	}
	if v.mask != nil {
		zero := int64(0)
		if mode != "int" {
			zero = -1
		}
		isMask := c.compare("Equal", x, c.constant(tensor.Must(c.keys([]string{*v.mask}, v.strings).Reshape())))
		ids = c.choose(isMask, c.constant(tensor.Scalar(zero)), ids)
	}
	return ids
}

// output writes numbers in a layer's output mode.
func (c *Call) output(v vocabulary, ids Value, mode string) Value {
	if mode == "int" {
		return ids
	}
	d := tensor.Float32
	if mode != "tf_idf" {
		if name, ok := c.config()["dtype"].(string); ok && dtypes[name] != tensor.Invalid && name != "string" && name != "int64" {
			d = dtypes[name]
		}
		return c.encode(ids, mode, v.depth, d, nil)
	}
	counts := c.encode(ids, "count", v.depth, d, nil)
	if v.idf == nil {
		fail(ErrUnsupported, "output_mode tf_idf without idf_weights: they are neither in the configuration nor among the weights")
	}
	return c.mul(counts, c.floats(v.weights(), d, v.depth))
}

// weights are the inverse document frequencies of all numbers.
func (v vocabulary) weights() []float64 {
	weights := slices.Clone(v.idf)
	if len(weights) == len(v.tokens) { // unknown tokens weigh the average
		mean := 0.0
		for _, w := range weights {
			mean += w / float64(len(weights))
		}
		weights = append(slices.Repeat([]float64{mean}, v.first), weights...)
	}
	for len(weights) < v.depth {
		weights = append(weights, 0)
	}
	return weights[:v.depth]
}

// idfWeights returns the weights of a lookup layer, or of the one in a TextVectorization, as Keras 3 keeps them among its
// variables; nil for other layers.
func (l *Layer) idfWeights() *tensor.Tensor {
	textual := l.Class == "TextVectorization"
	if !l.looksUp() || l.Config.String("output_mode", "int") != "tf_idf" {
		return nil
	}
	v := vocabularyOf(l, "tf_idf", l.Class == "StringLookup")
	if textual {
		v = vocabularyOf(l.textLookup(), "tf_idf", true)
	}
	if v.idf == nil {
		return nil
	}
	t, err := tensor.Must(tensor.Of(v.weights(), v.depth)).Cast(tensor.Float32)
	check(err)
	return t
}

// callLookup is StringLookup and IntegerLookup.
func callLookup(c *Call) []Value {
	x := c.x()
	mode := c.config().String("output_mode", "int")
	textual := c.Layer.Class == "StringLookup"
	v := vocabularyOf(c.Layer, mode, textual)
	if c.config().Bool("invert", false) {
		ids := c.cast(x, tensor.Int64)
		keys := c.keys([]string{c.config().strings2("oov_token")}, textual)
		def := c.constant(tensor.Must(keys.Reshape()))
		y := c.op("LookupTableFindV2", []Value{c.table(v, true), ids, def}, graph.Attrs{"Tin": tensor.Int64, "Tout": keys.DType()}, keys.DType(), x.Shape)
		if v.mask != nil {
			mask := c.constant(tensor.Must(c.keys([]string{*v.mask}, textual).Reshape()))
			y = c.choose(c.compare("Equal", ids, c.constant(tensor.Scalar(int64(0)))), mask, y)
		}
		return []Value{y}
	}
	if !textual {
		x = c.cast(x, tensor.Int64)
	}
	return []Value{c.output(v, c.find(v, x, mode), mode)}
}

// punctuation is what standardize removes (keras/src/layers/preprocessing/text_vectorization.py).
const punctuation = `[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_` + "`" + `{|}~\']`

// callTextVectorization standardizes, splits and numbers texts. x: [batch] or [batch, 1] of strings.
func callTextVectorization(c *Call) []Value {
	x, cfg := c.x(), c.config()
	if x.rank() == 2 && x.Shape[1] == 1 {
		x = c.squeeze(x, 1)
	}
	x.need(1)
	mode := cfg.String("output_mode", "int")
	x = c.standardize(x)
	tokens := c.splitText(x)
	if cfg.has("ngrams") {
		tokens = c.ngrams(tokens)
	}
	v := vocabularyOf(c.Layer.textLookup(), mode, true)
	ids := c.find(v, tokens.values, mode)
	length := cfg.Int("output_sequence_length", -1)
	if mode != "int" {
		return []Value{c.output(v, c.pack(ids, tokens, -1, -1), mode)}
	}
	return []Value{c.pack(ids, tokens, length, 0)}
}

// textLookup is the lookup layer within a TextVectorization: the same vocabulary, and an empty mask token.
func (l *Layer) textLookup() *Layer {
	c := l.Config.clone()
	c["mask_token"] = ""
	c["num_oov_indices"] = 1.0
	return &Layer{Config: c, assets: l.assets, idf: l.idf}
}

// looksUp reports whether the layer has a vocabulary.
func (l *Layer) looksUp() bool {
	return l.Class == "TextVectorization" || strings.HasSuffix(l.Class, "Lookup")
}

// standardize lowers the case and removes punctuation, as the layer says.
func (c *Call) standardize(x Value) Value {
	mode, given := c.config()["standardize"]
	if !given {
		mode = "lower_and_strip_punctuation"
	}
	if mode == nil {
		return x
	}
	name, ok := mode.(string)
	if !ok {
		fail(ErrCustomObject, "standardize is a Python function")
	}
	if name == "lower" || name == "lower_and_strip_punctuation" {
		x = c.op("StringLower", []Value{x}, graph.Attrs{"encoding": ""}, tensor.String, x.Shape)
	}
	if name == "strip_punctuation" || name == "lower_and_strip_punctuation" {
		x = c.op("StaticRegexReplace", []Value{x}, graph.Attrs{"pattern": punctuation, "rewrite": "", "replace_global": true}, tensor.String, x.Shape)
	}
	return x
}

// ragged is rows of different lengths: all values, and where each row starts and ends.
type ragged struct{ values, splits Value }

// splitText cuts texts into words or characters.
func (c *Call) splitText(x Value) ragged {
	mode, given := c.config()["split"]
	if !given {
		mode = "whitespace"
	}
	rows := x.Shape[0]
	n := -1
	if rows >= 0 {
		n = rows + 1
	}
	switch mode {
	case "whitespace":
		words := c.op("StringSplitV2", []Value{x, c.constant(tensor.Scalar(""))}, graph.Attrs{"maxsplit": -1}, tensor.Int64, tensor.Shape{-1, 2})
		values := words.output(1, tensor.String, tensor.Shape{-1})
		row := c.expand(c.index(words, 1, 0), 0)
		count := c.add(c.scalarOf(c.dim(x, 0)), c.int(1))
		every := c.expand(c.cast(c.iota(dim{-1, count}), tensor.Int64), 0)
		starts := c.op("LowerBound", []Value{row, every}, graph.Attrs{"T": tensor.Int64, "out_type": tensor.Int64}, tensor.Int64, tensor.Shape{1, n})
		return ragged{values, c.squeeze(starts, 0)}
	case "character":
		decoded := c.op("UnicodeDecode", []Value{x}, graph.Attrs{"input_encoding": "UTF-8", "errors": "replace", "replacement_char": 65533,
			"replace_control_characters": false, "Tsplits": tensor.Int64}, tensor.Int64, tensor.Shape{n})
		codes := decoded.output(1, tensor.Int32, tensor.Shape{-1})
		count := c.add(c.scalarOf(c.dim(codes, 0)), c.int(1))
		each := c.cast(c.iota(dim{-1, count}), tensor.Int64)
		letters := c.op("UnicodeEncode", []Value{codes, each}, graph.Attrs{"errors": "replace", "output_encoding": "UTF-8", "replacement_char": 65533,
			"Tsplits": tensor.Int64}, tensor.String, tensor.Shape{-1})
		return ragged{letters, decoded}
	case nil:
		each := c.cast(c.iota(dim{-1, c.add(c.scalarOf(c.dim(x, 0)), c.int(1))}), tensor.Int64)
		return ragged{x, each}
	}
	fail(ErrCustomObject, "split %v is not one of Keras's", mode)
	return ragged{}
}

// ngrams joins neighboring words.
func (c *Call) ngrams(r ragged) ragged {
	widths := c.config().ints("ngrams")
	if len(widths) == 1 {
		n := widths[0]
		if n < 1 || n > 64 {
			fail(ErrFormat, "ngrams is %d", n)
		}
		widths = nil
		for i := 1; i <= n; i++ {
			widths = append(widths, i)
		}
	}
	y := c.op("StringNGrams", []Value{r.values, r.splits}, graph.Attrs{"separator": " ", "ngram_widths": widths, "left_pad": "", "right_pad": "",
		"pad_width": 0, "preserve_short_sequences": false, "Tsplits": tensor.Int64}, tensor.String, tensor.Shape{-1})
	return ragged{y, y.output(1, tensor.Int64, r.splits.Shape)}
}

// pack writes ragged numbers as a matrix [rows, length], cut or filled up; length -1 is that of the longest row.
func (c *Call) pack(values Value, r ragged, length, fill int) Value {
	rows := -1
	if n := r.splits.Shape[0]; n > 0 {
		rows = n - 1
	}
	shape := c.constant(tensor.Must(tensor.Of([]int64{-1, int64(length)}, 2)))
	return c.op("RaggedTensorToTensor", []Value{shape, values, c.constant(tensor.Scalar(int64(fill))), r.splits},
		graph.Attrs{"T": tensor.Int64, "Tindex": tensor.Int64, "Tshape": tensor.Int64, "num_row_partition_tensors": 1,
			"row_partition_types": []string{"ROW_SPLITS"}}, tensor.Int64, tensor.Shape{rows, length})
}

// text writes numbers as strings.
func (c *Call) text(x Value) Value {
	if x.DType == tensor.String {
		return x
	}
	return c.op("AsString", []Value{x}, graph.Attrs{"T": x.DType, "precision": -1, "scientific": false, "shortest": false, "width": -1, "fill": ""},
		tensor.String, x.Shape)
}

// hash puts strings or integers into bins: by FarmHash64, or by SipHash64 where the layer has a salt.
func (c *Call) hash(x Value, bins int) Value {
	x = c.text(x)
	salt := c.config().ints("salt")
	if len(salt) == 0 {
		return c.op("StringToHashBucketFast", []Value{x}, graph.Attrs{"num_buckets": bins}, tensor.Int64, x.Shape)
	}
	if len(salt) == 1 {
		salt = append(salt, salt[0])
	}
	return c.op("StringToHashBucketStrong", []Value{x}, graph.Attrs{"num_buckets": bins, "key": salt}, tensor.Int64, x.Shape)
}

// callHashing puts strings or integers into bins by a hash.
func callHashing(c *Call) []Value {
	x, bins := c.text(c.x()), c.config().positive("num_bins")
	usable := bins
	masked := c.config().has("mask_value")
	if masked && bins > 1 {
		usable--
	}
	ids := c.hash(x, usable)
	if masked && bins > 1 {
		ids = c.add(ids, c.constant(tensor.Scalar(int64(1))))
		mask := c.constant(tensor.Scalar(c.config().strings2("mask_value")))
		ids = c.choose(c.compare("Equal", x, mask), c.constant(tensor.Scalar(int64(0))), ids)
	}
	mode := c.config().String("output_mode", "int")
	if mode == "int" {
		return []Value{ids}
	}
	return []Value{c.encode(ids, mode, bins, c.policy.compute, nil)}
}

// callHashedCrossing puts combinations of strings and integers, each [batch, 1] or [batch], into bins by a hash.
func callHashedCrossing(c *Call) []Value {
	bins := c.config().positive("num_bins")
	c.several(0)
	first, internal := c.Inputs[0], tensor.String
	columns, types := make([]Value, len(c.Inputs)), make([]tensor.DType, len(c.Inputs))
	for i, x := range c.Inputs {
		if x.DType != tensor.String {
			x, internal = c.cast(x, tensor.Int64), tensor.Int64
		}
		if x.rank() == 1 {
			x = c.expand(x, 1)
		}
		x.need(2)
		columns[i], types[i] = x, x.DType
	}
	const key = 0xDECAFCAFFE // TensorFlow's default
	crossed := c.op("SparseCross", columns, graph.Attrs{"N": 0, "hashed_output": true, "num_buckets": bins, "hash_key": key, "sparse_types": []tensor.DType{},
		"dense_types": types, "out_type": tensor.Int64, "internal_type": internal}, tensor.Int64, tensor.Shape{-1, 2})
	ids := c.reshape(crossed.output(1, tensor.Int64, tensor.Shape{-1}), c.dims(first)...)
	mode := c.config().String("output_mode", "int")
	if mode == "int" {
		return []Value{ids}
	}
	return []Value{c.encode(ids, mode, bins, c.policy.compute, nil)}
}
