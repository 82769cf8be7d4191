package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// SIMD names the vector instructions that the engine uses on this machine: "avx512", "avx2" or "portable". The environment
// variable CAMBIUM_SIMD forces one that the machine has.
func SIMD() string { return kernel.Current().String() }
