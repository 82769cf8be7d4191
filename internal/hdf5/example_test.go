package hdf5_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/internal/hdf5"
)

// A file of weights, written and read again.
func Example() {
	root := hdf5.NewGroup()
	must(root.SetAttr("backend", "tensorflow"))
	kernel := []float32{1, 2, 3, 4, 5, 6}
	_, err := root.CreateDataset("dense/kernel:0", hdf5.Numbers([]int{3, 2}, kernel))
	must(err)
	var file bytes.Buffer
	must(hdf5.Write(&file, root))

	f, err := hdf5.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	must(err)
	dataset, err := f.Dataset("/dense/kernel:0")
	must(err)
	values, err := hdf5.ReadAll[float32](dataset)
	must(err)
	fmt.Println(dataset.Datatype(), dataset.Shape(), values)
	// Output: float32 [3 2] [1 2 3 4 5 6]
}

func ExampleOpenFile() {
	f, err := hdf5.OpenFile("testdata/attributes_earliest.h5")
	must(err)
	defer f.Close()
	text, _ := f.Root().Attr("text")
	fmt.Println(text.Value())
	// Output: hello é <nil>
}

func ExampleOpen() {
	_, err := hdf5.Open(bytes.NewReader([]byte("not a model")), 11)
	fmt.Println(err)
	// Output: hdf5: malformed file: no HDF5 signature: not an HDF5 file
}

func ExampleFile_Walk() {
	f, err := hdf5.OpenFile("testdata/links_earliest.h5")
	must(err)
	defer f.Close()
	must(f.Walk(func(o hdf5.Object) error {
		switch o := o.(type) {
		case *hdf5.Group:
			fmt.Println(o.Path(), len(o.Links()), "links")
		case *hdf5.Dataset:
			fmt.Println(o.Path(), o.Datatype(), o.Shape())
		}
		return nil
	}))
	// Output:
	// /data 3 links
	// /data/alias float32 [2]
	// /data/of named type float32 [1]
	// /data/values float32 [2]
	// /group 3 links
	// /group/alias float32 [2]
	// /group/of named type float32 [1]
	// /group/values float32 [2]
}

func ExampleFile_Dataset() {
	f, err := hdf5.OpenFile("testdata/links_earliest.h5")
	must(err)
	defer f.Close()
	_, err = f.Dataset("data/weights")
	fmt.Println(err)
	// Output: hdf5: not found: no "weights" in group /data
}

func ExampleGroup_Links() {
	f, err := hdf5.OpenFile("testdata/unsupported.h5")
	must(err)
	defer f.Close()
	for _, l := range f.Root().Links() {
		if l.Kind != hdf5.HardLink {
			fmt.Printf("%s: %s to %s\n", l.Name, l.Kind, l.Target)
		}
	}
	// Output:
	// broken: soft link to /nowhere
	// elsewhere: external link to other.h5:/values
	// soft: soft link to /values
}

func ExampleReadAll() {
	f, err := hdf5.OpenFile("testdata/types_earliest.h5")
	must(err)
	defer f.Close()
	half, err := f.Dataset("types/le_f2") // float16 in the file
	must(err)
	fmt.Println(hdf5.ReadAll[float32](half))
	d, err := f.Dataset("types/be_i4")
	must(err)
	fmt.Println(hdf5.ReadAll[int64](d))
	_, err = hdf5.ReadAll[uint8](d)
	fmt.Println(err)
	// Output:
	// [-11.25 -6.625 -2 2.625 7.25 11.875] <nil>
	// [-90 -53 -16 21 58 95] <nil>
	// dataset /types/be_i4: hdf5: wrong type: int32 -90 does not fit uint8
}

func ExampleDataset_ReadInto() {
	f, err := hdf5.OpenFile("testdata/types_earliest.h5")
	must(err)
	defer f.Close()
	d, err := f.Dataset("types/be_i2") // big-endian in the file
	must(err)
	buffer := make([]byte, d.NumBytes())
	must(d.ReadInto(buffer))
	fmt.Println(d.Datatype(), d.Shape(), buffer)
	// Output: int16 [2 3] [166 255 203 255 240 255 21 0 58 0 95 0]
}

func ExampleDataset_Strings() {
	f, err := hdf5.OpenFile("testdata/types_earliest.h5")
	must(err)
	defer f.Close()
	d, err := f.Dataset("types/fixed_strings")
	must(err)
	fmt.Println(d.Strings())
	// Output: [a bcd ] <nil>
}

func ExampleAttributeNumbers() {
	f, err := hdf5.OpenFile("testdata/attributes_earliest.h5")
	must(err)
	defer f.Close()
	a, _ := f.Root().Attr("floats")
	fmt.Println(hdf5.AttributeNumbers[float32](a))
	// Output: [0 0.25 0.5 0.75] <nil>
}

func ExampleAttribute_Text() {
	f, err := hdf5.OpenFile("testdata/attributes_earliest.h5")
	must(err)
	defer f.Close()
	a, _ := f.Root().Attr("int")
	_, err = a.Text()
	fmt.Println(err)
	// Output: attribute "int": hdf5: wrong type: int64 elements are not text
}

func ExampleGroupBuilder_SetAttr() {
	g := hdf5.NewGroup()
	must(g.SetAttr("keras_version", "3.15.1"))
	must(g.SetAttr("layer_names", hdf5.FixedText([]int{2}, []string{"dense", "dense_1"})))
	must(g.SetAttr("learning_rate", float32(0.001)))
	fmt.Println(g.SetAttr("vocabulary", make([]string, 5000)))
	// Output: attribute "vocabulary": hdf5: too large to write: 80000 bytes, the limit is 64512
}

func ExampleGroupBuilder_CreateDataset() {
	g := hdf5.NewGroup()
	float16, err := hdf5.NumpyDatatype("float16")
	must(err)
	// Streamed: the 2 MB are made while the file is written.
	_, err = g.CreateDataset("dense/kernel:0", hdf5.Array{Datatype: float16, Shape: []int{1024, 1024},
		Stream: func(w io.Writer) error {
			row := make([]byte, 2*1024)
			for range 1024 {
				if _, err := w.Write(row); err != nil {
					return err
				}
			}
			return nil
		}})
	must(err)
	var file bytes.Buffer
	must(hdf5.Write(&file, g))
	fmt.Println(file.Len() > 2<<20)
	// Output: true
}

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "")
	must(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "weights.h5")
	root := hdf5.NewGroup()
	_, err = root.CreateDataset("vocabulary", hdf5.Text([]int{2}, []string{"hello", "world"}))
	must(err)
	must(hdf5.WriteFile(path, root))

	f, err := hdf5.OpenFile(path)
	must(err)
	defer f.Close()
	d, err := f.Dataset("vocabulary")
	must(err)
	fmt.Println(d.Strings())
	// Output: [hello world] <nil>
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
