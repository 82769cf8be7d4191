package keras

import (
	"slices"

	"github.com/cambium-go/cambium/internal/layertable"
	"github.com/cambium-go/cambium/tensor"
)

// Listed returns the layers that model.summary() lists: all but the input layer of a Sequential.
func (m *Model) Listed() []*Layer {
	if m.Class != "Sequential" {
		return m.Layers
	}
	return slices.DeleteFunc(slices.Clone(m.Layers), func(l *Layer) bool { return l.Class == "InputLayer" })
}

// StatedShapes are the output shapes as model.summary() gives them: with the size of the batch that the model was built on, and
// unknown where the configuration of an EinsumDense of Keras 3 leaves the size open.
func (l *Layer) StatedShapes() []tensor.Shape {
	shapes := l.OutputShapes
	if l.stated != nil {
		shapes = l.stated
	}
	output, ok := shapeOf(l.Config["output_shape"])
	if l.Class != "EinsumDense" || l.age != keras3 || !ok || len(shapes) != 1 {
		return shapes
	}
	shape := slices.Clone(shapes[0])
	for i, d := range output {
		if at := len(shape) - len(output) + i; at >= 0 && d < 0 {
			shape[at] = -1
		}
	}
	return []tensor.Shape{shape}
}

// Summary returns the layer table of model.summary(): name, class, output shape and number of parameters of each layer.
func (m *Model) Summary() string {
	var rows []layertable.Row
	for _, l := range m.Listed() {
		var shapes [][]int
		for _, s := range l.StatedShapes() {
			shapes = append(shapes, s)
		}
		rows = append(rows, layertable.Row{Name: l.Name, Class: l.Class, Shapes: shapes, Parameters: l.Parameters()})
	}
	trainable := m.TrainableParameters()
	return layertable.Text(m.Name, rows, trainable, m.Parameters()-trainable)
}
