package kernel

import "math"

// ColumnSum sums the rows of a panel:
//
//	for c := range 32 {
//		out[c] = sum over r of x[r*32+c]
//	}
func ColumnSum(x []float32, rows int, out []float32) {
	_, _ = x[rows*Width-1], out[Width-1]
	if simd != nil {
		simd.columnSum(&x[0], rows, &out[0])
		return
	}
	var sum [Width]float32
	for r := range rows {
		for c, v := range x[r*Width:][:Width] {
			sum[c] += v
		}
	}
	copy(out, sum[:])
}

// ColumnAbsolute sums the magnitudes of the rows of a panel:
//
//	for c := range 32 {
//		out[c] = sum over r of |x[r*32+c]|
//	}
func ColumnAbsolute(x []float32, rows int, out []float32) {
	_, _ = x[rows*Width-1], out[Width-1]
	if simd != nil {
		simd.columnAbsolute(&x[0], rows, &out[0])
		return
	}
	var sum [Width]float32
	for i := range rows * Width {
		sum[i%Width] += float32(math.Abs(float64(x[i])))
	}
	copy(out, sum[:])
}

// ColumnDot sums the products of two panels:
//
//	for c := range 32 {
//		out[c] = sum over r of x[r*32+c] * y[r*32+c]
//	}
func ColumnDot(x, y []float32, rows int, out []float32) {
	_, _, _ = x[rows*Width-1], y[rows*Width-1], out[Width-1]
	if simd != nil {
		simd.columnDot(&x[0], &y[0], rows, &out[0])
		return
	}
	var sum [Width]float32
	for i := range rows * Width {
		sum[i%Width] += x[i] * y[i]
	}
	copy(out, sum[:])
}

// ColumnSquares sums squared distances:
//
//	for c := range 32 {
//		out[c] = sum over r of (x[r*32+c] - mean[c])²
//	}
func ColumnSquares(x []float32, rows int, mean, out []float32) {
	_, _, _ = x[rows*Width-1], mean[Width-1], out[Width-1]
	if simd != nil {
		simd.columnSquares(&x[0], rows, &mean[0], &out[0])
		return
	}
	var sum [Width]float32
	for i := range rows * Width {
		d := x[i] - mean[i%Width]
		sum[i%Width] += d * d
	}
	copy(out, sum[:])
}

// ColumnAffine shifts and scales each column of a panel; dst and src may be the same:
//
//	for r := range rows {
//		for c := range 32 {
//			dst[r*32+c] = (src[r*32+c]-shift[c])*a[c] + b[c]
//		}
//	}
func ColumnAffine(dst, src []float32, rows int, shift, a, b []float32) {
	_, _, _, _, _ = dst[rows*Width-1], src[rows*Width-1], shift[Width-1], a[Width-1], b[Width-1]
	if simd != nil {
		simd.columnAffine(&dst[0], &src[0], rows, &shift[0], &a[0], &b[0])
		return
	}
	for i := range rows * Width {
		c := i % Width
		dst[i] = (src[i]-shift[c])*a[c] + b[c]
	}
}

// NormGrad is the gradient of a normalization of columns; dx may be dy:
//
//	for r := range rows {
//		for c := range 32 {
//			dx[r*32+c] = (dy[r*32+c] - c1[c] - xhat[r*32+c]*c2[c]) * a[c]
//		}
//	}
func NormGrad(dx, dy, xhat []float32, rows int, c1, c2, a []float32) {
	_, _, _ = dx[rows*Width-1], dy[rows*Width-1], xhat[rows*Width-1]
	_, _, _ = c1[Width-1], c2[Width-1], a[Width-1]
	if simd != nil {
		simd.normGrad(&dx[0], &dy[0], &xhat[0], rows, &c1[0], &c2[0], &a[0])
		return
	}
	for i := range rows * Width {
		c := i % Width
		dx[i] = (dy[i] - c1[c] - xhat[i]*c2[c]) * a[c]
	}
}
