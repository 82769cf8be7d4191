package fetch_test

import (
	"context"
	"fmt"
	"os"

	"github.com/cambium-go/cambium/internal/fetch"
)

// Not run: it downloads 12 MB.
func ExampleMNIST() {
	dir, err := fetch.MNIST(context.Background(), os.Stderr)
	if err != nil {
		fmt.Println(err)
		return
	}
	files, err := os.ReadDir(dir)
	fmt.Println(len(files), err)
}
