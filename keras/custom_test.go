package keras_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

// TestCustomObjects lists every layer that nothing here knows, in nested models and wrappers too.
func TestCustomObjects(t *testing.T) {
	_, err := keras.FromConfig([]byte(`{"class_name": "Sequential", "config": {"name": "s", "layers": [
		{"class_name": "InputLayer", "config": {"batch_shape": [null, 2, 3]}},
		{"class_name": "RNN", "config": {"name": "r", "return_sequences": true, "cell": {"class_name": "LSTMCell", "config": {"name": "c", "units": 2}}}},
		{"class_name": "TimeDistributed", "config": {"name": "each", "layer": {"class_name": "Mine", "config": {"name": "mine"}}}},
		{"class_name": "Sequential", "config": {"name": "inner", "layers": [
			{"class_name": "Lambda", "config": {"name": "odd"}}]}}]}}`))
	require.ErrorIs(t, err, keras.ErrCustomObject)
	var custom *keras.CustomObjectError
	require.ErrorAs(t, err, &custom)
	require.Equal(t, []keras.CustomObject{{Path: "s/each/mine", Class: "Mine"}, {Path: "s/inner/odd", Class: "Lambda"}}, custom.Objects)
	require.False(t, custom.Objects[0].Code())
	require.True(t, custom.Objects[1].Code())
}
