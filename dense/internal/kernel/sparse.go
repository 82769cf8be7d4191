package kernel

import "math/bits"

// The products below skip the zeros of x, with the same sums in the same order as Product and Outer: what a zero adds to a sum
// changes nothing. (Where the other factor is infinite or NaN it does, and where a sum is -0, its sign.)

// NonZeros notes which elements of one row of x, in each of several panels, are not 0; NaN is not:
//
//	bit i of nonzero[p*stride] = x[p*xStride+i] != 0
func NonZeros(nonzero []uint32, stride int, x []float32, xStride, panels int) {
	_, _ = nonzero[(panels-1)*stride], x[(panels-1)*xStride+Width-1]
	if simd != nil {
		simd.nonZeros(&x[0], uintptr(xStride)*4, panels, &nonzero[0], uintptr(stride)*4)
		return
	}
	for p := range panels {
		word := uint32(0)
		for i, v := range x[p*xStride:][:Width] {
			if v != 0 {
				word |= 1 << i
			}
		}
		nonzero[p*stride] = word
	}
}

// TransposeBits turns the bits of a panel's rows, at most 64, into those of its columns:
//
//	bit r of columns[i] = bit i of rows[r]
func TransposeBits(columns []uint64, rows []uint32) {
	columns = columns[:Width]
	clear(columns)
	done := 0
	if simd != nil && len(rows) >= 8 {
		done = len(rows) &^ 7
		simd.transposeBits(&columns[0], &rows[0], done)
	}
	for r := done; r < len(rows); r++ {
		for word := rows[r]; word != 0; word &= word - 1 {
			columns[bits.TrailingZeros32(word)] |= 1 << r
		}
	}
}

// SparseProduct multiplies the rows of one panel of x with 32 rows of a panel of weights, as Product does for those inputs:
//
//	for r := range rows {
//		for c := range 32 {
//			sum := init[r*initStride+c]
//			for k := range 32 {
//				if bit k of nonzero[r]&keep is set {
//					sum += x[r*32+k] * w[k*32+c]
//				}
//			}
//			out[r*32+c] = sum
//		}
//	}
//
// init is a bias (initStride 0), or a panel to add to (initStride 32), which may be out.
func SparseProduct(x []float32, nonzero []uint32, keep uint32, rows int, w, init []float32, initStride int, out []float32) {
	if rows == 0 {
		return
	}
	_, _, _ = x[rows*Width-1], nonzero[rows-1], w[bits.Len32(keep)*Width-1]
	_, _ = init[(rows-1)*initStride+Width-1], out[rows*Width-1]
	if simd != nil {
		simd.sparseProduct(&x[0], &nonzero[0], keep, rows, &w[0], &init[0], uintptr(initStride)*4, &out[0])
		return
	}
	for r := range rows {
		sum := (*[Width]float32)(out[r*Width:])
		copy(sum[:], init[r*initStride:])
		for word := nonzero[r] & keep; word != 0; word &= word - 1 {
			k := bits.TrailingZeros32(word)
			f, line := x[r*Width+k], (*[Width]float32)(w[k*Width:])
			for c := range sum {
				sum[c] += f * line[c]
			}
		}
	}
}

// SparseOuter adds the gradient of a block of weights, columns (at most 32) by 32, over at most 64 rows to out, as Outer computes
// it:
//
//	for i := range columns {
//		for c := range 32 {
//			for b := range 64 {
//				if bit b of nonzero[i] is set {
//					out[i*32+c] += x[b*32+i] * dy[b*32+c]
//				}
//			}
//		}
//	}
func SparseOuter(x []float32, nonzero []uint64, dy []float32, columns int, out []float32) {
	_, _ = nonzero[columns-1], out[columns*Width-1]
	if simd != nil {
		simd.sparseOuter(&x[0], &nonzero[0], &dy[0], columns, &out[0])
		return
	}
	for i := range columns {
		sum := (*[Width]float32)(out[i*Width:])
		for word := nonzero[i]; word != 0; word &= word - 1 {
			b := bits.TrailingZeros64(word)
			f, line := x[b*Width+i], (*[Width]float32)(dy[b*Width:])
			for c := range sum {
				sum[c] += f * line[c]
			}
		}
	}
}

// SparseOuterUpdate is SparseOuter, from zero and over all of dy's rows, of which nonzero has a word for every 64, and then Update, with
// the same bits. g, [32*32], is for its use.
func SparseOuterUpdate(r Rule, x []float32, nonzero []uint64, dy []float32, rows, columns int, w, m, v []float32, k *[8]float32, g []float32) {
	words := (rows + 63) / 64
	if simd != nil {
		_, _, _, _ = nonzero[(words-1)*Width+columns-1], w[columns*Width-1], m[columns*Width-1], v[columns*Width-1]
		simd.sparseUpdate[r](&x[0], &nonzero[0], words, &dy[0], columns, &w[0], &m[0], &v[0], k)
		return
	}
	g = g[:columns*Width]
	clear(g)
	for i := range words {
		SparseOuter(x[i*64*Width:], nonzero[i*Width:], dy[i*64*Width:], columns, g)
	}
	Update(r, w[:columns*Width], g, m, v, k)
}
