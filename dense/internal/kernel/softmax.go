package kernel

import "math"

// Masked is what padding columns get in a mask for Softmax.
const Masked = -1e30

// Softmax normalizes rows that run through several panels, stride float32 apart; dst and src may be the same:
//
//	for r := range rows {
//		top[r] = max over columns of z[r], where z is src, plus mask in the last panel
//		sum[r] = sum over columns of exp(z[r][c]-top[r])
//		dst[r][c] = exp(z[r][c]-top[r]) / sum[r]
//	}
//
// mask, [32], is 0 for real columns and Masked for padding. log(sum[r]) + top[r] is the log-sum-exp of the row. A NaN
// in a row makes its outputs and its sum NaN.
func Softmax(dst, src []float32, rows, stride, panels int, mask, top, sum []float32) {
	if rows == 0 {
		return
	}
	_, _ = dst[(panels-1)*stride+rows*Width-1], src[(panels-1)*stride+rows*Width-1]
	_, _, _ = mask[Width-1], top[rows-1], sum[rows-1]
	if simd != nil && panels == 1 && mask[Width/2] == Masked {
		simd.softmaxHalf(&dst[0], &src[0], rows, &mask[0], &top[0], &sum[0])
		return
	}
	if simd != nil {
		simd.softmax(&dst[0], &src[0], rows, uintptr(stride)*4, panels, &mask[0], &top[0], &sum[0])
		return
	}
	for r := range rows {
		m := float32(math.Inf(-1))
		value := func(p, c int) float32 {
			v := src[p*stride+r*Width+c]
			if p == panels-1 {
				v += mask[c]
			}
			return v
		}
		for i := range panels * Width {
			if v := value(i/Width, i%Width); v > m || v != v {
				m = v
			}
		}
		total := float32(0)
		for i := range panels * Width {
			e := float32(math.Exp(float64(value(i/Width, i%Width) - m)))
			dst[i/Width*stride+r*Width+i%Width] = e
			total += e
		}
		for i := range panels * Width {
			dst[i/Width*stride+r*Width+i%Width] /= total
		}
		top[r], sum[r] = m, total
	}
}
