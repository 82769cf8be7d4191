package dense

import "github.com/cambium-go/cambium/train"

// SkipZeros makes zeros be skipped in data sets of up to a share of non-zeros that are trained on from now on, and returns what
// undoes that.
func SkipZeros(share float64) (restore func()) {
	before := sparseShare
	sparseShare = share
	return func() { sparseShare = before }
}

// Skips reports whether the zeros of a data set are skipped, once it was trained on.
func Skips(b train.Bound) bool { return b.(*bound).sparse }
