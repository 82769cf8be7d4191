package main

import (
	"fmt"
	"strings"
)

// tensorflowVersion is the release that the Go binding (graft v0.10) was
// generated for. A newer graft means a newer release here.
const tensorflowVersion = "2.18.1"

// pythonVersion picks one of the wheels that PyPI has of each release. The
// library inside does not depend on it, nor on the Python that runs pip.
const pythonVersion = "3.12"

// wheel is one file on PyPI, known by its checksum.
type wheel struct {
	project  string // name on PyPI
	version  string
	platform string // pip's --platform
	file     string // name of the file that pip writes
	size     int64  // bytes, for messages and to see a truncated file early
	sha256   string
}

// release is everything that one installation is made of.
type release struct {
	version string // of TensorFlow
	variant string // "cpu" or "gpu"
	os      string // GOOS
	arch    string // GOARCH
	wheels  []wheel
}

// name is the folder of the installation below the cache folder.
func (r release) name() string {
	return fmt.Sprintf("%s-%s-%s-%s", r.version, r.variant, r.os, r.arch)
}

// download is how many bytes the wheels have together.
func (r release) download() (n int64) {
	for _, w := range r.wheels {
		n += w.size
	}
	return n
}

// findRelease returns the release for a variant and platform, or an error that
// says which there are.
func findRelease(variant, goos, goarch string) (release, error) {
	var known string
	for _, r := range releases {
		if r.variant == variant && r.os == goos && r.arch == goarch {
			return r, nil
		}
		known += fmt.Sprintf("\n  VARIANT=%s on %s/%s", r.variant, r.os, r.arch)
	}
	return release{}, fmt.Errorf("no TensorFlow %s wheel is pinned for VARIANT=%s on %s/%s; there are:%s\n"+
		"set TENSORFLOW_ROOT to a libtensorflow of your own, or build with CGO_ENABLED=0 (native engine only)",
		tensorflowVersion, variant, goos, goarch, known)
}

var releases = []release{
	{
		version: tensorflowVersion, variant: "cpu", os: "linux", arch: "amd64",
		wheels: []wheel{{
			project: "tensorflow-cpu", version: tensorflowVersion, platform: "manylinux2014_x86_64",
			file:   "tensorflow_cpu-2.18.1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
			size:   230350167,
			sha256: "8e0f27dbd92c6d380ae0ccfe73c7343f65c127b0aa98467c30c2e71eda7c76a4",
		}},
	},
	{
		version: tensorflowVersion, variant: "cpu", os: "linux", arch: "arm64",
		wheels: []wheel{{
			project: "tensorflow", version: tensorflowVersion, platform: "manylinux2014_aarch64",
			file:   "tensorflow-2.18.1-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
			size:   231996787,
			sha256: "1ba52b9c06ab8102b31e50acfaf56899b923171e603c8942f2bfeb181d6bb59e",
		}},
	},
	{
		version: tensorflowVersion, variant: "cpu", os: "darwin", arch: "arm64",
		wheels: []wheel{{
			project: "tensorflow", version: tensorflowVersion, platform: "macosx_12_0_arm64",
			file:   "tensorflow-2.18.1-cp312-cp312-macosx_12_0_arm64.whl",
			size:   239622377,
			sha256: "98afa9c7f21481cdc6ccd09507a7878d533150fbb001840cc145e2132eb40942",
		}},
	},
	{
		version: tensorflowVersion, variant: "gpu", os: "linux", arch: "amd64",
		wheels: append([]wheel{{
			project: "tensorflow", version: tensorflowVersion, platform: "manylinux2014_x86_64",
			file:   "tensorflow-2.18.1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
			size:   615623178,
			sha256: "442d2a774811789a8ad948e7286cb950fe3d87d3754e8cc6449d53b03dbfdaa6",
		}}, cudaWheels...),
	},
}

// cudaWheels are the libraries that the wheel's METADATA requires for its extra
// "and-cuda", in the versions it names.
var cudaWheels = []wheel{
	nvidiaWheel("nvidia-cublas-cu12", "12.5.3.2", 363313169, "ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b"),
	nvidiaWheel("nvidia-cuda-cupti-cu12", "12.5.82", 13811507, "bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953"),
	nvidiaWheel("nvidia-cuda-nvcc-cu12", "12.5.82", 22468537, "b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0"),
	nvidiaWheel("nvidia-cuda-nvrtc-cu12", "12.5.82", 24873108, "3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd"),
	nvidiaWheel("nvidia-cuda-runtime-cu12", "12.5.82", 895707, "3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115"),
	nvidiaWheel("nvidia-cudnn-cu12", "9.3.0.75", 577163502, "9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d"),
	nvidiaWheel("nvidia-cufft-cu12", "11.2.3.61", 192524114, "9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8"),
	nvidiaWheel("nvidia-curand-cu12", "10.3.6.82", 56309107, "2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536"),
	nvidiaWheel("nvidia-cusolver-cu12", "11.6.3.83", 130341232, "93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b"),
	nvidiaWheel("nvidia-cusparse-cu12", "12.5.1.3", 217558979, "016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752"),
	nvidiaWheel("nvidia-nccl-cu12", "2.21.5", 188654414, "8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0"),
	nvidiaWheel("nvidia-nvjitlink-cu12", "12.5.82", 21298879, "f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212"),
}

func nvidiaWheel(project, version string, size int64, sha256 string) wheel {
	return wheel{
		project: project, version: version, platform: "manylinux2014_x86_64",
		file: fmt.Sprintf("%s-%s-py3-none-manylinux2014_x86_64.whl", strings.ReplaceAll(project, "-", "_"), version),
		size: size, sha256: sha256,
	}
}
