package images_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

const testdata = "../scripts/testdata/images/"

func ExampleReadFile() {
	x, err := images.ReadFile(testdata+"photo.png", images.Options{Height: 224, Width: 224, Preprocess: images.TF})
	fmt.Println(x, err)
	// Output: float32 [224,224,3] <nil>
}

func ExampleDecode() {
	data, err := os.ReadFile(testdata + "alpha.png")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(images.Decode(data, images.Gray))
	fmt.Println(images.Decode([]byte("RIFF....WEBP"), images.RGB))
	// Output:
	// uint8 [20,31,1] <nil>
	// no tensor images: not a readable image: PNG, JPEG, GIF and BMP are known, it starts with "RIFF...."
}

func ExampleRead() {
	data, err := os.ReadFile(testdata + "orientation_6.jpg")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(images.Read(data, images.Options{}))
	fmt.Println(images.Read(data, images.Options{Upright: true, Preprocess: images.Caffe}))
	// Output:
	// float32 [20,31,3] <nil>
	// float32 [31,20,3] <nil>
}

func ExampleClasses() {
	dir, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"roses/1.jpg", "daisy/1.jpg", "daisy/2.jpg"} {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		_ = os.WriteFile(path, nil, 0o644)
	}
	classes, paths, labels, err := images.Classes(dir)
	fmt.Println(classes, len(paths), labels, err)
	// Output: [daisy roses] 3 [0 0 1] <nil>
}

func ExampleLoad() {
	paths, err := images.Expand(testdata + "photo*.jpg")
	if err != nil {
		fmt.Println(err)
	}
	options := images.Options{Height: 96, Width: 96, Preprocess: images.Unit, BatchSize: 3}
	for batch, err := range images.Load(context.Background(), paths, options) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Start, batch.Images)
	}
	// Output:
	// 0 float32 [3,96,96,3]
	// 3 float32 [1,96,96,3]
}

func ExampleExpand() {
	paths, err := images.Expand(testdata+"photo.png", testdata+"gray*")
	for _, p := range paths {
		fmt.Println(filepath.Base(p))
	}
	fmt.Println(err)
	// Output:
	// photo.png
	// gray.bmp
	// gray.jpg
	// gray.png
	// gray16.png
	// gray_alpha.png
	// <nil>
}

func ExampleAugmentation_Apply() {
	a, err := images.ParseAugmentation("flip,rotation=0.1,zoom=0.2,brightness=0.2")
	if err != nil {
		fmt.Println(err)
	}
	photo, err := images.ReadFile(testdata+"photo.png", images.Options{Height: 96, Width: 96})
	if err != nil {
		fmt.Println(err)
	}
	for variant := range uint64(2) { // the seed settles what happens to the image
		fmt.Println(a.Apply(photo, variant))
	}
	// Output:
	// float32 [96,96,3] <nil>
	// float32 [96,96,3] <nil>
}

func ExampleParseAugmentation() {
	a, err := images.ParseAugmentation("flip,zoom=0.1,fill=0")
	fmt.Println(a.Flip == images.Horizontal, a.Zoom, a, err)
	_, err = images.ParseAugmentation("zoom")
	fmt.Println(err)
	// Output:
	// true 0.1 flip,zoom=0.1,fill=0 <nil>
	// images: wrong options: augmentation "zoom": zoom needs a number, as zoom=0.1, not ""
}

func ExampleParsePreprocess() {
	p, err := images.ParsePreprocess("tf")
	fmt.Println(p, err)
	_, err = images.ParsePreprocess("pytorch")
	fmt.Println(err)
	// Output:
	// tf <nil>
	// images: wrong options: preprocess "pytorch"; none, unit, tf, torch, caffe, mnist are possible
}

func ExamplePreprocess_Apply() {
	x, err := images.TF.Apply(tensor.Must(tensor.Of([]uint8{0, 255, 127}, 1, 1, 3)))
	v, _ := tensor.Data[float32](x)
	fmt.Println(v, err)
	// Output: [-1 1 -0.0039215684] <nil>
}

func ExampleResize() {
	img := tensor.Must(tensor.Of([]uint8{0, 100}, 1, 2, 1))
	x, err := images.Resize(img, 1, 4, images.Bilinear)
	v, _ := tensor.Data[float32](x)
	fmt.Println(v, err)
	// Output: [0 25 75 100] <nil>
}

func ExampleCrop() {
	img := tensor.Must(tensor.New(tensor.Uint8, 480, 640, 3))
	fmt.Println(images.Crop(img, 128, 208, 224, 224))
	// Output: uint8 [224,224,3] <nil>
}
