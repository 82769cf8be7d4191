package keras

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// assign sets variables to values, in order.
func assign(where string, vars []*Variable, values []*tensor.Tensor) error {
	if len(vars) != len(values) {
		return fmt.Errorf("%w: layer %s has %d weights, %d were given", ErrWeights, where, len(vars), len(values))
	}
	converted := make([]*tensor.Tensor, len(values))
	for i, v := range vars {
		t := values[i]
		if t == nil {
			return fmt.Errorf("%w: weight %s is missing", ErrWeights, v.Path)
		}
		if !slices.Equal(t.Shape(), v.Shape) {
			return fmt.Errorf("%w: weight %s has shape %v, the layer needs %v", ErrWeights, v.Path, t.Shape(), v.Shape)
		}
		if t.DType() == tensor.Int8 && floating(v.DType) {
			return fmt.Errorf("%w: weight %s is quantized (int8), the layer's configuration says %v", ErrWeights, v.Path, v.DType)
		}
		var err error
		if floating(t.DType()) && floating(v.DType) {
			t, err = t.Cast(v.DType)
		} else {
			t, err = t.Convert(v.DType)
		}
		if err != nil {
			return fmt.Errorf("%w: weight %s: %w", ErrWeights, v.Path, err)
		}
		converted[i] = t
	}
	for i, v := range vars {
		v.Value = converted[i]
	}
	return nil
}

// leaves lists the layers that hold weights themselves, in order.
func leaves(l *Layer) []*Layer {
	var out []*Layer
	if len(l.variables) > 0 {
		out = append(out, l)
	}
	for _, s := range l.sublayers {
		out = append(out, leaves(s)...)
	}
	if l.Model != nil {
		for _, s := range l.Model.Layers {
			out = append(out, leaves(s)...)
		}
	}
	return out
}

// legacyCount is how many trainable and other weights a layer has in a file of a version.
func (l *Layer) legacyCount(a age) (trainable, other int) {
	if a == keras1 {
		gates := map[string]int{"LSTMCell": 4, "GRUCell": 3, "ConvLSTMCell": 4}[l.Class]
		if gates > 0 {
			if l.trainable {
				return 3 * gates, 0
			}
			return 0, 3 * gates
		}
	}
	for _, v := range l.variables {
		if v.Trainable {
			trainable++
		} else {
			other++
		}
	}
	return trainable, other
}

// legacyAssign gives a layer of an HDF5 file its weights: first the trainable ones of all its parts, then the others.
func legacyAssign(l *Layer, names []string, values []*tensor.Tensor, a age, backend string) {
	parts := leaves(l)
	total, trainables := 0, 0
	for _, p := range parts {
		t, o := p.legacyCount(a)
		total, trainables = total+t+o, trainables+t
	}
	if a == keras1 && len(values) != total { // late Keras 1 files can have the arrays joined already
		a = keras2
		total, trainables = 0, 0
		for _, p := range parts {
			t, o := p.legacyCount(a)
			total, trainables = total+t+o, trainables+t
		}
	}
	values = withoutSeeds(names, values, total)
	if len(values) != total {
		fail(ErrWeights, "layer %s needs %d weights, the file has %d (%s)", l.path, total, len(values), strings.Join(names, ", "))
	}
	first, second := values[:trainables], values[trainables:]
	for _, p := range parts {
		t, o := p.legacyCount(a)
		own := slices.Concat(first[:t], second[:o])
		first, second = first[t:], second[o:]
		own = convertLegacy(p, own, a, backend)
		order := make([]*Variable, 0, len(p.variables))
		for _, trainable := range []bool{true, false} {
			for _, v := range p.variables {
				if v.Trainable == trainable {
					order = append(order, v)
				}
			}
		}
		check(assign(p.path, order, own))
	}
}

// withoutSeeds drops the states of random generators, which are no weights.
func withoutSeeds(names []string, values []*tensor.Tensor, want int) []*tensor.Tensor {
	if len(values) == want {
		return values
	}
	var out []*tensor.Tensor
	for i, n := range names {
		if i < len(values) && !strings.Contains(n, "seed_generator") && !strings.Contains(n, "StateVar") {
			out = append(out, values[i])
		}
	}
	return out
}

