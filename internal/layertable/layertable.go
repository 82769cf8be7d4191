// Package layertable draws the table of Keras's model.summary().
package layertable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Row is one layer.
type Row struct {
	Name, Class string
	Shapes      [][]int // of the outputs, with the batch; a negative size is unknown
	Parameters  int
}

// Text returns the table of a model's layers, with the numbers of weights that learn and that do not below it.
func Text(model string, layers []Row, trainable, fixed int) string {
	rows := [][3]string{{"Layer (type)", "Output Shape", "Param #"}}
	for _, l := range layers {
		rows = append(rows, [3]string{fmt.Sprintf("%s (%s)", l.Name, l.Class), pythonShapes(l.Shapes), Thousands(l.Parameters)})
	}
	var width [3]int
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", model)
	for i, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %*s\n", width[0], r[0], width[1], r[1], width[2], r[2])
		if i == 0 {
			fmt.Fprintln(&b, strings.Repeat("─", width[0]+width[1]+width[2]+4))
		}
	}
	fmt.Fprintf(&b, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n", Thousands(trainable+fixed), Thousands(trainable), Thousands(fixed))
	return b.String()
}

// pythonShapes writes shapes as Python does, several as a list: (None, 128).
func pythonShapes(shapes [][]int) string {
	list := make([]string, len(shapes))
	for i, s := range shapes {
		list[i] = pythonShape(s)
	}
	if len(list) == 1 {
		return list[0]
	}
	return "[" + strings.Join(list, ", ") + "]"
}

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

// Thousands groups the digits of a number by three: 101,770.
func Thousands[T int | int64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
