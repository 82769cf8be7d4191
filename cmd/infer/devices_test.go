package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDevicesNamesBothEngines(t *testing.T) {
	var report struct {
		TensorFlow []map[string]any `json:"tensorflow"`
		Native     struct {
			SIMD    string `json:"simd"`
			Threads int    `json:"threads"`
		} `json:"native"`
	}
	inferJSON(t, &report, "devices", "--json")
	require.Contains(t, []string{"portable", "avx2", "avx512"}, report.Native.SIMD)
	require.Positive(t, report.Native.Threads)
	needTensorFlow(t)
	require.NotEmpty(t, report.TensorFlow)
}