// convertLegacy brings the arrays of one layer to the form of Keras 3: joined gates, kernels with channels last, kernels
// that are not flipped (keras/src/legacy, tf_keras/src/saving/legacy/hdf5_format.py).
func convertLegacy(l *Layer, v []*tensor.Tensor, a age, backend string) []*tensor.Tensor {
	if len(v) == 0 {
		return v
	}
	v = slices.Clone(v)
	first := l.Config.channelsFirst()
	if a == keras1 {
		switch l.Class {
		case "LSTMCell", "ConvLSTMCell":
			if len(v) == 12 { // i, c, f, o become i, f, c, o
				v = joinGates(v, 0, 2, 1, 3)
			}
		case "GRUCell":
			if len(v) == 9 {
				v = joinGates(v, 0, 1, 2)
			}
		case "Conv1D":
			if k := v[0]; k.Rank() == 4 {
				if s := k.Shape(); s[0] == l.Config.Int("filters", 0) && s[3] == 1 && s[1] != 1 {
					k = permuted(k, 2, 3, 1, 0)
				}
				v[0] = squeezed(k, 1)
			}
		case "Conv2D":
			if first {
				v[0] = permuted(v[0], 2, 3, 1, 0)
			}
		case "Conv2DTranspose":
			if first {
				v[0] = permuted(v[0], 2, 3, 0, 1)
			} else {
				v[0] = permuted(v[0], 0, 1, 3, 2)
			}
		case "Conv3D":
			if first {
				v[0] = permuted(v[0], 2, 3, 4, 1, 0)
			}
		}
	}
	if convolutional(l.Class) && v[0].Rank() >= 3 {
		if v[0].Rank() == 4 && !slices.Equal(v[0].Shape(), l.variables[0].Shape) {
			if p := permuted(v[0], 3, 2, 0, 1); slices.Equal(p.Shape(), l.variables[0].Shape) {
				v[0] = p
			}
		}
		if backend == "theano" || backend == "" && a == keras1 && first {
			v[0] = flipped(v[0])
		}
	}
	if l.Config.Bool("cudnn", false) {
		v = fromCuDNN(l, v)
	}
	return v
}

// joinGates joins kernel, recurrent kernel and bias of each gate along the last axis. The file has the three arrays of
// one gate after the other; order says which gate comes where.
func joinGates(v []*tensor.Tensor, order ...int) []*tensor.Tensor {
	out := make([]*tensor.Tensor, 3)
	for i := range out {
		var parts []*tensor.Tensor
		for _, g := range order {
			parts = append(parts, v[3*g+i])
		}
		out[i] = joined(parts)
	}
	return out
}

// fromCuDNN turns the kernels of CuDNNLSTM and CuDNNGRU, which are transposed gate by gate, into those of LSTM and GRU.
func fromCuDNN(l *Layer, v []*tensor.Tensor) []*tensor.Tensor {
	gates := map[string]int{"LSTMCell": 4, "GRUCell": 3}[l.Class]
	if gates == 0 || len(v) < 2 {
		return v
	}
	v[0] = eachGate(v[0], gates, func(rows, i, j int) int { return j*rows + i })
	v[1] = eachGate(v[1], gates, func(rows, i, j int) int { return j*rows + i })
	if len(v) == 3 {
		units := l.Config.positive("units")
		b, err := v[2].Cast(tensor.Float32)
		check(err)
		x, err := tensor.Data[float32](b)
		check(err)
		switch {
		case l.Class == "LSTMCell" && len(x) == 8*units:
			sum := make([]float32, 4*units)
			for i := range sum {
				sum[i] = x[i] + x[4*units+i]
			}
			v[2] = tensor.Must(tensor.Of(sum, 4*units))
		case l.Class == "GRUCell" && len(x) == 6*units:
			v[2] = tensor.Must(tensor.Of(x, 2, 3*units))
		}
	}
	return v
}

