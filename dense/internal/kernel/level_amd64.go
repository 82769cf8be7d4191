package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// tables holds the kernels of each level.
var tables = [3]*table{AVX2: &table256, AVX512: &table512}

// Best returns the best level of this processor.
func Best() Level {
	switch x := &cpu.X86; {
	case x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX2 && x.HasFMA && x.HasBMI1:
		return AVX512
	case x.HasAVX2 && x.HasFMA && x.HasBMI1:
		return AVX2
	}
	return Portable
}

// Pause tells the processor that this is a spin loop.
func Pause() { pause() }

// Prefetch asks for memory that will be read soon. It has no other effect.
func Prefetch[T float32 | uint8](src []T) {
	if len(src) > 0 {
		prefetch((*byte)(unsafe.Pointer(&src[0])), (len(src)*int(unsafe.Sizeof(src[0]))+63)/64)
	}
}

// FlushDenormals makes the calling thread treat subnormal numbers as zero, as TensorFlow does, and returns the previous
// state for Restore. The caller must have locked its goroutine to the thread.
func FlushDenormals() uint32 { return setMXCSR(0x9fc0) }

// Restore undoes FlushDenormals.
func Restore(state uint32) { setMXCSR(state) }

var table512 = table{
	rows: 8, width: 32,
	product:     [9]func(x *float32, xPanel uintptr, k int, w, init *float32, initStride uintptr, out *float32){1: product1x512, 2: product2x512, 3: product3x512, 4: product4x512, 5: product5x512, 6: product6x512, 7: product7x512, 8: product8x512},
	productHalf: [9]func(x *float32, xPanel uintptr, k int, w, init *float32, initStride uintptr, out *float32){1: productHalf1x512, 2: productHalf2x512, 3: productHalf3x512, 4: productHalf4x512, 5: productHalf5x512, 6: productHalf6x512, 7: productHalf7x512, 8: productHalf8x512},
	outer:       [9]func(x, dy *float32, rows, tiles int, out *float32){1: outer1x512, 2: outer2x512, 3: outer3x512, 4: outer4x512, 5: outer5x512, 6: outer6x512, 7: outer7x512, 8: outer8x512},
	outerHalf:   [9]func(x, dy *float32, rows, tiles int, out *float32){1: outerHalf1x512, 2: outerHalf2x512, 3: outerHalf3x512, 4: outerHalf4x512, 5: outerHalf5x512, 6: outerHalf6x512, 7: outerHalf7x512, 8: outerHalf8x512},
	gemv:        [5]func(x *float32, xPanel uintptr, k int, w *float32, wPanel uintptr, init, out *float32, outPanel uintptr){1: gemv1x512, 2: gemv2x512, 4: gemv4x512},
	activation: [activationCount]func(dst, src *float32, n int, alpha float32){
		relu512, relu6512, leakyRelu512, elu512, selu512, sigmoid512, hardSigmoid512, tanh512, softplus512, softsign512, exponential512, silu512, mish512, gelu512, geluTanh512,
	},
	gradient: [activationCount]func(dz, dy, ref *float32, n int, alpha float32){
		reluGrad512, relu6Grad512, leakyReluGrad512, eluGrad512, seluGrad512, sigmoidGrad512, hardSigmoidGrad512, tanhGrad512, softplusGrad512, softsignGrad512, exponentialGrad512, siluGrad512, mishGrad512, geluGrad512, geluTanhGrad512,
	},
	scale:           scale512,
	add:             add512,
	regularize:      regularize512,
	clip:            clip512,
	dropout:         dropout512,
	columnSum:       columnSum512,
	columnDot:       columnDot512,
	columnAbsolute:  columnAbsolute512,
	columnSquares:   columnSquares512,
	columnAffine:    columnAffine512,
	normGrad:        normGrad512,
	softmax:         softmax512,
	softmaxHalf:     softmaxHalf512,
	update:          [ruleCount]func(w, g, m, v *float32, n int, consts *[8]float32){sgd512, momentum512, nesterov512, rmsprop512, adagrad512, adam512},
	outerUpdate:     [ruleCount]func(x *float32, xPanel uintptr, dy *float32, rows, tiles int, w, m, v, grad *float32, consts *[8]float32){sgdOuter512, momentumOuter512, nesterovOuter512, rmspropOuter512, adagradOuter512, adamOuter512},
	outerUpdateHalf: [ruleCount]func(x *float32, xPanel uintptr, dy *float32, rows, tiles int, w, m, v, grad *float32, consts *[8]float32){sgdOuterHalf512, momentumOuterHalf512, nesterovOuterHalf512, rmspropOuterHalf512, adagradOuterHalf512, adamOuterHalf512},
	gather:          gather256, gatherBytes: gatherBytes256, transpose: transpose256, nonZeros: nonZeros256, transposeBits: transposeBits256,
	sparseProduct: sparseProduct512, sparseOuter: sparseOuter512,
	sparseUpdate: [ruleCount]func(x *float32, nonzero *uint64, words int, dy *float32, columns int, w, m, v *float32, consts *[8]float32){sgdSparse512, momentumSparse512, nesterovSparse512, rmspropSparse512, adagradSparse512, adamSparse512},
}

