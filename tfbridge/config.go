package tfbridge

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// device is a parsed Options.Device.
type device struct {
	gpu   bool // a GPU is demanded
	cpu   bool // no GPU may be used
	index int  // of the GPU
}

func parseDevice(s string) (device, error) {
	name, index, numbered := strings.Cut(strings.ToLower(s), ":")
	i := 0
	if numbered {
		var err error
		if i, err = strconv.Atoi(index); err != nil || i < 0 {
			return device{}, fmt.Errorf("%w: device %q: %q is not the number of a GPU", ErrOptions, s, index)
		}
	}
	switch {
	case !numbered && (name == "" || name == "auto"):
		return device{}, nil
	case !numbered && name == "cpu":
		return device{cpu: true}, nil
	case name == "gpu":
		return device{gpu: true, index: i}, nil
	}
	return device{}, fmt.Errorf("%w: there is no device %q; the choices are auto, cpu, gpu and gpu:N", ErrOptions, s)
}

// Check says what is wrong with the options, whatever the machine has; its error wraps ErrOptions. New checks them too.
func (o *Options) Check() error {
	_, err := parseDevice(o.Device)
	switch {
	case err != nil:
		return err
	case o.Threads < 0:
		return fmt.Errorf("%w: Threads is %d; it is at least 0", ErrOptions, o.Threads)
	case o.MaxConcurrent < 0:
		return fmt.Errorf("%w: MaxConcurrent is %d; it is at least 0", ErrOptions, o.MaxConcurrent)
	case o.Timeout < 0:
		return fmt.Errorf("%w: Timeout is %v; it is at least 0", ErrOptions, o.Timeout)
	case !(o.GPUMemoryFraction >= 0 && o.GPUMemoryFraction <= 1):
		return fmt.Errorf("%w: GPUMemoryFraction is %v; it lies between 0 and 1", ErrOptions, o.GPUMemoryFraction)
	case o.LogLevel < LogNothing || o.LogLevel > LogInfo:
		return fmt.Errorf("%w: there is no LogLevel %d", ErrOptions, o.LogLevel)
	}
	return nil
}

// config returns the options as TensorFlow's message (tensorflow/core/protobuf/config.proto). The fields of ConfigProto win.
func (o *Options) config() (*tfproto.ConfigProto, error) {
	d, err := parseDevice(o.Device)
	if err != nil {
		return nil, err
	}
	c := &tfproto.ConfigProto{
		IntraOpParallelismThreads: int32(o.Threads),
		AllowSoftPlacement:        o.SoftPlacement || !d.gpu || d.index > 0, // ops without a kernel for GPU N have to go somewhere
		GpuOptions:                &tfproto.GPUOptions{AllowGrowth: o.GPUMemoryGrowth, PerProcessGpuMemoryFraction: o.GPUMemoryFraction},
	}
	if d.cpu {
		c.DeviceCount = map[string]int32{"GPU": 0}
	}
	own := &tfproto.ConfigProto{}
	if err := proto.Unmarshal(o.ConfigProto, own); err != nil {
		return nil, fmt.Errorf("%w: ConfigProto is no serialized tensorflow.ConfigProto: %w", ErrOptions, err)
	}
	proto.Merge(c, own)
	return c, nil
}
