package keras

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	rows := [][3]string{{"Layer (type)", "Output Shape", "Param #"}}
	for _, l := range m.Listed() {
		var shapes []string
		for _, s := range l.StatedShapes() {
			shapes = append(shapes, pythonShape(s))
		}
		text := strings.Join(shapes, ", ")
		if len(shapes) > 1 {
			text = "[" + text + "]"
		}
		rows = append(rows, [3]string{fmt.Sprintf("%s (%s)", l.Name, l.Class), text, thousands(l.Parameters())})
	}
	var width [3]int
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", m.Name)
	for i, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %*s\n", width[0], r[0], width[1], r[1], width[2], r[2])
		if i == 0 {
			fmt.Fprintln(&b, strings.Repeat("─", width[0]+width[1]+width[2]+4))
		}
	}
	all, trainable := m.Parameters(), m.TrainableParameters()
	fmt.Fprintf(&b, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n", thousands(all), thousands(trainable), thousands(all-trainable))
	return b.String()
}

// pythonShape writes a shape as Python does: (None, 128).
func pythonShape(s []int) string {
	parts := make([]string, len(s))
	for i, d := range s {
		if parts[i] = strconv.Itoa(d); d < 0 {
			parts[i] = "None"
		}
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// thousands groups digits by three.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
