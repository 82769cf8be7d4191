// Package hdf5 reads and writes HDF5 files as Keras and h5py write them, in
// pure Go: models and weights in .h5 files, and the weights in .keras files.
//
//	f, err := hdf5.OpenFile("my_mnist.h5")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	dataset, err := f.Dataset("model_weights/dense/dense/kernel:0")
//	if err != nil {
//		return err
//	}
//	kernel, err := hdf5.ReadAll[float32](dataset) // dataset.Shape() = [784 128]
//
// # What a file is
//
// A tree of groups whose leaves are datasets; both can have attributes. Each
// is an object header, a list of messages that say what the object is and
// where the rest of it lies:
//
//	superblock ──▶ object header of the root group
//	                 │ symbol table ──▶ v1 B-tree ──▶ names and addresses     (older)
//	                 │ link, link info ──▶ v2 B-tree, fractal heap ──▶ links  (newer)
//	                 ▼
//	               object header of a dataset
//	                 ├ datatype    float32, little-endian
//	                 ├ dataspace   [784 128]
//	                 ├ filters     shuffle, gzip, fletcher32
//	                 ├ layout ──▶ all elements, or an index ──▶ chunks of them
//	                 └ attributes  here, or attribute info ──▶ v2 B-tree, fractal heap
//
//	text of variable length ──▶ global heap collections
//
// Keras writes the older kind; libver="latest" in h5py gives the newer. Each
// structure has a file of this package, and the comment on the function that
// parses it shows its bytes, field by field with sizes, where | separates
// fields. All of it is described in The HDF Group's "HDF5 File Format
// Specification" (version 4.0 covers every file).
//
// # What is read
//
// Superblocks 0 to 3, object headers 1 and 2, both kinds of groups and
// attributes, compact, contiguous and chunked layouts with all indexes (v1
// and v2 B-trees, single, implicit, fixed and extensible arrays), the filters
// gzip, shuffle, fletcher32 and lzf, fill values, named datatypes, user
// blocks. Elements of any type can be read as bytes; integers, float16,
// bfloat16, float32, float64 and booleans as numbers, and strings as text.
//
// What is not read is an error that says so ([ErrUnsupported]): soft and
// external links when they are followed, external storage, virtual datasets,
// other filters, the shared message table.
//
// # Caveats
//
//   - h5py writes bfloat16 as 2 opaque bytes without a tag; only the reader
//     can know what they are.
//   - Files are not trusted: every size and address is compared with the
//     file's size before it is used, loops are found, checksums verified. But
//     the older format has no checksums, so changed numbers and names are
//     read as they are.
//   - Written files are of the older kind, without chunks and filters, and
//     hold the same bytes whenever they are written.
package hdf5
