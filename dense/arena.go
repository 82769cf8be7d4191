package dense

import (
	"sync"
	"unsafe"
)

// The memory of weights, slots and activations is cut from chunks on huge pages. On small ones their addresses would outgrow
// the cache of addresses, and pages that fall on the same sets would push each other out of the second-level cache.
var arena struct {
	sync.Mutex
	left []float32 // of the last chunk
}

const (
	cacheLine = 64 / 4        // in float32
	hugePage  = (2 << 20) / 4 // in float32
	ownChunk  = hugePage / 2  // from what size on an array has a chunk of its own
	skew      = 5 * cacheLine // between arrays, so that their beginnings do not fall on the same sets of a cache
)

// alignedFloats returns n zeros that begin on a cache line.
func alignedFloats(n int) []float32 {
	need := (n+cacheLine-1)&^(cacheLine-1) + skew
	if need >= ownChunk {
		return newChunk(need)[:n:n]
	}
	arena.Lock()
	defer arena.Unlock()
	if need > len(arena.left) {
		arena.left = newChunk(hugePage)
	}
	s := arena.left[:n:n]
	arena.left = arena.left[need:]
	return s
}

// newChunk returns n zeros that begin on a huge page, where the system has them.
func newChunk(n int) []float32 {
	n = (n + hugePage - 1) &^ (hugePage - 1)
	s := make([]float32, n+hugePage)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(s))) % (4 * hugePage) / 4
	s = s[skip : skip+uintptr(n)]
	hugePages(s)
	return s
}
