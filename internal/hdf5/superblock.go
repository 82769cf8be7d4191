package hdf5

import (
	"encoding/binary"
	"io"
)

const signature = "\x89HDF\r\n\x1a\n"

// A superblock is the entry to the file: where addresses count from, where
// the data ends and where the root group is.
type superblock struct {
	version    byte
	start      uint64 // its offset; 0 unless a user block precedes it
	endOfFile  uint64 // relative to start
	rootHeader uint64 // address of the root group's object header
}

// readSuperblock looks for the signature at 0, 512, 1024, 2048, … and parses
// what follows. All four versions are read.
func readSuperblock(r io.ReaderAt, size uint64) (superblock, error) {
	start, err := findSignature(r, size)
	if err != nil {
		return superblock{}, err
	}
	buf := make([]byte, min(size-start, 104)) // the longest, version 1, is 100
	if err := readFull(r, buf, start); err != nil {
		return superblock{}, err
	}
	d := &decoder{buf: buf[len(signature):], what: "superblock"}
	sb := superblock{start: start, version: d.u8()}
	switch sb.version {
	case 0, 1:
		err = sb.parseV0(d)
	case 2, 3:
		err = sb.parseV2(d, buf)
	default:
		err = unsupportedErrorf("superblock version %d (0 to 3 are read)", sb.version)
	}
	if err != nil {
		return superblock{}, err
	}
	if sb.endOfFile > size-start {
		return superblock{}, formatErrorf("truncated: the file says that it has %d bytes, but has %d", sb.endOfFile, size-start)
	}
	return sb, nil
}

func findSignature(r io.ReaderAt, size uint64) (uint64, error) {
	buf := make([]byte, len(signature))
	for start := uint64(0); start < size && size-start >= uint64(len(buf)); start = max(512, 2*start) {
		if err := readFull(r, buf, start); err != nil {
			return 0, err
		}
		if string(buf) == signature {
			return start, nil
		}
	}
	return 0, formatErrorf("no HDF5 signature: not an HDF5 file")
}

func (sb *superblock) parseV0(d *decoder) error {
	d.skip(4)
	if offset, length := d.u8(), d.u8(); d.err == nil && (offset != 8 || length != 8) {
		return unsupportedErrorf("addresses of %d and lengths of %d bytes (8 and 8 are read)", offset, length)
	}
	d.skip(9) // reserved, group leaf and internal node K, consistency flags
	if sb.version == 1 {
		d.skip(4) // indexed storage K
	}
	base := d.u64()
	d.skip(8) // free space
	end := d.u64()
	driver := d.u64()
	d.skip(8) // link name of the root's symbol table entry
	sb.rootHeader = d.u64()
	if d.err == nil && driver != undefined {
		return unsupportedErrorf("file driver information: the data are spread over several files")
	}
	return sb.setEnd(base, end, d)
}

func (sb *superblock) parseV2(d *decoder, buf []byte) error {
	if offset, length := d.u8(), d.u8(); d.err == nil && (offset != 8 || length != 8) {
		return unsupportedErrorf("addresses of %d and lengths of %d bytes (8 and 8 are read)", offset, length)
	}
	d.skip(1) // consistency flags
	base := d.u64()
	d.skip(8) // superblock extension
	end := d.u64()
	sb.rootHeader = d.u64()
	checksummed := buf[:len(buf)-len(d.buf)]
	if sum := d.u32(); d.err == nil && !checksumOK(checksummed, sum) {
		return formatErrorf("superblock checksum")
	}
	return sb.setEnd(base, end, d)
}

// setEnd stores the end of file relative to the superblock. base is where
// addresses counted from when the file was written; they count from the
// superblock, wherever that has been moved since.
func (sb *superblock) setEnd(base, end uint64, d *decoder) error {
	if d.err == nil && end < base {
		return formatErrorf("superblock: end of file %d before the base address %d", end, base)
	}
	sb.endOfFile = end - base
	return d.err
}

func readFull(r io.ReaderAt, dst []byte, off uint64) error {
	n, err := r.ReadAt(dst, int64(off))
	if n == len(dst) {
		return nil
	}
	if err == nil || err == io.EOF {
		return formatErrorf("%d bytes at %d: only %d are there", len(dst), off, n)
	}
	return err
}

// le is the byte order of all of HDF5's metadata.
var le = binary.LittleEndian
