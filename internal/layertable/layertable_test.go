package layertable

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	require.Equal(t, `Model: "m"
Layer (type)  Output Shape         Param #
──────────────────────────────────────────
é (Dense)     (None,)                1,000
split (S)     [(2, 3), (None, 1)]        0
Total params: 1,000
Trainable params: 993
Non-trainable params: 7
`, Text("m", []Row{{"é", "Dense", [][]int{{-1}}, 1000}, {"split", "S", [][]int{{2, 3}, {-1, 1}}, 0}}, 993, 7))
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		require.Equal(t, want, Thousands(n))
	}
}
