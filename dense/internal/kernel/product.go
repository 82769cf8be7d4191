package kernel

// Product multiplies rows of activations with one panel of weights:
//
//	for r := range rows {
//		for c := range 32 {
//			sum := init[r*initStride+c]
//			for k := range inputs {
//				sum += x[k/32*xStride+r*32+k%32] * w[k*32+c]
//			}
//			out[r*32+c] = sum
//		}
//	}
//
// init is a bias (initStride 0), or a panel to add to (initStride 32), which may be out. With columns <= 16 the last 16
// columns of out are set to zero.
func Product(x []float32, xStride, rows, inputs int, w, init []float32, initStride int, out []float32, columns int) {
	if rows == 0 {
		return
	}
	_, _, _ = x[(inputs-1)/Width*xStride+rows*Width-1], w[inputs*Width-1], out[rows*Width-1]
	_ = init[(rows-1)*initStride+Width-1]
	if simd == nil {
		portableProduct(x, xStride, rows, inputs, w, init, initStride, out)
		return
	}
	if columns <= 16 {
		clearHalf(out, rows)
	}
	// Several tiles share a piece of w short enough to stay in the first-level cache. The sums are the same: a float32 keeps
	// its bits in memory.
	piece := inputs
	if rows > simd.rows {
		pieces := (inputs + pieceInputs - 1) / pieceInputs
		piece = Panels((inputs+pieces-1)/pieces) * Width
	}
	for first := 0; first < inputs; first += piece {
		x, w := x[first/Width*xStride:], w[first*Width:]
		n := min(piece, inputs-first)
		if first == 0 {
			tiles(x, xStride, rows, n, w, init, initStride, out, columns)
		} else {
			tiles(x, xStride, rows, n, w, out, Width, out, columns)
		}
	}
}

// pieceInputs is about how many inputs a piece has at most; so many rows of a panel are 24 KB.
const pieceInputs = 208

func tiles(x []float32, xStride, rows, inputs int, w, init []float32, initStride int, out []float32, columns int) {
	xPanel, step := uintptr(xStride)*4, uintptr(initStride)*4
	f := &simd.product
	if columns <= 16 && simd.width == Width {
		f = &simd.productHalf
	}
	for c := 0; c < columns; c += simd.width {
		for r := 0; r < rows; {
			n := tileRows(rows-r, simd.rows)
			f[n](&x[r*Width], xPanel, inputs, &w[c], &init[r*initStride+c], step, &out[r*Width+c])
			r += n
		}
	}
}

// tileRows splits what is left into tiles of most rows, the last two evenly so that none is too small to hide latency.
func tileRows(left, most int) int {
	switch {
	case left <= most:
		return left
	case left < 2*most && left-most < most/2:
		return (left + 1) / 2
	}
	return most
}

// clearHalf zeroes the last 16 columns of a panel.
func clearHalf(out []float32, rows int) {
	for r := range rows {
		clear(out[r*Width+Width/2:][:Width/2])
	}
}

func portableProduct(x []float32, xStride, rows, inputs int, w, init []float32, initStride int, out []float32) {
	for r := range rows {
		var sum [Width]float32
		copy(sum[:], init[r*initStride:])
		for k := range inputs {
			f, line := x[k/Width*xStride+r*Width+k%Width], (*[Width]float32)(w[k*Width:])
			for c := range sum {
				sum[c] += f * line[c]
			}
		}
		copy(out[r*Width:], sum[:])
	}
}

// Gemv multiplies one row with several panels of weights, wStride apart:
//
//	for p := range panels {
//		Product(x, xStride, 1, inputs, w[p*wStride:], init[p*32:], 0, out[p*outStride:], 32)
//	}
func Gemv(x []float32, xStride, inputs int, w []float32, wStride, panels int, init, out []float32, outStride int) {
	_, _ = x[(inputs-1)/Width*xStride+(inputs-1)%Width], w[(panels-1)*wStride+inputs*Width-1]
	_, _ = init[panels*Width-1], out[(panels-1)*outStride+Width-1]
	if simd == nil {
		for p := range panels {
			portableProduct(x, xStride, 1, inputs, w[p*wStride:], init[p*Width:], 0, out[p*outStride:])
		}
		return
	}
	for p := 0; p < panels; {
		n := 4
		for n > panels-p || simd.gemv[n] == nil {
			n /= 2
		}
		simd.gemv[n](&x[0], uintptr(xStride)*4, inputs, &w[p*wStride], uintptr(wStride)*4, &init[p*Width], &out[p*outStride], uintptr(outStride)*4)
		p += n
	}
}

// Outer computes the gradient of a block of weights, inputs (at most 32) by 32, from one panel of x and one of dy:
//
//	for i := range inputs {
//		for c := range 32 {
//			sum := float32(0)
//			for b := range rows {
//				sum += x[b*32+i] * dy[b*32+c]
//			}
//			out[i*32+c] = sum
//		}
//	}
//
// With columns <= 16 the last 16 columns of out are set to zero.
func Outer(x, dy []float32, rows, inputs, columns int, out []float32) {
	_, _, _ = x[(rows-1)*Width+inputs-1], dy[rows*Width-1], out[inputs*Width-1]
	if simd == nil {
		portableOuter(x, dy, rows, inputs, out)
		return
	}
	if columns <= 16 {
		clearHalf(out, inputs)
	}
	for c := 0; c < Width && c < columns; c += simd.width {
		f := &simd.outer
		if columns <= 16 && simd.width == Width {
			f = &simd.outerHalf
		}
		for i := 0; i < inputs; {
			n, tiles := tileRows(inputs-i, simd.rows), 1
			if (inputs-i)%n == 0 {
				tiles = (inputs - i) / n
			}
			f[n](&x[i], &dy[c], rows, tiles, &out[i*Width+c])
			i += n * tiles
		}
	}
}

func portableOuter(x, dy []float32, rows, inputs int, out []float32) {
	for i := range inputs {
		var sum [Width]float32
		for b := range rows {
			f, line := x[b*Width+i], (*[Width]float32)(dy[b*Width:])
			for c := range sum {
				sum[c] += f * line[c]
			}
		}
		copy(out[i*Width:], sum[:])
	}
}

// OuterUpdate is, for each block of 32 by 32 down a panel of weights w with slots m and v, Outer and then Update, with the same
// bits. x is in panels, xStride apart; g, [32*32], is for its use.
func OuterUpdate(r Rule, x []float32, xStride int, dy []float32, rows, inputs, columns int, w, m, v []float32, k *[8]float32, g []float32) {
	done := 0
	if simd != nil && simd.outerUpdate[r] != nil && inputs >= simd.rows {
		f := simd.outerUpdate[r]
		if columns <= Width/2 {
			f = simd.outerUpdateHalf[r]
		}
		tiles := inputs / simd.rows
		done = tiles * simd.rows
		_, _, _ = x[(done-1)/Width*xStride+(rows-1)*Width+(done-1)%Width], dy[rows*Width-1], g[simd.rows*Width-1]
		_, _, _ = w[done*Width-1], m[done*Width-1], v[done*Width-1]
		f(&x[0], uintptr(xStride)*4, &dy[0], rows, tiles, &w[0], &m[0], &v[0], &g[0], k)
	}
	for done < inputs {
		n := min(inputs-done, Width-done%Width)
		first, end := done*Width, (done+n)*Width
		Outer(x[done/Width*xStride+done%Width:], dy, rows, n, columns, g)
		Update(r, w[first:end], g[:n*Width], m[first:end], v[first:end], k)
		done += n
	}
}
