package keras

import "github.com/cambium-go/cambium/tensor"

// The layers that keras.applications defines for itself.
func init() {
	register(class{call: callLayerScale}, "LayerScale")
	register(class{call: callCustomScale}, "CustomScaleLayer")
	register(class{call: func(c *Call) []Value { return []Value{c.x()} }}, "StochasticDepth")
}

// callLayerScale is ConvNeXt's LayerScale: a learned factor for each channel.
func callLayerScale(c *Call) []Value {
	return []Value{c.mul(c.x(), c.Weight("gamma", tensor.Shape{c.config().positive("projection_dim")}, true))}
}

// callCustomScale is Inception-ResNet's residual: the first input plus the second times a factor.
func callCustomScale(c *Call) []Value {
	c.several(2)
	return []Value{c.add(c.Inputs[0], c.scale(c.Inputs[1], c.config().Float("scale", 1)))}
}
