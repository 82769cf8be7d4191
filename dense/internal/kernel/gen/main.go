// Command gen writes the assembly of package kernel. Run it through go generate in the folder above.
//
// Every kernel is emitted twice, for AVX-512 (suffix 512) and for AVX2 with FMA (suffix 256), from one description.
// The layouts are those of package kernel: panels of 32 columns, one row of a panel being two cache lines.
//
// The module stands apart so that avo is no dependency of Cambium itself. Three traps of avo: operands come in Go's
// order (reversed for subtraction, division and FMA); immediates of ADDQ between 256 and 65,535 must be given as U32;
// the package name is given with -pkg because Package would load the package that is being generated.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// row is the size in bytes of one row of a panel.
const row = 128

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{avx512, avx2} {
		products(s)
		gemvs(s)
		outers(s)
		sparseProducts(s)
		activations(s)
		elementwise(s)
		columns(s)
		rows(s)
		halfRows(s)
		optimizers(s)
	}
	gathers()
	nonZeros()
	prefetch()
	transpose()
	control()
	Generate()
}
