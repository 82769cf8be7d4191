// Package kernel holds the inner loops of the dense engine: matrix products, activations and their derivatives, column
// and row reductions, and the optimizers' updates, for AVX-512, for AVX2 with FMA and in portable Go.
//
// # Layout
//
// All matrices are float32 in panels of [Width] = 32 columns, one panel after the other, rows within a panel contiguous:
//
//	activations  [ceil(features/32)][stride][32]  stride >= rows; a sample's features 0…31 stand in panel 0, and so on
//	weights      [ceil(units/32)][inputs][32]     a panel is what one product of 32 units reads, front to back
//	vectors      [ceil(units/32)][32]             biases, statistics
//
// The last panel is padded; the padding of weights and vectors is zero, that of activations is never read as input. One
// layout serves all products: the forward pass broadcasts x[r][k] down a panel, the weight gradient broadcasts x[b][i]
// along it, and the gradient of the input is a forward product with transposed weights.
//
// # Levels
//
// The best level that the processor has is picked at start; [Use] and the environment variable CAMBIUM_SIMD (portable,
// avx2, avx512) force another. Each function's doc comment is its reference loop. Sums run in the order of that loop on
// every level, so results do not depend on how rows are divided among threads.
//
// # Caveats
//
// Functions check the lengths of their slices and panic: they are internal, sizes are the engine's responsibility.
// Use must not be called while kernels run.
package kernel

//go:generate go -C gen run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel

// Width is the number of columns of a panel.
const Width = 32

// Panels returns the number of panels that columns need.
func Panels(columns int) int { return (columns + Width - 1) / Width }
