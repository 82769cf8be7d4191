package keras

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Python writes as a number comes back as it was, what it writes as a string too.
func TestNumbersThatJSONLacks(t *testing.T) {
	const text = `{"a":[NaN,-Infinity,{"b":Infinity}],"c":"NaN","d":"Infinity"}`
	v, err := decodeJSON([]byte(text))
	require.NoError(t, err)
	a := v["a"].([]any)
	x, ok := number(a[0])
	require.True(t, ok && math.IsNaN(x))
	x, ok = number(a[1])
	require.True(t, ok && math.IsInf(x, -1))
	_, ok = number(v["c"])
	require.False(t, ok)
	got, err := encodeJSON(v)
	require.NoError(t, err)
	require.Equal(t, text, string(got)) //nolint:testifylint // NaN is not JSON
}
