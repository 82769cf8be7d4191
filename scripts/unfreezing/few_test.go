package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/mnist"
)

func TestFew(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, few(t.Context(), "../testdata/digits_base", dir, 2, 3))
	d, err := mnist.Read(dir)
	require.NoError(t, err)
	var count [10]int
	for _, class := range d.Train.Labels.Bytes() {
		count[class]++
	}
	require.Equal(t, [10]int{5: 2, 6: 2, 7: 2, 8: 2, 9: 2}, count)
	require.Equal(t, 15, d.Test.Len())
	all, err := mnist.Read("../testdata/digits_base")
	require.NoError(t, err)
	first, err := all.Train.Rows(0, 1)
	require.NoError(t, err)
	got, err := d.Train.Rows(0, 1)
	require.NoError(t, err)
	require.Equal(t, first, got)
	require.Error(t, few(t.Context(), dir+"/none", dir, 2, 3))
}
