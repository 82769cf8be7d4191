package tfbridge

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/internal/tfproto"
)

func TestOptionsCheck(t *testing.T) {
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{}, ""},
		{Options{Device: "GPU:3", GPUMemoryFraction: 0.5, LogLevel: LogInfo, Timeout: time.Second}, ""},
		{Options{Device: "auto"}, ""},
		{Options{Device: "tpu"}, `there is no device "tpu"`},
		{Options{Device: "cpu:1"}, `there is no device "cpu:1"`},
		{Options{Device: "gpu:"}, "is not the number of a GPU"},
		{Options{Device: "gpu:-1"}, "is not the number of a GPU"},
		{Options{Threads: -1}, "Threads is -1"},
		{Options{MaxConcurrent: -2}, "MaxConcurrent is -2"},
		{Options{Timeout: -time.Second}, "Timeout is -1s"},
		{Options{GPUMemoryFraction: 1.5}, "GPUMemoryFraction is 1.5"},
		{Options{GPUMemoryFraction: math.NaN()}, "GPUMemoryFraction is NaN"},
		{Options{LogLevel: 4}, "there is no LogLevel 4"},
	} {
		err := c.opts.Check()
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, c.want)
	}
}

func TestConfig(t *testing.T) {
	own, err := proto.Marshal(&tfproto.ConfigProto{IntraOpParallelismThreads: 7, LogDevicePlacement: true, GpuOptions: &tfproto.GPUOptions{AllocatorType: "BFC"}})
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		opts Options
		want *tfproto.ConfigProto
	}{
		{"nothing asked for", Options{}, &tfproto.ConfigProto{AllowSoftPlacement: true, GpuOptions: &tfproto.GPUOptions{}}},
		{"cpu", Options{Device: "cpu", Threads: 3}, &tfproto.ConfigProto{IntraOpParallelismThreads: 3, AllowSoftPlacement: true, DeviceCount: map[string]int32{"GPU": 0}, GpuOptions: &tfproto.GPUOptions{}}},
		{
			"gpu", Options{Device: "gpu", GPUMemoryGrowth: true, GPUMemoryFraction: 0.25},
			&tfproto.ConfigProto{GpuOptions: &tfproto.GPUOptions{AllowGrowth: true, PerProcessGpuMemoryFraction: 0.25}},
		},
		{"soft placement", Options{Device: "gpu", SoftPlacement: true}, &tfproto.ConfigProto{AllowSoftPlacement: true, GpuOptions: &tfproto.GPUOptions{}}},
		{
			"a ConfigProto wins, field by field", Options{Threads: 3, GPUMemoryGrowth: true, ConfigProto: own},
			&tfproto.ConfigProto{IntraOpParallelismThreads: 7, LogDevicePlacement: true, AllowSoftPlacement: true, GpuOptions: &tfproto.GPUOptions{AllowGrowth: true, AllocatorType: "BFC"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.opts.config()
			require.NoError(t, err)
			require.True(t, proto.Equal(c.want, got), "want %v, got %v", c.want, got)
		})
	}
}

func TestConfigRefusesGarbage(t *testing.T) {
	_, err := (&Options{ConfigProto: []byte("\xff\xff")}).config()
	require.ErrorIs(t, err, ErrOptions)
	require.ErrorContains(t, err, "no serialized tensorflow.ConfigProto")
}
