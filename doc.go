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
// A Model may be called from any number of goroutines at once. [Inspect], [Scan] and [Convert] need no engine: they describe a
// model, look for what it can do beside computing, and write it in another format. To train, see packages finetune, dense and
// train.
//
// # Caveats
//
// The TensorFlow engine needs cgo and libtensorflow when the program is built; see docs/building.md. Without cgo the package
// still reads every format and runs dense networks; for other models [Load] says what is missing.
package cambium
