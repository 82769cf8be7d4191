package finetune

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tfbridge"
)

// Heads on MobileNet V1 tell five flowers apart, by 150 photographs of them, as well as scikit-learn's logistic regression on the
// same features does: 86.4 % on a quarter held out, mean of five seeds, and 78.4 % with the small base.
func TestFlowers(t *testing.T) {
	root := os.Getenv("CAMBIUM_DATA")
	if root == "" {
		t.Skip("CAMBIUM_DATA is not set")
	}
	if !tfbridge.Available {
		t.Skip("a base runs on TensorFlow, which is not built in")
	}
	cache, accuracy := t.TempDir(), map[string]float64{}
	for _, base := range []string{"mobilenet_v1_features.keras", "mobilenet_v1_imagenet_1001_tf1_frozen.pb", "mobilenet_v1_025_128_features.keras"} {
		for seed := range 5 {
			o := DefaultHead()
			o.Base, o.Data, o.Out, o.Cache = filepath.Join(root, "base", base), filepath.Join(root, "flowers200"), filepath.Join(t.TempDir(), "out"), cache
			o.ValidationSplit, o.Seed = 0.25, uint64(seed+1)
			r := run(t, o)
			require.Equal(t, 50, r.Data.Validation)
			accuracy[base] += r.Validation.Accuracy / 5
		}
		t.Logf("%s: %.3f", base, accuracy[base])
	}
	require.GreaterOrEqual(t, accuracy["mobilenet_v1_features.keras"], 0.855)
	require.InDelta(t, accuracy["mobilenet_v1_features.keras"], accuracy["mobilenet_v1_imagenet_1001_tf1_frozen.pb"], 0.02, "the same network from another file")
	require.GreaterOrEqual(t, accuracy["mobilenet_v1_025_128_features.keras"], 0.75)
}
