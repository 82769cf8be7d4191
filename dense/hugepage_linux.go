package dense

import (
	"bytes"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePages asks for a large slice to be moved to huge pages where the system lets programs have them. Samples are read in
// random order, and each one on a small page of its own costs a walk through the page tables.
func hugePages[T float32 | uint8](s []T) {
	const huge = 2 << 20
	if len(s) == 0 || os.Getpagesize() != 4096 {
		return
	}
	memory := unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
	first := int(-uintptr(unsafe.Pointer(&s[0])) % huge)
	end := (len(memory)-first)/huge*huge + first
	mode, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if first >= end || err != nil || bytes.Contains(mode, []byte("[never]")) {
		return
	}
	if unix.Madvise(memory[first:end], unix.MADV_HUGEPAGE) != nil {
		return
	}
	for at := first; at < end; at += huge {
		_ = unix.Madvise(memory[at:at+huge], unix.MADV_COLLAPSE) // where there is no room, small pages stay
	}
}
