// Package cambium loads TensorFlow and Keras models and runs them from Go.
//
//	model, err := cambium.Load("my_model", nil) // a SavedModel, a frozen graph, a .keras or .h5 file
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer model.Close()
//	y, err := model.Predict(ctx, x) // x, y are *tensor.Tensor
//
// Every file becomes a graph ([graph.Graph]), and one of two engines runs it; nothing here depends on which:
//
//	files                  the graph              engines
//	savedmodel  ┐                             ┌ tfbridge (TensorFlow's kernels, through libtensorflow)
//	keras       ┼──▶  graph  ──passes──▶      ┤
//	*.pb        ┘                             └ dense    (native Go, dense networks)
//
// A Model may be called from any number of goroutines at once.
//
// # Caveats
//
// The TensorFlow engine needs cgo and libtensorflow when the program is built; see docs/building.md. Without cgo the
// package still reads every format, and [Load] says what is missing to run a model.
package cambium
