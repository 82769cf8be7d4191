package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callAttention, ownMask: true}, "Attention")
	register(class{call: callAdditiveAttention, ownMask: true}, "AdditiveAttention")
	register(class{call: callMultiHeadAttention, ownMask: true}, "MultiHeadAttention")
	register(class{call: callGroupedQueryAttention, ownMask: true}, "GroupQueryAttention")
}

// projections are the layers that an attention layer holds, by the name and the attribute that Keras gives them.
var projections = map[string][][2]string{
	"MultiHeadAttention": {{"query", "query_dense"}, {"key", "key_dense"}, {"gate", "_gate_dense"}, {"value", "value_dense"}, {"attention_output", "output_dense"}},
	"GroupQueryAttention": {{"query", "_query_dense"}, {"key", "_key_dense"}, {"gate", "_gate_dense"}, {"value", "_value_dense"},
		{"attention_output", "_output_dense"}},
}

// addProjections makes the layers that an attention layer holds.
func (r *reader) addProjections(l *Layer) {
	for _, p := range projections[l.Class] {
		if p[0] == "gate" && !l.Config.Bool("use_gate", false) {
			continue
		}
		s := &Layer{Name: p[0], Class: "EinsumDense", Config: l.Config, age: l.age, trainable: l.trainable, attribute: p[1]}
		r.place(s, l.path)
		l.sublayers = append(l.sublayers, s)
	}
}

// part is a call of one of the layers that this one holds.
func (c *Call) part(name string) *Call {
	for _, s := range c.Layer.sublayers {
		if s.Name == name {
			s.OutputShapes = []tensor.Shape{}
			return &Call{emitter: emitter{c.b, c.scope + "/" + name}, Layer: s, policy: c.policy, walk: c.walk}
		}
	}
	fail(ErrFormat, "%s has no part %s", c.Layer.path, name)
	return nil
}

// attentionInputs finds query, value and key, which are given as one list or as arguments of their own.
func (c *Call) attentionInputs() (q, v, k Value, keyGiven bool) {
	in := slices.Clone(c.Inputs)
	for _, a := range c.Args[min(1, len(c.Args)):] {
		in = append(in, values(a)...)
	}
	for _, name := range []string{"value", "key"} {
		if x, ok := c.Kwargs[name].(Value); ok {
			in = append(in, x)
		}
	}
	if len(in) < 2 || len(in) > 3 {
		fail(ErrFormat, "called with %d tensors; query, value and perhaps key are needed", len(in))
	}
	for i := range in {
		if floating(in[i].DType) {
			in[i] = c.cast(in[i], c.policy.compute)
		}
	}
	if len(in) == 2 {
		return in[0], in[1], in[1], false
	}
	return in[0], in[1], in[2], true
}

// flag reads an argument of the call that is true or false.
func (c *Call) flag(name string) bool { return Config(c.Kwargs).Bool(name, false) }

// causal is the mask [1, queries, keys] by which a query sees only keys up to its own place.
func (e *emitter) causal(queries, keys dim) Value {
	rows, columns := e.iota(queries), e.iota(keys)
	m := e.compare("GreaterEqual", e.expand(rows, 1), e.expand(columns, 0))
	return e.expand(m, 0)
}

// both is the intersection of two masks, either of which can be missing.
func (e *emitter) both(a, b *Value) *Value {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	m := e.logical("LogicalAnd", *a, *b)
	return &m
}

// callAttention is Luong-style attention (keras/src/layers/attention/attention.py). query: [batch, Tq, dim], value and key:
// [batch, Tv, dim].
func callAttention(c *Call) []Value {
	q, v, k, _ := c.attentionInputs()
	cfg := c.config()
	var scale *Value
	if cfg.Bool("use_scale", false) {
		s := c.Weight("scale", tensor.Shape{}, true)
		scale = &s
	}
	var scores Value
	switch mode := cfg.String("score_mode", "dot"); mode {
	case "dot":
		scores = c.matmul(q, k, false, true)
		if scale != nil {
			scores = c.mul(scores, *scale)
		}
	case "concat":
		weight := c.Weight("concat_score_weight", tensor.Shape{}, true)
		sum := c.add(c.expand(q, -2), c.expand(k, -3))
		if scale != nil {
			sum = c.mul(*scale, sum)
		}
		scores = c.mul(weight, c.reduce("Sum", c.unary("Tanh", sum), false, -1))
	default:
		fail(ErrUnsupported, "score_mode %q", mode)
	}
	return c.attend(scores, q, v)
}

// callAdditiveAttention is Bahdanau-style attention.
func callAdditiveAttention(c *Call) []Value {
	q, v, k, _ := c.attentionInputs()
	sum := c.unary("Tanh", c.add(c.expand(q, -2), c.expand(k, -3)))
	if c.config().Bool("use_scale", true) {
		sum = c.mul(c.Weight("scale", tensor.Shape{v.last()}, true), sum)
	}
	return c.attend(c.reduce("Sum", sum, false, -1), q, v)
}