var table256 = table{
	rows: 6, width: 16,
	product: [9]func(x *float32, xPanel uintptr, k int, w, init *float32, initStride uintptr, out *float32){1: product1x256, 2: product2x256, 3: product3x256, 4: product4x256, 5: product5x256, 6: product6x256},
	outer:   [9]func(x, dy *float32, rows, tiles int, out *float32){1: outer1x256, 2: outer2x256, 3: outer3x256, 4: outer4x256, 5: outer5x256, 6: outer6x256},
	gemv:    [5]func(x *float32, xPanel uintptr, k int, w *float32, wPanel uintptr, init, out *float32, outPanel uintptr){1: gemv1x256, 2: gemv2x256},
	activation: [activationCount]func(dst, src *float32, n int, alpha float32){
		relu256, relu6256, leakyRelu256, elu256, selu256, sigmoid256, hardSigmoid256, tanh256, softplus256, softsign256, exponential256, silu256, mish256, gelu256, geluTanh256,
	},
	gradient: [activationCount]func(dz, dy, ref *float32, n int, alpha float32){
		reluGrad256, relu6Grad256, leakyReluGrad256, eluGrad256, seluGrad256, sigmoidGrad256, hardSigmoidGrad256, tanhGrad256, softplusGrad256, softsignGrad256, exponentialGrad256, siluGrad256, mishGrad256, geluGrad256, geluTanhGrad256,
	},
	scale:          scale256,
	add:            add256,
	regularize:     regularize256,
	clip:           clip256,
	dropout:        dropout256,
	columnSum:      columnSum256,
	columnDot:      columnDot256,
	columnAbsolute: columnAbsolute256,
	columnSquares:  columnSquares256,
	columnAffine:   columnAffine256,
	normGrad:       normGrad256,
	softmax:        softmax256,
	softmaxHalf:    softmaxHalf256,
	update:         [ruleCount]func(w, g, m, v *float32, n int, consts *[8]float32){sgd256, momentum256, nesterov256, rmsprop256, adagrad256, adam256},
	gather:         gather256, gatherBytes: gatherBytes256, transpose: transpose256, nonZeros: nonZeros256, transposeBits: transposeBits256,
	sparseProduct: sparseProduct256, sparseOuter: sparseOuter256,
	sparseUpdate: [ruleCount]func(x *float32, nonzero *uint64, words int, dy *float32, columns int, w, m, v *float32, consts *[8]float32){sgdSparse256, momentumSparse256, nesterovSparse256, rmspropSparse256, adagradSparse256, adamSparse256},
}
