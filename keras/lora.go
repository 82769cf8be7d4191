package keras

import (
	"slices"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// mergeLoRA folds the low-rank adapters of layers on which enable_lora was called into the weights beside them, as Keras does where
// it writes a .keras archive; an HDF5 file has them side by side: bias, lora_kernel_a, lora_kernel_b among the trainable weights,
// the frozen kernel among the others. The merged weight takes the place that it has without adapters, before the layer's others.
func (s saved) mergeLoRA(l *Layer) saved {
	for i := 0; i < len(s.weights); i++ {
		at, name, ok := cutLast(s.weights[i], "/lora_")
		name, isA := strings.CutSuffix(trimIndex(name), "_a")
		if !ok || !isA {
			continue
		}
		b := slices.IndexFunc(s.weights, func(w string) bool { return trimIndex(w) == at+"/lora_"+name+"_b" })
		frozen := slices.IndexFunc(s.weights, func(w string) bool { return trimIndex(w) == at+"/"+name })
		if b < 0 || frozen < 0 {
			fail(ErrWeights, "layer %s: the adapter %s lacks its second matrix or the weight it belongs to", l.path, s.weights[i])
		}
		merged := adapted(s.values[frozen], s.values[i], s.values[b], loraScale(l, at))
		place := slices.IndexFunc(s.weights, func(w string) bool { return strings.HasPrefix(w, at+"/") })
		r := saved{name: s.name}
		for k, w := range s.weights {
			if k == place {
				r.weights, r.values = append(r.weights, s.weights[frozen]), append(r.values, merged)
			}
			if k != i && k != b && k != frozen {
				r.weights, r.values = append(r.weights, w), append(r.values, s.values[k])
			}
		}
		s, i = r, -1
	}
	return s
}

// cutLast cuts a string around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// trimIndex drops the ":0" of a name.
func trimIndex(name string) string { return strings.TrimSuffix(name, ":0") }

// loraScale is lora_alpha / lora_rank of the layer whose weights stand at a path.
func loraScale(l *Layer, at string) float64 {
	for _, leaf := range leaves(l) {
		rank := leaf.Config.Float("lora_rank", 0)
		if rank > 0 && (leaf.Name == at || strings.HasSuffix(at, "/"+leaf.Name)) {
			return leaf.Config.Float("lora_alpha", rank) / rank
		}
	}
	return 1
}

// adapted returns w + scale·a·b. w: […, n], a: […, rank], b: [rank, n].
func adapted(w, a, b *tensor.Tensor, scale float64) *tensor.Tensor {
	n, rank := w.Shape()[w.Rank()-1], a.Shape()[a.Rank()-1]
	if b.Rank() != 2 || b.Shape()[0] != rank || b.Shape()[1] != n || a.Len()/max(rank, 1)*n != w.Len() || !floating(w.DType()) {
		fail(ErrWeights, "adapters of %v and %v do not fit a weight of %v", a, b, w)
	}
	sum, err := tensor.Data[float32](float32s(w).Clone())
	check(err)
	x, err := tensor.Data[float32](float32s(a))
	check(err)
	y, err := tensor.Data[float32](float32s(b))
	check(err)
	for i := range sum {
		product := 0.0
		for r := range rank {
			product += float64(x[i/n*rank+r]) * float64(y[r*n+i%n])
		}
		sum[i] += float32(scale * product)
	}
	return tensor.Must(tensor.Of(sum, w.Shape()...))
}

func float32s(t *tensor.Tensor) *tensor.Tensor {
	r, err := t.Cast(tensor.Float32)
	check(err)
	return r
}
