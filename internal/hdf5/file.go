package hdf5

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// A File is an open HDF5 file. It is safe for concurrent use if the reader
// that it was opened on is (an [os.File], a [bytes.Reader] and an
// [io.SectionReader] are).
type File struct {
	r      io.ReaderAt // offset 0 is the superblock
	size   uint64      // bytes that addresses may refer to
	closer io.Closer
	root   *Group

	mu     sync.Mutex
	groups map[string]*Group // by path; those that a path went through
	heaps  globalHeaps
}

// Open reads the superblock and the root group of the size bytes of r. Data
// are read from r when they are asked for. Errors: [ErrFormat],
// [ErrUnsupported], or r's own.
func Open(r io.ReaderAt, size int64) (*File, error) {
	if size < 0 {
		return nil, formatErrorf("negative size %d", size)
	}
	sb, err := readSuperblock(r, uint64(size))
	if err != nil {
		return nil, err
	}
	if sb.start > 0 {
		r = io.NewSectionReader(r, int64(sb.start), int64(sb.endOfFile))
	}
	f := &File{r: r, size: sb.endOfFile, groups: map[string]*Group{}}
	root, err := f.openObject(sb.rootHeader, "/")
	if err != nil {
		return nil, fmt.Errorf("root group: %w", err)
	}
	group, ok := root.(*Group)
	if !ok {
		return nil, formatErrorf("the root object is not a group")
	}
	f.root, f.groups["/"] = group, group
	return f, nil
}

// OpenFile opens the file at path for reading; the caller closes it. Errors
// of [Open] are prefixed with the path.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = formatErrorf("not a regular file")
	}
	var f *File
	if err == nil {
		f, err = Open(file, info.Size())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.closer = file
	return f, nil
}

// Close closes what [OpenFile] opened. After [Open] it does nothing.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Root returns the group "/".
func (f *File) Root() *Group { return f.root }

// Object opens the group, dataset or datatype at path, which may start with
// a slash or not. Errors: [ErrNotFound] naming the part of the path that is
// missing, and those of reading what is there.
func (f *File) Object(path string) (Object, error) { return f.root.Object(path) }

// Group opens the group at path; see [File.Object].
func (f *File) Group(path string) (*Group, error) { return f.root.Group(path) }

// Dataset opens the dataset at path; see [File.Object]. Its values are read
// by the dataset's methods.
func (f *File) Dataset(path string) (*Dataset, error) { return f.root.Dataset(path) }

// read returns n bytes at addr, for metadata. Both are what the file says, so
// both are checked before memory is taken.
func (f *File) read(addr, n uint64) ([]byte, error) {
	if err := f.checkRange(addr, n); err != nil {
		return nil, err
	}
	buf := make([]byte, n)
	return buf, readFull(f.r, buf, addr)
}

func (f *File) checkRange(addr, n uint64) error {
	if addr > f.size || n > f.size-addr {
		return formatErrorf("%d bytes at address %d are beyond the file's end at %d", n, addr, f.size)
	}
	return nil
}

// readBlock reads n bytes at addr that start with a signature and end with
// their checksum, and returns a decoder after the signature, without the
// checksum. what names the structure.
func (f *File) readBlock(addr, n uint64, signature, what string) (*decoder, error) {
	buf, err := f.read(addr, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if n < 8 || string(buf[:4]) != signature {
		return nil, formatErrorf("no %s at address %d", what, addr)
	}
	end := n - 4
	if !checksumOK(buf[:end], le.Uint32(buf[end:])) {
		return nil, formatErrorf("%s at address %d: wrong checksum", what, addr)
	}
	return &decoder{buf: buf[4:end], what: what}, nil
}

// cachedGroup opens the group at an absolute path once.
func (f *File) cachedGroup(path string, open func() (Object, error)) (Object, error) {
	f.mu.Lock()
	group, ok := f.groups[path]
	f.mu.Unlock()
	if ok {
		return group, nil
	}
	object, err := open()
	if err != nil {
		return nil, err
	}
	if group, ok := object.(*Group); ok {
		f.mu.Lock()
		f.groups[path] = group
		f.mu.Unlock()
	}
	return object, nil
}

// joinPath appends a link's name to a group's path.
func joinPath(group, name string) string {
	return strings.TrimSuffix(group, "/") + "/" + name
}
