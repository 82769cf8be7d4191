// Package keras reads and writes the model files of Keras 1, 2 and 3 and turns the models into graphs, in pure Go.
//
//	 .keras (ZIP) ┐            ┌ Layers, Variables, Summary
//	 .h5          ┼─▶  Model ──┼ Graph ─▶ package graph: run, freeze, export, train
//	 config.json  ┘            └ Write ─▶ .keras and .h5, which Keras 3 and tf_keras open
//
//	m, err := keras.Load("my_mnist.h5")
//	g, err := m.Graph() // one signature, serving_default, with Keras's names
//
// # One configuration
//
// Whatever the age of a file, its layers are brought to the terms of Keras 3 when it is read: nb_filter becomes filters,
// border_mode padding, batch_input_shape batch_shape. Where a name means something else in another age (hard_sigmoid, the
// default of reset_after), the file's version decides, so that a model computes what it computed when it was saved.
// Convolution kernels that Theano trained are flipped ([WithBackend]).
//
// # One function for each class
//
// A layer class is one function that adds the layer's computation to a graph; it asks for its weights by name and shape on
// the way. The first pass over a model makes the list of weights and of shapes; files fill the list; later passes make
// graphs with values. The functions stand in one file for each family: dense.go, conv.go, recurrent.go and so on.
// [Register] adds a class that Keras does not have. Python code in files (Lambda) is never run.
//
// # Caveats
//
// Dropout, noise and random augmentation do nothing; batch normalization uses its moving statistics: graphs are for
// inference and for training layers on top. Sequences of up to 32 known steps are written out step by step; longer ones
// become a While loop, which cannot be trained through. Stateful recurrent layers start each call from zero. Operations on
// constant arrays (keras.ops.average with weights) are read, but what is written of them Keras does not open.
// Convolutions with data_format channels_first are transposed, since TensorFlow's CPU kernels have channels last; softmax as
// their activation works on the last axis, as in Keras.
// tf_keras does not open every .h5 file of a Keras 3 model: it lacks keras.ops functions and newer layers, and takes hard_sigmoid
// for its own, which has other slopes; Keras 2 has no name for the one of Keras 3.
// TensorFlow 2.18 makes maximum(x, c·x) a leaky ReLU whatever the constant c, which is wrong for c > 1, in Python's graphs as well.
// Keras 3.15 adds the bias of a channels_first convolution along the wrong axis where the width of the result equals its
// channels; this package does not.
package keras
