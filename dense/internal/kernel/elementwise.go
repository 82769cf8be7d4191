package kernel

// vectors returns how many of n values the vector kernels take; the rest is left to the loop after them.
func vectors(n int) int {
	if simd == nil {
		return 0
	}
	return n &^ 15
}

// Scale computes, dst and src may be the same:
//
//	for i := range src {
//		dst[i] = src[i]*a + b
//	}
func Scale(dst, src []float32, a, b float32) {
	n := vectors(len(src))
	if n > 0 {
		_ = dst[len(src)-1]
		simd.scale(&dst[0], &src[0], n, a, b)
	}
	for i := n; i < len(src); i++ {
		dst[i] = src[i]*a + b
	}
}

// Add computes:
//
//	for i := range src {
//		dst[i] += src[i]
//	}
func Add(dst, src []float32) {
	n := vectors(len(src))
	if n > 0 {
		_ = dst[len(src)-1]
		simd.add(&dst[0], &src[0], n)
	}
	for i := n; i < len(src); i++ {
		dst[i] += src[i]
	}
}

// Regularize adds the gradient of an L1 and L2 penalty on w, with sign(0) = 0:
//
//	for i := range g {
//		g[i] += l2*w[i] + l1*sign(w[i])
//	}
func Regularize(g, w []float32, l1, l2 float32) {
	n := vectors(len(g))
	if n > 0 {
		_ = w[len(g)-1]
		simd.regularize(&g[0], &w[0], n, l1, l2)
	}
	for i := n; i < len(g); i++ {
		v := g[i] + l2*w[i]
		switch {
		case w[i] > 0:
			v += l1
		case w[i] < 0:
			v -= l1
		}
		g[i] = v
	}
}

// Clip limits g to [-limit, limit]:
//
//	for i := range g {
//		g[i] = min(max(g[i], -limit), limit)
//	}
func Clip(g []float32, limit float32) {
	n := vectors(len(g))
	if n > 0 {
		simd.clip(&g[0], n, limit)
	}
	for i := n; i < len(g); i++ {
		g[i] = min(max(g[i], -limit), limit)
	}
}

// Dropout keeps a value with probability 1 - threshold/2³² and scales it, else sets it to zero; dst and src may be the same:
//
//	for i := range src {
//		if hash(key+start+uint32(i)) >= threshold {
//			dst[i] = src[i] * scale
//		} else {
//			dst[i] = 0
//		}
//	}
func Dropout(dst, src []float32, key, start, threshold uint32, scale float32) {
	n := vectors(len(src))
	if n > 0 {
		_ = dst[len(src)-1]
		simd.dropout(&dst[0], &src[0], n, key, start, threshold, scale)
	}
	for i := n; i < len(src); i++ {
		v := src[i] * scale
		if hash(key+start+uint32(i)) < threshold {
			v = 0
		}
		dst[i] = v
	}
}

// hash is a 32-bit mixing function (C. Wellons, "hash prospector", lowbias32).
func hash(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x21f0aaad
	x ^= x >> 15
	x *= 0x735a2d97
	return x ^ x>>15
}
