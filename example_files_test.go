package cambium_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
)

// Inspect reads a model without an engine.
func ExampleInspect() {
	info, err := cambium.Inspect("scripts/testdata/mnist/mlp/saved_model")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, info.Producer.TensorFlow, info.Parameters, "parameters")
	for _, s := range info.MetaGraphs[0].Signatures {
		fmt.Println(s.Name, s.Inputs[0].Name, s.Inputs[0].DType, s.Inputs[0].Shape)
	}
	// Output:
	// savedmodel 2.18.1 101770 parameters
	// serve input_layer float32 [?,784]
	// serving_default input_layer float32 [?,784]
}

// Scan finds what in a model of unknown origin reaches outside of it.
func ExampleScan() {
	findings, err := cambium.Scan("scripts/testdata/models/reaches_files/saved_model")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		fmt.Println(f.Severity, f.Op, f.Why)
	}
	// Output:
	// high WriteFile writes files
	// high ReadFile reads files
}

func ExampleDetect() {
	for _, path := range []string{"saved_model", "frozen.pb", "my_mnist.keras", "my_mnist.h5"} {
		format, err := cambium.Detect("scripts/testdata/mnist/mlp/" + path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(format)
	}
	// Output:
	// savedmodel
	// graphdef
	// keras
	// h5
}

// Convert turns a Keras file into a SavedModel, without Python.
func ExampleConvert() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "my_mnist")
	if err := cambium.Convert("scripts/testdata/mnist/mlp/my_mnist.h5", out); err != nil {
		log.Fatal(err)
	}
	info, err := cambium.Inspect(out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, info.Parameters, "parameters")
	// Output: savedmodel 101770 parameters
}

// ReadGraph is the way to package graph's passes. Here the functions of a SavedModel are inlined.
func ExampleReadGraph() {
	g, err := cambium.ReadGraph("scripts/testdata/mnist/mlp/saved_model")
	if err != nil {
		log.Fatal(err)
	}
	flat, err := graph.Inline(g)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(g.Def.GetLibrary().GetFunction()) > 0, len(flat.Def.GetLibrary().GetFunction()))
	// Output: true 0
}

// A frozen graph does not say how it wants its images, so that whoever runs it must.
func ExamplePreprocessing() {
	how, known, err := cambium.Preprocessing("scripts/testdata/mnist/mlp/frozen.pb")
	fmt.Println(how, known, err)
	// Output: none false <nil>
}
