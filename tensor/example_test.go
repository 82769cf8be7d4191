package tensor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

func ExampleOf() {
	pixels := make([]float32, 784)
	x, err := tensor.Of(pixels, 1, 784)
	fmt.Println(x, err)

	_, err = tensor.Of(pixels, 28, 29)
	fmt.Println(err)
	// Output:
	// float32 [1,784] <nil>
	// tensor: wrong shape: [28,29] has 812 elements, 784 were given
}

func ExampleData() {
	x := tensor.Must(tensor.Of([]float32{0.1, 0.7, 0.2}, 1, 3))
	scores, err := tensor.Data[float32](x)
	fmt.Println(scores, err)

	_, err = tensor.Data[float64](x)
	fmt.Println(err)
	// Output:
	// [0.1 0.7 0.2] <nil>
	// tensor: wrong element type: the elements are float32, float64 was asked for; Convert changes the type
}

func ExampleNew() {
	x, err := tensor.New(tensor.Int32, 2, 3)
	fmt.Println(x, x.Len(), err)
	// Output: int32 [2,3] 6 <nil>
}

func ExampleFromBytes() {
	x, err := tensor.FromBytes(tensor.Uint8, []byte{0, 128, 255}, 3, 1)
	fmt.Println(x, err)
	// Output: uint8 [3,1] <nil>
}

func ExampleScalar() {
	fmt.Println(tensor.Scalar("daisy"), tensor.Scalar(int64(3)))
	// Output: object [] int64 []
}

func ExampleConcat() {
	a := tensor.Must(tensor.Of([]float32{1, 2}, 1, 2))
	b := tensor.Must(tensor.Of([]float32{3, 4, 5, 6}, 2, 2))
	fmt.Println(tensor.Concat(a, b))
	// Output: float32 [3,2] <nil>
}

func ExampleTensor_Reshape() {
	x := tensor.Must(tensor.New(tensor.Uint8, 2, 28, 28))
	fmt.Println(x.Reshape(2, -1))
	// Output: uint8 [2,784] <nil>
}

func ExampleTensor_Rows() {
	x := tensor.Must(tensor.New(tensor.Uint8, 10, 784))
	fmt.Println(x.Rows(8, 10))
	// Output: uint8 [2,784] <nil>
}

func ExampleTensor_Convert() {
	x := tensor.Must(tensor.Of([]int64{1, 2, 300}))
	fmt.Println(x.Convert(tensor.Float32))
	fmt.Println(x.Convert(tensor.Uint8))
	// Output:
	// float32 [3] <nil>
	// no tensor tensor: wrong element type: int64 does not convert to uint8 without loss: element [2] is 300
}

func ExampleTensor_Cast() {
	x := tensor.Must(tensor.Of([]float32{-1.5, 2.9}))
	y, err := x.Cast(tensor.Int8)
	data, _ := tensor.Data[int8](y)
	fmt.Println(data, err)
	// Output: [-1 2] <nil>
}

func ExampleAllClose() {
	a := tensor.Must(tensor.Of([]float32{1, 2, 3}))
	b := tensor.Must(tensor.Of([]float32{1, 2.00001, 4}))
	fmt.Println(tensor.AllClose(a, b, 1e-5, 1e-8))
	// Output: tensor: values differ: 1 of 3 elements differ by more than 1e-08 + 1e-05·|b|; the first is [2]: 3 and 4, the worst [2]: 3 and 4
}

func ExampleMaxAbsDiff() {
	fmt.Println(tensor.MaxAbsDiff(tensor.Scalar(float32(1)), tensor.Scalar(1.25)))
	// Output: 0.25 <nil>
}

func ExampleReadNPY() {
	var file bytes.Buffer
	if err := tensor.WriteNPY(&file, tensor.Must(tensor.New(tensor.Float32, 1, 784))); err != nil {
		fmt.Println(err)
	}
	fmt.Println(tensor.ReadNPY(&file))
	// Output: float32 [1,784] <nil>
}

func ExampleWriteNPY() {
	var file bytes.Buffer
	err := tensor.WriteNPY(&file, tensor.Must(tensor.Of([]string{"daisy", "rose"})))
	fmt.Printf("%q %v\n", file.String()[10:67], err)
	// Output: "{'descr': '|S5', 'fortran_order': False, 'shape': (2,), }" <nil>
}

