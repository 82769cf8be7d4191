//go:build cgo

package finetune_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/finetune"
)

// A network that has seen the digits 0-4 learns 5-9 from 50 images of each: first a head on its features, then its last two layers
// with it.
func ExampleRun_unfreeze() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	const digits = "../scripts/testdata/digits_base"
	o := finetune.DefaultHead()
	o.Base, o.Data, o.Out = filepath.Join(digits, "base.keras"), digits, filepath.Join(dir, "model")
	o.Unfreeze, o.UnfreezeEpochs, o.UnfreezeLearningRate = "2", 3, 0.0003
	report, err := finetune.Run(context.Background(), o) // Out has saved_model/, model.keras, report.html …
	if err != nil {
		fmt.Println(err)
		return
	}
	t := report.FineTuning
	fmt.Println("head:", report.Engine, "- layers of the base:", t.Engine, t.Layers)
	fmt.Println("more than nine in ten:", report.Test.Accuracy > 0.9)
	// Output:
	// head: native - layers of the base: tensorflow [conv2d_1 conv2d_2]
	// more than nine in ten: true
}
