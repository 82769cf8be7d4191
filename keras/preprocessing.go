package keras

import (
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callRescaling, passesMask: true}, "Rescaling")
	register(class{call: callResizing}, "Resizing")
	register(class{call: callCenterCrop}, "CenterCrop")
	register(class{call: callCategoryEncoding, keepsTypes: true}, "CategoryEncoding")
	register(class{call: callDiscretization, keepsTypes: true}, "Discretization")
}

// callRescaling is x·scale + offset.
func callRescaling(c *Call) []Value {
	x := c.cast(c.x(), c.policy.compute)
	read := func(key string, def float64) Value {
		if !c.config().has(key) {
			return c.scalar(def, x.DType)
		}
		v, shape := c.config().numbers(key)
		t := c.floats(v, x.DType, shape...)
		if t.rank() == 1 && c.config().channelsFirst() && c.config().has("data_format") {
			t = c.reshape(t, known(t.Shape[0], 1, 1)...)
		}
		return t
	}
	return []Value{c.add(c.mul(x, read("scale", 1)), read("offset", 0))}
}

// callResizing scales images [batch, height, width, channels]; optionally after cropping or padding them to the shape.
func callResizing(c *Call) []Value {
	in, cfg := c.x(), c.config()
	in.need(4)
	height, width := cfg.positive("height"), cfg.positive("width")
	x, back := c.channelsLast(in)
	y := x
	if cfg.Bool("crop_to_aspect_ratio", false) {
		y = c.cropToRatio(x, height, width)
	} else if cfg.Bool("pad_to_aspect_ratio", false) {
		y = c.padToRatio(x, height, width, cfg.Float("fill_value", 0))
	}
	y = c.resize(y, cfg.String("interpolation", "bilinear"), cfg.Bool("antialias", false), dim{n: height}, dim{n: width})
	return []Value{back(c.cast(y, c.policy.compute))}
}

// imageSize is the size of images [batch, height, width, channels], which must be known.
func (e *emitter) imageSize(x Value) (height, width int) {
	if x.Shape[1] < 1 || x.Shape[2] < 1 {
		fail(ErrUnsupported, "images of unknown size %v", x.Shape)
	}
	return x.Shape[1], x.Shape[2]
}

// cropToRatio cuts the largest centered part that has the ratio height : width.
func (e *emitter) cropToRatio(x Value, height, width int) Value {
	h, w := e.imageSize(x)
	ch := max(min(h, int(float32(w*height)/float32(width))), 1)
	cw := max(min(w, int(float32(h*width)/float32(height))), 1)
	top, left := (h-ch)/2, (w-cw)/2
	return e.strided(e.strided(x, 1, top, top+ch, 1, false), 2, left, left+cw, 1, false)
}

// padToRatio adds a border so that the image has the ratio height : width.
func (e *emitter) padToRatio(x Value, height, width int, value float64) Value {
	h, w := e.imageSize(x)
	ph := max(h, int(float32(w*height)/float32(width)))
	pw := max(w, int(float32(h*width)/float32(height)))
	top, left := (ph-h)/2, (pw-w)/2
	return e.pad(x, "", value, [2]int{}, [2]int{top, top}, [2]int{left, left}, [2]int{})
}

// callCenterCrop cuts the middle out; images that are too small are cut to the ratio and scaled up.
func callCenterCrop(c *Call) []Value {
	in := c.x()
	in.need(4)
	height, width := c.config().positive("height"), c.config().positive("width")
	x, back := c.channelsLast(in)
	h, w := c.imageSize(x)
	if h >= height && w >= width {
		top, left := (h-height)/2, (w-width)/2
		return []Value{back(c.strided(c.strided(x, 1, top, top+height, 1, false), 2, left, left+width, 1, false))}
	}
	y := c.resize(c.cropToRatio(x, height, width), "bilinear", false, dim{n: height}, dim{n: width})
	return []Value{back(c.cast(y, c.policy.compute))}
}

// encode writes indices as one_hot, multi_hot, count or tf_idf vectors of a length; an index of -1 counts nowhere
// (keras/src/utils/numerical_utils.py, encode_categorical_inputs).
func (e *emitter) encode(ids Value, mode string, depth int, d tensor.DType, weights *Value) Value {
	if depth < 1 {
		fail(ErrFormat, "an encoding of length %d", depth)
	}
	if mode == "one_hot" && ids.rank() > 1 && ids.Shape[ids.rank()-1] == 1 {
		ids = e.squeeze(ids, -1)
	}
	hot := e.oneHot(ids, depth, d)
	switch mode {
	case "one_hot":
		return hot
	case "multi_hot":
		if hot.rank() < 3 {
			return hot
		}
		return e.reduce("Max", hot, false, -2)
	case "count":
		if weights != nil {
			hot = e.mul(hot, e.expand(*weights, -1))
		}
		if hot.rank() < 3 {
			return hot
		}
		return e.reduce("Sum", hot, false, -2)
	}
	fail(ErrUnsupported, "output_mode %q", mode)
	return Value{}
}

func (e *emitter) oneHot(ids Value, depth int, d tensor.DType) Value {
	o := &opCall{Call: &Call{emitter: *e, Layer: &Layer{Config: Config{}}, Args: []any{ids, float64(depth), float64(-1), nameOf(d)}}}
	return opOneHot(o)
}

// nameOf is the name of a type in configurations.
func nameOf(d tensor.DType) string { return d.String() }

// callCategoryEncoding encodes integers [batch, n] over num_tokens.
func callCategoryEncoding(c *Call) []Value {
	x := c.Inputs[0]
	ids := x
	if x.DType != tensor.Int32 && x.DType != tensor.Int64 {
		ids = c.cast(x, tensor.Int64)
	}
	var weights *Value
	if w, ok := c.Kwargs["count_weights"].(Value); ok {
		w = c.cast(w, c.policy.compute)
		weights = &w
	}
	return []Value{c.encode(ids, c.config().String("output_mode", "multi_hot"), c.config().positive("num_tokens"), c.policy.compute, weights)}
}

// callDiscretization gives the number of the bin that each value falls into.
func callDiscretization(c *Call) []Value {
	x := c.cast(c.x(), tensor.Float32)
	if !c.config().has("bin_boundaries") {
		fail(ErrUnsupported, "the bin_boundaries are not in the file: tf.keras does not save those that adapt found")
	}
	bounds, shape := c.config().numbers("bin_boundaries")
	if len(shape) != 1 || len(bounds) == 0 {
		fail(ErrFormat, "bin_boundaries %v", c.config()["bin_boundaries"])
	}
	dims := c.dims(x)
	flat := c.reshape(x, dim{n: 1}, c.times(dims...))
	table := c.floats(bounds, tensor.Float32, 1, len(bounds))
	ids := c.op("UpperBound", []Value{table, flat}, map[string]any{"T": tensor.Float32, "out_type": tensor.Int64}, tensor.Int64, slices.Clone(flat.Shape))
	ids = c.reshape(ids, dims...)
	mode := c.config().String("output_mode", "int")
	if mode == "int" {
		return []Value{ids}
	}
	return []Value{c.encode(ids, mode, len(bounds)+1, c.policy.compute, nil)}
}