func ExampleReadNPZ() {
	var file bytes.Buffer
	err := tensor.WriteNPZ(&file, true,
		tensor.Named{Name: "x", Tensor: tensor.Must(tensor.New(tensor.Float32, 600, 784))},
		tensor.Named{Name: "y", Tensor: tensor.Must(tensor.New(tensor.Uint8, 600))})
	if err != nil {
		fmt.Println(err)
	}
	arrays, err := tensor.ReadNPZ(bytes.NewReader(file.Bytes()), int64(file.Len()), "y")
	fmt.Println(arrays[0].Name, arrays[0].Tensor, err)
	// Output: y uint8 [600] <nil>
}

func ExampleWriteNPZ() {
	var file bytes.Buffer
	err := tensor.WriteNPZ(&file, false, tensor.Named{Name: "output_0", Tensor: tensor.Scalar(float32(1))})
	fmt.Println(file.Len() > 0, err)
	// Output: true <nil>
}

func ExampleReadJSON() {
	fmt.Println(tensor.ReadJSON(strings.NewReader("[[1, 2, 3], [4, 5, 6]]"), tensor.Float32))
	fmt.Println(tensor.ReadJSON(strings.NewReader("[[1, 2, 3], [4, 5]]"), tensor.Float32))
	// Output:
	// float32 [2,3] <nil>
	// no tensor tensor: wrong shape: the lists are ragged: [1] has 2 elements, the ones before it have 3
}

func ExampleWriteJSON() {
	x := tensor.Must(tensor.Of([]string{"daisy", "\xff\xd8"}))
	err := tensor.WriteJSON(os.Stdout, x)
	fmt.Println(err)
	// Output: ["daisy", {"b64": "/9g="}]<nil>
}

func ExampleTensor_MarshalJSON() {
	text, err := json.Marshal(map[string]*tensor.Tensor{"output_0": tensor.Must(tensor.Of([]float32{0.25, 1}, 1, 2))})
	fmt.Println(string(text), err)
	// Output: {"output_0":{"dtype":"float32","shape":[1,2],"data":[[0.25,1.0]]}} <nil>
}

func ExampleReadCSV() {
	x, header, err := tensor.ReadCSV(strings.NewReader("width,height\n1.5,2\n3,4\n"), tensor.Float32)
	fmt.Println(x, header, err)
	// Output: float32 [2,2] [width height] <nil>
}

func ExampleWriteCSV() {
	x := tensor.Must(tensor.Of([]float32{0.25, 0.75}, 1, 2))
	fmt.Println(tensor.WriteCSV(os.Stdout, x, "cat", "dog"))
	// Output:
	// cat,dog
	// 0.25,0.75
	// <nil>
}

func ExampleParseDType() {
	d, err := tensor.ParseDType("bfloat16")
	fmt.Println(d, d.Size(), d.IsFloat(), err)
	// Output: bfloat16 2 true <nil>
}

func ExampleDTypeOf() {
	fmt.Println(tensor.DTypeOf[int64](), tensor.DTypeOf[string](), tensor.DTypeOf[tensor.Half]())
	// Output: int64 object float16
}

func ExampleHalfOf() {
	fmt.Println(tensor.HalfOf(0.1).Float32(), tensor.HalfOf(70000).Float32())
	// Output: 0.099975586 +Inf
}

func ExampleBrainOf() {
	fmt.Println(tensor.BrainOf(0.1).Float32(), tensor.BrainOf(70000).Float32())
	// Output: 0.100097656 70144
}

func ExampleShape_Accepts() {
	signature := tensor.Shape{-1, 784}
	fmt.Println(signature, signature.Accepts(tensor.Shape{32, 784}), signature.Accepts(tensor.Shape{784}))
	// Output: [?,784] true false
}

func ExampleMust() {
	identity := tensor.Must(tensor.Of([]float32{1, 0, 0, 1}, 2, 2))
	fmt.Println(identity)
	// Output: float32 [2,2]
}

func ExampleTensor_Clone() {
	pixels := []uint8{1, 2}
	x := tensor.Must(tensor.Of(pixels))
	own := x.Clone()
	pixels[0] = 9
	fmt.Println(x.Bytes(), own.Bytes(), x.Equal(own))
	// Output: [9 2] [1 2] false
}
