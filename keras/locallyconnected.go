package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: func(c *Call) []Value { return callLocallyConnected(c, 1) }}, "LocallyConnected1D")
	register(class{call: func(c *Call) []Value { return callLocallyConnected(c, 2) }}, "LocallyConnected2D")
}

// callLocallyConnected is a convolution of Keras 1 and 2 that has a kernel of its own for each place of the output: patches
// [batch, places, inputs] times kernels [places, inputs, filters] (tf_keras/src/layers/locally_connected).
func callLocallyConnected(c *Call, n int) []Value {
	in, cfg := c.x(), c.config()
	in.need(n + 2)
	if i := cfg.Int("implementation", 1); i != 1 || cfg.String("padding", "valid") != "valid" {
		fail(ErrUnsupported, "implementation %d with padding %q", i, cfg.String("padding", "valid"))
	}
	x, back := c.channelsLast(in)
	if product(x.Shape[1:]...) < 0 {
		fail(ErrUnsupported, "an input of unknown size %v", in.Shape)
	}
	w := c.window(n, "kernel_size", false)
	w.dilation = slices.Repeat([]int{1}, n)
	filters := cfg.positive("filters")
	places := make(tensor.Shape, n)
	for i := range places {
		if places[i] = w.output(x.Shape[i+1], i); places[i] < 1 {
			fail(ErrFormat, "kernel_size %v is too large for an input of shape %v", w.size, in.Shape)
		}
	}
	table := patches(x.Shape[1:], places, w, cfg.channelsFirst())
	size := product(w.size...) * x.last()
	count := product(places...)
	flat := c.reshape(x, c.dim(x, 0), dim{n: product(x.Shape[1:]...)})
	cut := c.gatherAxis(flat, c.constant(tensor.Must(tensor.Of(table, count, size))), 1)
	y := c.einsum("bpi,pio->bpo", tensor.Shape{x.Shape[0], count, filters}, cut, c.Weight("kernel", tensor.Shape{count, size, filters}, true))
	y = c.reshape(y, slices.Concat([]dim{c.dim(x, 0)}, known(places...), known(filters))...)
	if cfg.Bool("use_bias", true) {
		y = c.op("AddV2", []Value{y, c.Weight("bias", append(places, filters), true)}, graph.Attrs{"T": y.DType}, y.DType, y.Shape)
	}
	return []Value{c.afterConv(y, back)}
}

// patches lists, for each place of the output, the elements of an example [spatial…, channels] that lie under the kernel, in
// the order of the kernel's inputs: channels last, or first.
func patches(shape, places tensor.Shape, w window, channelsFirst bool) []int32 {
	n, channels := len(places), shape[len(shape)-1]
	var table []int32
	each := func(sizes []int, visit func(at []int)) {
		at := make([]int, len(sizes))
		for range product(sizes...) {
			visit(at)
			for i := len(at) - 1; i >= 0; i-- {
				if at[i]++; at[i] < sizes[i] {
					break
				}
				at[i] = 0
			}
		}
	}
	order := append(slices.Clone(w.size), channels)
	if channelsFirst {
		order = append([]int{channels}, w.size...)
	}
	bounded(product(places...), "the number of places")
	each(places, func(place []int) {
		each(order, func(k []int) {
			offset, channel := k[:n], k[n]
			if channelsFirst {
				offset, channel = k[1:], k[0]
			}
			at := 0
			for i := range n {
				at = at*shape[i] + place[i]*w.strides[i] + offset[i]
			}
			table = append(table, int32(at*channels+channel))
		})
	})
	return table
}