// eachGate rearranges [rows, gates·columns] gate by gate: element (i, j) of a gate is taken from element at(i, j) of the
// gate's own rows·columns elements, counted row by row.
func eachGate(t *tensor.Tensor, gates int, at func(rows, i, j int) int) *tensor.Tensor {
	t, err := t.Cast(tensor.Float32)
	check(err)
	if t.Rank() != 2 || t.Shape()[1]%gates != 0 {
		fail(ErrWeights, "a kernel of shape %v for %d gates", t.Shape(), gates)
	}
	x, err := tensor.Data[float32](t)
	check(err)
	rows, columns := t.Shape()[0], t.Shape()[1]/gates
	out := make([]float32, len(x))
	for g := range gates {
		for i := range rows {
			for j := range columns {
				// the gate's transpose [columns, rows] was stored row by row in the place of [rows, columns]
				k := at(rows, i, j)
				out[i*gates*columns+g*columns+j] = x[(k/columns)*gates*columns+g*columns+k%columns]
			}
		}
	}
	return tensor.Must(tensor.Of(out, rows, gates*columns))
}

// permuted returns a copy with the axes permuted.
func permuted(t *tensor.Tensor, perm ...int) *tensor.Tensor {
	if t.Rank() != len(perm) {
		fail(ErrWeights, "a kernel of shape %v, rank %d is needed", t.Shape(), len(perm))
	}
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = t.Shape()[p]
	}
	return rearranged(t, shape, func(index []int) int {
		at := 0
		for axis, d := range t.Shape() {
			i := index[slices.Index(perm, axis)]
			at = at*d + i
		}
		return at
	})
}

// flipped returns a copy with every axis but the last two turned around.
func flipped(t *tensor.Tensor) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	return rearranged(t, shape, func(index []int) int {
		at := 0
		for axis, d := range shape {
			i := index[axis]
			if axis < len(shape)-2 {
				i = d - 1 - i
			}
			at = at*d + i
		}
		return at
	})
}

// rearranged fills a new tensor: the element at an index is element from(index) of t.
func rearranged(t *tensor.Tensor, shape []int, from func(index []int) int) *tensor.Tensor {
	out, err := tensor.New(t.DType(), shape...)
	check(err)
	size := t.DType().Size()
	src, dst := t.Bytes(), out.Bytes()
	index := make([]int, len(shape))
	for i := range out.Len() {
		copy(dst[i*size:(i+1)*size], src[from(index)*size:])
		for a := len(shape) - 1; a >= 0; a-- {
			if index[a]++; index[a] < shape[a] {
				break
			}
			index[a] = 0
		}
	}
	return out
}

// squeezed drops an axis of length 1.
func squeezed(t *tensor.Tensor, axis int) *tensor.Tensor {
	if t.Shape()[axis] != 1 {
		fail(ErrWeights, "a kernel of shape %v, axis %d should be 1", t.Shape(), axis)
	}
	return tensor.Must(t.Reshape(without(t.Shape(), axis)...))
}

// joined concatenates along the last axis.
func joined(parts []*tensor.Tensor) *tensor.Tensor {
	rank := parts[0].Rank()
	rows, columns := 1, 0
	for _, d := range parts[0].Shape()[:rank-1] {
		rows *= d
	}
	for _, p := range parts {
		if p.Rank() != rank || !slices.Equal(p.Shape()[:rank-1], parts[0].Shape()[:rank-1]) || p.DType() != parts[0].DType() {
			fail(ErrWeights, "arrays of shapes %v and %v cannot be joined", parts[0].Shape(), p.Shape())
		}
		columns += p.Shape()[rank-1]
	}
	out, err := tensor.New(parts[0].DType(), with(parts[0].Shape(), rank-1, columns)...)
	check(err)
	dst := out.Bytes()[:0]
	for r := range rows {
		for _, p := range parts {
			row := len(p.Bytes()) / max(rows, 1)
			dst = append(dst, p.Bytes()[r*row:(r+1)*row]...)
		}
	}
	return out
}
