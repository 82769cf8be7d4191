package finetune_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cambium-go/cambium/finetune"
)

// A table of two numbers and a label, learnt.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "table.csv")
	rows := []string{"width,height,kind"}
	for i := range 100 {
		rows = append(rows, fmt.Sprintf("%d,%d,tall", 10+i%7, 30+i%11), fmt.Sprintf("%d,%d,wide", 30+i%11, 10+i%7))
	}
	if err := os.WriteFile(table, []byte(strings.Join(rows, "\n")), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	o := finetune.Default()
	o.Data, o.Out = table, filepath.Join(dir, "model")
	o.Hidden, o.Batch = []int{8}, 16
	report, err := finetune.Run(context.Background(), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Data.Classes, report.Validation.Accuracy)
	// Output: [tall wide] 1
}
