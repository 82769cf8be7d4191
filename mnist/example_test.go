package mnist_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

func ExampleRead() {
	dir, _ := os.MkdirTemp("", "") // stands for the folder of the four published files
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"train", "t10k"} {
		for file, x := range map[string]*tensor.Tensor{
			"-images-idx3-ubyte": tensor.Must(tensor.New(tensor.Uint8, 6, 28, 28)),
			"-labels-idx1-ubyte": tensor.Must(tensor.Of([]uint8{5, 0, 4, 1, 9, 2})),
		} {
			var b bytes.Buffer
			_ = mnist.WriteIDX(&b, x)
			_ = os.WriteFile(filepath.Join(dir, name+file), b.Bytes(), 0o644)
		}
	}

	data, err := mnist.Read(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := data.Train.Scaled(784)
	fmt.Println(x, data.Train.Labels, data.Train.Classes(), err)
	// Output: float32 [6,784] uint8 [6] 10 <nil>
}

func ExampleReadDigit() {
	x, err := mnist.ReadDigit("../scripts/testdata/mnist/digits/3_0.png", mnist.Options{Shape: []int{1, 784}})
	fmt.Println(x, err)
	// Output: float32 [1,784] <nil>
}

func ExampleDigit() {
	scan := bytes.Repeat([]uint8{250}, 100*100) // paper with a stroke on it
	for y := 20; y < 80; y++ {
		copy(scan[y*100+47:], []uint8{20, 20, 20, 20, 20, 20})
	}
	x, err := mnist.Digit(tensor.Must(tensor.Of(scan, 100, 100, 1)), mnist.Options{Shape: []int{28, 28, 1}})
	fmt.Println(x, err)

	_, err = mnist.Digit(tensor.Must(tensor.New(tensor.Uint8, 100, 100, 1)), mnist.Options{})
	fmt.Println(err)
	// Output:
	// float32 [28,28,1] <nil>
	// mnist: no digit found: the image is blank: nothing differs from its background by more than 0 %
}

func ExampleWritePNG() {
	digit := tensor.Must(tensor.New(tensor.Float32, 1, 784))
	var file bytes.Buffer
	err := mnist.WritePNG(&file, digit)
	fmt.Printf("%q %v\n", file.String()[1:4], err)
	// Output: "PNG" <nil>
}

func ExampleWriteIDX() {
	var file bytes.Buffer
	err := mnist.WriteIDX(&file, tensor.Must(tensor.Of([]uint8{7, 2, 1})))
	fmt.Printf("% x %v\n", file.Bytes(), err)
	// Output: 00 00 08 01 00 00 00 03 07 02 01 <nil>
}

func ExampleDecodeIDX() {
	fmt.Println(mnist.DecodeIDX([]byte{0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1}))
	fmt.Println(mnist.DecodeIDX([]byte{0, 0, 8, 1, 0, 0, 0, 9, 7, 2, 1}))
	// Output:
	// uint8 [3] <nil>
	// no tensor mnist: malformed file: IDX says [9] of uint8, which a file of 11 bytes does not hold
}

func ExampleReadIDX() {
	_, err := mnist.ReadIDX("train-images-idx3-ubyte.gz")
	fmt.Println(err)
	// Output: stat train-images-idx3-ubyte.gz: no such file or directory
}

func ExampleSet_Scaled() {
	set := mnist.Set{Images: tensor.Must(tensor.New(tensor.Uint8, 6, 28, 28)), Labels: tensor.Must(tensor.New(tensor.Uint8, 6))}
	batch, err := set.Rows(2, 4)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(batch.Scaled(28, 28, 1))
	// Output: float32 [2,28,28,1] <nil>
}
