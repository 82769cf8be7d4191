package dense

import (
	"fmt"
	"strings"
)

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
	rows := [][3]string{{"Layer (type)", "Output Shape", "Param #"}}
	for _, l := range m.layers {
		n := 0
		for _, p := range m.parameters[l.first:l.last] {
			n += p.size()
		}
		shape := "(None"
		for _, s := range l.output {
			shape += fmt.Sprintf(", %d", s)
		}
		rows = append(rows, [3]string{fmt.Sprintf("%s (%s)", l.name, l.class), shape + ")", thousands(n)})
	}
	var width [3]int
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", m.name)
	for i, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %*s\n", width[0], r[0], width[1], r[1], width[2], r[2])
		if i == 0 {
			fmt.Fprintln(&b, strings.Repeat("-", width[0]+width[1]+width[2]+4))
		}
	}
	trainable, fixed := m.Parameters()
	fmt.Fprintf(&b, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n", thousands(trainable+fixed), thousands(trainable),
		thousands(fixed))
	return b.String()
}

// thousands writes n with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