// attend turns scores [batch, Tq, Tv] into the weighted sum of the values; masked values do not count, masked queries give
// zeros.
func (c *Call) attend(scores, q, v Value) []Value {
	var mask *Value
	if v.Mask != nil {
		m := c.expand(*v.Mask, -2)
		mask = &m
	}
	if c.flag("use_causal_mask") || c.config().Bool("causal", false) {
		m := c.causal(c.dim(scores, -2), c.dim(scores, -1))
		mask = c.both(mask, &m)
	}
	if mask != nil {
		low := 1e9
		if scores.DType == tensor.Float16 {
			low = 65504
		}
		scores = c.choose(*mask, scores, c.shift(scores, -low))
	}
	weights := c.softmax(scores, -1)
	y := c.matmul(weights, v, false, false)
	if q.Mask != nil {
		y = c.choose(c.expand(*q.Mask, -1), y, c.scalar(0, y.DType))
	}
	y = y.masked(q.Mask)
	if c.flag("return_attention_scores") {
		return []Value{y, weights}
	}
	return []Value{y}
}

// letters are the axes of an einsum.
const letters = "abcdefghijklmnopqrstuvwxyz"

// callMultiHeadAttention projects query, key and value to heads, attends with each head and projects the heads together
// (Vaswani et al. 2017; keras/src/layers/attention/multi_head_attention.py).
func callMultiHeadAttention(c *Call) []Value {
	cfg := c.config()
	query, value, key, keyGiven := c.attentionInputs()
	heads, keyDim := cfg.positive("num_heads"), cfg.positive("key_dim")
	valueDim := cfg.Int("value_dim", keyDim)
	rank := query.rank()
	if rank < 3 || value.rank() != rank || key.rank() != rank || rank > 8 {
		fail(ErrFormat, "query of shape %v, value of shape %v, key of shape %v", query.Shape, value.Shape, key.Shape)
	}
	axes := cfg.ints("attention_axes")
	for i, a := range axes {
		axes[i] = query.axis(a)
	}
	if axes == nil {
		for i := 1; i < rank-1; i++ {
			axes = append(axes, i)
		}
	}
	q := c.part("query").project(query, heads, keyDim)
	k := c.part("key").project(key, heads, keyDim)
	var gate Value
	gated := cfg.Bool("use_gate", false)
	if gated {
		gate = c.unary("Sigmoid", c.part("gate").project(query, heads, valueDim))
	}
	v := c.part("value").project(value, heads, valueDim)

	dot, combine, scoreShape, outShape := attentionEquations(axes, q.Shape, k.Shape, v.Shape)
	scores := c.einsum(dot, scoreShape, k, c.scale(q, 1/math.Sqrt(float64(keyDim))))
	mask := c.attentionMask(query, value, key, keyGiven)
	fused := cfg.Float("dropout", 0) == 0 && !c.flag("return_attention_scores") && rank == 3
	weights := c.maskedSoftmax(scores, mask, len(axes), fused)
	y := c.einsum(combine, outShape, weights, v)
	if gated {
		y = c.mul(y, gate)
	}
	out := cfg.ints("output_shape")
	if out == nil {
		out = []int{query.last()}
	}
	y = c.part("attention_output").join(y, 2, out).masked(query.Mask)
	if c.flag("return_attention_scores") {
		return []Value{y, weights}
	}
	return []Value{y}
}

// project maps the last axis to heads × size.
func (c *Call) project(x Value, heads, size int) Value {
	free := letters[:x.rank()-1]
	in := free + letters[x.rank()-1:x.rank()]
	out := letters[x.rank() : x.rank()+2]
	return c.projection(x, in+","+in[len(in)-1:]+out+"->"+free+out, []int{heads, size})
}

// join maps the last bound axes to the axes of an output.
func (c *Call) join(x Value, bound int, output []int) Value {
	n := x.rank()
	free, summed := letters[:n-bound], letters[n-bound:n]
	out := letters[n : n+len(output)]
	return c.projection(x, free+summed+","+summed+out+"->"+free+out, output)
}

func (c *Call) projection(x Value, equation string, output []int) Value {
	bias := ""
	if c.config().Bool("use_bias", true) {
		bias = equation[len(equation)-len(output):]
	}
	return c.einsumProduct(x, equation, output).plain(c, x, bias)
}

// attentionEquations are the einsum equations of scores = key·query and output = scores·value for tensors
// [batch…, attended…, heads, size], and the shapes of the results.
func attentionEquations(axes []int, q, k, v tensor.Shape) (dot, combine string, scores, out tensor.Shape) {
	rank := len(q)
	target, source := letters[:rank], []byte{}
	var batch []int
	next := rank
	for i := range rank {
		attended := slices.Contains(axes, i)
		if !attended && i != rank-1 {
			batch = append(batch, i)
		}
		if attended {
			source = append(source, letters[next])
			next++
		} else {
			source = append(source, target[i])
		}
	}
	product := []byte{}
	for _, i := range batch {
		product = append(product, target[i])
		scores = append(scores, q[i])
	}
	for _, i := range axes {
		product = append(product, target[i])
		scores = append(scores, q[i])
	}
	for _, i := range axes {
		product = append(product, source[i])
		scores = append(scores, k[i])
	}
	out = with(q, rank-1, v[rank-1])
	return string(source) + "," + target + "->" + string(product), string(product) + "," + string(source) + "->" + target, scores, out
}

