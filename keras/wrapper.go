package keras

import (
	"strings"
)

// wrapped reads a layer that another one holds, under the attribute by which Keras knows it.
func (r *reader) wrapped(l *Layer, v any, attribute string) *Layer {
	s := r.layer(v, l.path)
	s.attribute = attribute
	l.sublayers = append(l.sublayers, s)
	return s
}

// sub reads the layers that a wrapper holds.
func (r *reader) sub(l *Layer) {
	c := l.Config
	switch l.Class {
	case "Bidirectional":
		forward, ok := c["layer"].(map[string]any)
		if !ok {
			fail(ErrFormat, "%s has no layer to wrap", l.path)
		}
		backward, ok := c["backward_layer"].(map[string]any)
		if !ok {
			backward = backwards(forward)
		}
		for _, s := range []*Layer{r.wrapped(l, prefixed(forward, "forward_"), "forward_layer"), r.wrapped(l, prefixed(backward, "backward_"), "backward_layer")} {
			if s.Class != "LSTM" && s.Class != "GRU" && s.Class != "SimpleRNN" && s.Class != "RNN" && s.Class != "ConvLSTM2D" &&
				s.Class != "ConvLSTM1D" && s.Class != "ConvLSTM3D" {
				fail(ErrUnsupported, "%s wraps a %s", l.path, s.Class)
			}
			if !r.standalone() { // Keras forces this, whatever the wrapped layer's configuration says
				s.Config["zero_output_for_mask"] = s.Config["return_sequences"]
			}
		}
	case "TimeDistributed", "SpectralNormalization":
		r.wrapped(l, c["layer"], "layer")
	case "RNN":
		if list, ok := c["cell"].([]any); ok {
			r.wrapped(l, map[string]any{"class_name": "StackedRNNCells", "config": map[string]any{"cells": list}}, "cell")
			return
		}
		r.wrapped(l, c["cell"], "cell")
	case "StackedRNNCells":
		cells, _ := c["cells"].([]any)
		for _, v := range cells {
			r.wrapped(l, v, "cells/*")
		}
	case "Pipeline":
		list, _ := c["layers"].([]any)
		for _, v := range list {
			r.wrapped(l, v, "layers/*")
		}
	case "MultiHeadAttention", "GroupQueryAttention":
		r.addProjections(l)
	case "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
		class := l.Class + "Cell"
		if strings.HasPrefix(l.Class, "ConvLSTM") {
			class = "ConvLSTMCell"
		}
		cell := &Layer{Class: class, Name: snakeCase(class), Config: c, age: l.age, trainable: l.trainable, attribute: "cell"}
		r.place(cell, l.path)
		l.sublayers = append(l.sublayers, cell)
	}
}

// standalone reports whether a file was written by Keras before it became tf.keras: 1.x, and 2.0 to 2.3.
func (r *reader) standalone() bool {
	parts := strings.SplitN(r.version, ".", 3)
	return r.age == keras1 || r.age == keras2 && !strings.Contains(r.version, "-tf") && len(parts) > 1 && len(parts[1]) == 1 && parts[1] < "4"
}

// prefixed renames a layer as Bidirectional does: lstm becomes forward_lstm.
func prefixed(layer map[string]any, prefix string) map[string]any {
	inner, _ := layer["config"].(map[string]any)
	name, ok := inner["name"].(string)
	if !ok || strings.HasPrefix(name, prefix) {
		return layer
	}
	out, c := Config(layer).clone(), Config(inner).clone()
	c["name"] = prefix + name
	out["config"] = map[string]any(c)
	return out
}

// backwards is the configuration that Bidirectional makes for its second layer.
func backwards(forward map[string]any) map[string]any {
	out := Config(forward).clone()
	inner, _ := forward["config"].(map[string]any)
	c := Config(inner).clone()
	c["go_backwards"] = !c.Bool("go_backwards", false)
	out["config"] = map[string]any(c)
	return out
}
