package tensor

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Named is a tensor with the name it has in a file of several.
type Named struct {
	Name   string
	Tensor *Tensor
}

const (
	npzFree  = 256 << 20 // bytes that an archive may always unpack to
	npzRatio = 100       // beyond that: bytes for each byte of the file
)

// ReadNPZ reads the arrays of a NumPy .npz archive (np.savez, np.savez_compressed) of the given size in bytes, in the order
// of the archive: all of them, or those with the given names, which must exist. An archive that unpacks to more than
// 256 MiB and more than a hundred times its size is refused.
func ReadNPZ(r io.ReaderAt, size int64, names ...string) ([]Named, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: not an .npz archive: %w", ErrFormat, err)
	}
	var list []Named
	var found []string
	left := max(npzFree, npzRatio*size)
	for _, file := range archive.File {
		name := strings.TrimSuffix(file.Name, ".npy")
		if len(names) > 0 && !slices.Contains(names, name) {
			found = append(found, name)
			continue
		}
		if slices.ContainsFunc(list, func(n Named) bool { return n.Name == name }) {
			return nil, fmt.Errorf("%w: .npz: two arrays are named %.100q", ErrFormat, name)
		}
		if file.UncompressedSize64 > uint64(left) {
			return nil, fmt.Errorf("%w: .npz: with %.100q it unpacks to more than %d times its size; save it with np.savez", ErrFormat, name, npzRatio)
		}
		left -= int64(file.UncompressedSize64)
		t, err := readNPZEntry(file)
		if err != nil {
			return nil, fmt.Errorf(".npz: array %.100q: %w", name, err)
		}
		list = append(list, Named{name, t})
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(n Named) bool { return n.Name == name }) {
			return nil, fmt.Errorf("%w: .npz: no array %.100q; the others are %.300q", ErrFormat, name, found)
		}
	}
	return list, nil
}

func readNPZEntry(file *zip.File) (*Tensor, error) {
	entry, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	defer entry.Close()
	content := &io.LimitedReader{R: entry, N: int64(file.UncompressedSize64) + 1} // to the end, where the checksum is verified
	t, err := ReadNPY(content)
	if err != nil {
		return nil, err
	}
	if rest, err := io.Copy(io.Discard, content); err != nil || rest > 0 {
		return nil, fmt.Errorf("%w: %w", ErrFormat, errors.Join(err, fmt.Errorf("%d bytes behind the array", rest)))
	}
	return t, nil
}

// WriteNPZ writes a NumPy .npz archive of the arrays in the given order, without compression as np.savez does, or deflated
// as np.savez_compressed does. The same arrays give the same bytes.
func WriteNPZ(w io.Writer, compress bool, arrays ...Named) error {
	archive := zip.NewWriter(w)
	method := zip.Store
	if compress {
		method = zip.Deflate
	}
	for i, a := range arrays {
		if a.Name == "" || slices.ContainsFunc(arrays[:i], func(b Named) bool { return b.Name == a.Name }) {
			return fmt.Errorf("%w: .npz: the name %.100q is empty or used twice", ErrFormat, a.Name)
		}
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: method})
		if err != nil {
			return err
		}
		if err := WriteNPY(entry, a.Tensor); err != nil {
			return fmt.Errorf(".npz: array %.100q: %w", a.Name, err)
		}
	}
	return archive.Close()
}
