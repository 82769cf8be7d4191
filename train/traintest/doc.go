// Package traintest is the suite that every train.Trainable passes, and the engine it is measured against.
//
//	func TestEngine(t *testing.T) {
//		traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
//			return dense.New(…)
//		}, traintest.Options{})
//	}
//
// Reference is a multi-layer perceptron written as the textbook does, one sample after the other in float64, with no concern
// for speed: the yardstick for engines and a stand-in for them in tests.
package traintest
