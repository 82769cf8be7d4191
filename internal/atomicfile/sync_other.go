//go:build !unix

package atomicfile

// syncDirectory does nothing: only on Unix can a directory be flushed.
func syncDirectory(string) error { return nil }
