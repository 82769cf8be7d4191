package keras

import "github.com/cambium-go/cambium/tensor"

// Layers that change images at random in training, and leave them alone afterwards.
func init() {
	same := func(c *Call) []Value { return []Value{c.x()} }
	register(class{call: same}, "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
		"RandomBrightness", "RandomSharpness", "RandomHue", "RandomSaturation", "RandomColorJitter", "RandomColorDegeneration",
		"RandomGrayscale", "RandomPosterization", "RandomShear", "RandomPerspective", "RandomElasticTransform", "RandomErasing",
		"RandomGaussianBlur", "RandomInvert", "RandomHeight", "RandomWidth", "AugMix", "CutMix", "MixUp", "RandAugment",
		"Equalization", "Solarization", "MaxNumBoundingBoxes")
	register(class{call: callRandomCrop}, "RandomCrop")
	register(class{call: callAutoContrast}, "AutoContrast")
	register(class{call: callPipeline, passesMask: true, keepsTypes: true}, "Pipeline")
}

// callRandomCrop leaves images alone in Keras 3; tf.keras scales the largest centered part that has the wanted ratio.
func callRandomCrop(c *Call) []Value {
	in := c.x()
	if c.Layer.age == keras3 {
		return []Value{in}
	}
	in.need(4)
	height, width := c.config().positive("height"), c.config().positive("width")
	x, back := c.channelsLast(in)
	y := c.resize(c.cropToRatio(x, height, width), "bilinear", false, dim{n: height}, dim{n: width})
	return []Value{back(c.cast(y, c.policy.compute))}
}

// callAutoContrast stretches each channel of each image over the whole range of values, in training or not.
func callAutoContrast(c *Call) []Value {
	x, cfg := c.x(), c.config()
	x.need(4)
	low, high := 0.0, 255.0
	if bounds, _ := cfg.numbers("value_range"); cfg.has("value_range") {
		if len(bounds) != 2 || bounds[0] >= bounds[1] {
			fail(ErrFormat, "value_range is %v", cfg["value_range"])
		}
		low, high = bounds[0], bounds[1]
	}
	axes := func() []int { return []int{1, 2} }
	darkest, brightest := c.reduce("Min", x, true, axes()...), c.reduce("Max", x, true, axes()...)
	share := c.clip(c.div(c.sub(x, darkest), c.sub(brightest, darkest)), 0, 1)
	y := c.shift(c.scale(share, high-low), low)
	flat := c.op("IsNan", []Value{share}, map[string]any{"T": x.DType}, tensor.Bool, x.Shape) // a channel of one value
	return []Value{c.choose(flat, x, y)}
}

// callPipeline applies its layers one after the other.
func callPipeline(c *Call) []Value {
	out := []Value{c.x()}
	for _, s := range c.Layer.sublayers {
		if len(out) != 1 {
			fail(ErrUnsupported, "layer %s of a pipeline is called with %d tensors", s.Name, len(out))
		}
		out = c.inner(s, nil, out[0])
	}
	return out
}
