package cli

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/cambium-go/cambium/tfbridge"
)

// Version describes the program in one line: its module version, the TensorFlow version found and the engines built in.
func Version() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	tensorflow, engines := "no TensorFlow", []string{"native"}
	if tfbridge.Available {
		tensorflow, engines = "TensorFlow "+tfbridge.Version(), []string{"tensorflow", "native"}
	}
	return strings.Join([]string{version, tensorflow, "engines: " + strings.Join(engines, ", "), runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, ", ")
}
