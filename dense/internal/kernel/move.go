package kernel

// Gather copies one row-major sample into its row of each panel, stride float32 apart, and zeroes the padding:
//
//	for c := range src {
//		dst[c/32*stride+c%32] = src[c]
//	}
func Gather(dst []float32, stride int, src []float32) {
	panels := len(src) / Width
	done := 0
	if simd != nil && panels > 0 {
		_ = dst[(panels-1)*stride+Width-1]
		simd.gather(&dst[0], uintptr(stride)*4, panels, &src[0])
		done = panels
	}
	for p := done; p*Width < len(src); p++ {
		row := dst[p*stride:][:Width]
		clear(row[copy(row, src[p*Width:]):])
	}
}

// GatherBytes is Gather for bytes, converted to float32.
func GatherBytes(dst []float32, stride int, src []uint8) {
	panels := len(src) / Width
	done := 0
	if simd != nil && panels > 0 {
		_ = dst[(panels-1)*stride+Width-1]
		simd.gatherBytes(&dst[0], uintptr(stride)*4, panels, &src[0])
		done = panels
	}
	for p := done; p*Width < len(src); p++ {
		row, from := dst[p*stride:][:Width], src[p*Width:]
		for c := range row {
			row[c] = 0
			if c < len(from) {
				row[c] = float32(from[c])
			}
		}
	}
}

// Scatter copies one row of each panel into a row-major sample: Gather's inverse.
func Scatter(dst, src []float32, stride int) {
	for p := 0; p*Width < len(dst); p++ {
		copy(dst[p*Width:], src[p*stride:][:Width])
	}
}

// Transpose turns a block of 32 by 32:
//
//	for r := range 32 {
//		for c := range 32 {
//			dst[c*32+r] = src[r*32+c]
//		}
//	}
func Transpose(dst, src []float32) {
	_, _ = dst[Width*Width-1], src[Width*Width-1]
	if simd != nil {
		simd.transpose(&dst[0], &src[0])
		return
	}
	for r := range Width {
		for c := range Width {
			dst[c*Width+r] = src[r*Width+c]
		}
	}
}