// attentionMask joins what the masks of the inputs, the causal mask, the window and the argument attention_mask allow:
// [batch, queries, keys], or nil.
func (c *Call) attentionMask(query, value, key Value, keyGiven bool) *Value {
	var mask *Value
	given := func(name string, own *Value) *Value {
		if v, ok := c.Kwargs[name].(Value); ok {
			v = c.cast(v, tensor.Bool)
			return &v
		}
		return own
	}
	if m := given("query_mask", query.Mask); m != nil {
		v := c.expand(*m, -1)
		mask = &v
	}
	if m := given("value_mask", value.Mask); m != nil {
		v := c.expand(*m, -2)
		mask = c.both(mask, &v)
	}
	if m := given("key_mask", key.Mask); m != nil && keyGiven {
		v := c.expand(*m, -2)
		mask = c.both(mask, &v)
	}
	if c.flag("use_causal_mask") {
		v := c.causal(c.dim(query, 1), c.dim(value, 1))
		mask = c.both(mask, &v)
	}
	if n := c.config().Int("sliding_window", 0); n > 0 {
		rows, columns := c.iota(c.dim(query, 1)), c.iota(c.dim(value, 1))
		distance := c.unary("Abs", c.sub(c.expand(rows, 1), c.expand(columns, 0)))
		v := c.expand(c.compare("Less", distance, c.int(n)), 0)
		mask = c.both(mask, &v)
	}
	if v, ok := c.Kwargs["attention_mask"].(Value); ok {
		v = c.cast(v, tensor.Bool)
		mask = c.both(mask, &v)
	}
	return mask
}

// maskedSoftmax normalizes scores over their last n axes. Where a query sees nothing, versions differ: the fused kernel of
// Keras 3 spreads evenly, its Softmax layer gives zeros, tf.keras adds a large negative number.
func (c *Call) maskedSoftmax(scores Value, mask *Value, n int, fused bool) Value {
	axes := make([]int, n)
	for i := range axes {
		axes[i] = scores.rank() - n + i
	}
	normalize := func(x Value) Value {
		if n == 1 {
			return c.softmax(x, -1)
		}
		e := c.unary("Exp", c.sub(x, c.reduce("Max", x, true, slices.Clone(axes)...)))
		return c.div(e, c.reduce("Sum", e, true, slices.Clone(axes)...))
	}
	if mask == nil {
		return normalize(scores)
	}
	m := *mask
	for m.rank() < scores.rank() {
		m = c.expand(m, -2*n-1)
	}
	low := c.scalar(largeNegative(scores.DType), scores.DType)
	if c.Layer.age < keras3 {
		off := c.mul(c.cast(c.not(m), scores.DType), low)
		return normalize(c.add(scores, off))
	}
	y := normalize(c.choose(m, scores, low))
	if !fused {
		y = c.choose(m, y, c.scalar(0, y.DType))
	}
	return y
}

// callGroupedQueryAttention is attention in which several query heads share a key and a value (Ainslie et al. 2023).
func callGroupedQueryAttention(c *Call) []Value {
	cfg := c.config()
	query, value, key, keyGiven := c.attentionInputs()
	query.need(3)
	size, heads, shared := cfg.positive("head_dim"), cfg.positive("num_query_heads"), cfg.positive("num_key_value_heads")
	if heads%shared != 0 {
		fail(ErrFormat, "%d query heads, %d key and value heads", heads, shared)
	}
	q := c.part("query").project(query, heads, size)
	k := c.part("key").project(key, shared, size)
	var gate Value
	gated := cfg.Bool("use_gate", false)
	if gated {
		gate = c.unary("Sigmoid", c.part("gate").project(query, heads, size))
	}
	v := c.part("value").project(value, shared, size)
	k, v = c.repeat(k, 2, heads/shared), c.repeat(v, 2, heads/shared)
	dot, combine, scoreShape, outShape := attentionEquations([]int{1}, q.Shape, k.Shape, v.Shape)
	scores := c.einsum(dot, scoreShape, k, c.scale(q, 1/math.Sqrt(float64(size))))
	fused := cfg.Float("dropout", 0) == 0 && !c.flag("return_attention_scores")
	weights := c.maskedSoftmax(scores, c.attentionMask(query, value, key, keyGiven), 1, fused)
	y := c.einsum(combine, outShape, weights, v)
	if gated {
		y = c.mul(y, gate)
	}
	y = c.part("attention_output").join(y, 2, []int{query.last()}).masked(query.Mask)
	if c.flag("return_attention_scores") {
		return []Value{y, weights}
	}
	return []Value{y}
}
