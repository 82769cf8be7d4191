package dense

import "github.com/cambium-go/cambium/internal/layertable"

// Parameters returns the numbers of weights that learn and that do not.
func (m *Model) Parameters() (trainable, fixed int) {
	for _, p := range m.parameters {
		if p.trainable {
			trainable += p.size()
		} else {
			fixed += p.size()
		}
	}
	return trainable, fixed
}

// Summary returns the table of model.summary(): each layer with its output shape and number of weights.
func (m *Model) Summary() string {
	var rows []layertable.Row
	for _, l := range m.layers {
		n := 0
		for _, p := range m.parameters[l.first:l.last] {
			n += p.size()
		}
		rows = append(rows, layertable.Row{Name: l.name, Class: l.class, Shapes: [][]int{append([]int{-1}, l.output...)}, Parameters: n})
	}
	trainable, fixed := m.Parameters()
	return layertable.Text(m.name, rows, trainable, fixed)
}
