// Package finetune turns labelled data into a trained model with its report: what Keras's tutorials do in a notebook, as one
// call.
//
//	o := finetune.Default()
//	o.Data, o.Out = "mnist", "my_model"
//	report, err := finetune.Run(ctx, o)
//	fmt.Println(report.Test.Accuracy)
//
// The steps, and what stands in Options.Out after them:
//
//	data        a folder of images a class, IDX files, a CSV table, "mnist" or "fashion-mnist"    labels.txt
//	split       a seeded, stratified part of it is held out for validation
//	augment     variants of the images that are trained on, by Options.Augment, beside them
//	train       a multi-layer perceptron, through train.Fit                                       checkpoint/ history.csv tensorboard/
//	measure     on the validation data, and on the test data where there are any                  curves.png confusion.png worst.png
//	export      for TensorFlow, Keras and package cambium, loaded back and compared               saved_model/ model.keras
//	report      everything above in one document, for a browser and for programs                  report.html report.json
//
// With Options.Base, a pretrained model, images become its features first, and the network is a head on those:
//
//	base        a SavedModel, a frozen graph, .keras or .h5, cut before its head; spatial features are pooled
//	features    decoded, resized, preprocessed and sent through the base once, on TensorFlow; kept on disk by content
//	head        DefaultHead: one Dense layer on features of one scale, its L2 penalty by the number of samples (AutoL2)
//	unfreeze    with Options.Unfreeze, layers of the base trained on together with the head, on the images themselves
//	export      decoding, preprocessing, base and head in one SavedModel: serving_default takes pixels, serving_bytes files; and
//	            of a Keras file in one model.keras, which takes pixels
//
//	o := finetune.DefaultHead()
//	o.Base, o.Data, o.Out = "mobilenet.keras", "birds/", "my_birds"
//	o.Unfreeze = "all"
//	report, err := finetune.Run(ctx, o)
//
// # What unfreezing gains
//
// On the pooled features of a network of the digits 0-4 (scripts/testdata/digits_base, Options.Layer "conv2d_2"), 5-9 are hard to tell
// apart by a head alone. Mean and standard deviation over the seeds 1 to 5, 200 images to train on, 50 to validate on, 500 to test on; of
// the learning rates 0.0003, 0.001, 0.003 and 0.01 the one of the least validation loss, 0.003, at most 40 epochs, the best of them by
// validation loss:
//
//	             validation accuracy   test accuracy
//	frozen base  91.2 ± 1.8 %          83.4 ± 0.8 %
//	unfrozen     94.0 ± 3.2 %          92.0 ± 0.5 %
//
// MobileNet V1 0.25/128, whose weights come from photographs (ImageNet), on MNIST's digits, enlarged from 28 to 128 pixels: 100 images of
// each to train on, of which a fifth validates, 2,000 to test on, the seeds 1 to 5; of 0.00003, 0.0001 and 0.0003 the rate 0.0003, at
// most 20 epochs:
//
//	             validation accuracy   test accuracy
//	frozen base  90.6 ± 2.1 %          86.7 ± 0.5 %
//	unfrozen     95.4 ± 0.7 %          94.2 ± 0.4 %
//
// On Fashion-MNIST, small photographs of garments, it gains little: 81.7 ± 0.7 % frozen, 82.7 ± 1.3 % unfrozen, over the seeds 1 to 3, of
// 1,000 test images; of 0.0001 and 0.0003 the rate 0.0001, at most 15 epochs.
//
// `go run ./scripts/unfreezing` measures it anew, with -base, -layer, -data and -few on another task.
//
// # Caveats
//
// model.keras of a base begins with Resizing. Keras 3.15 takes a model with that layer for one in training where it is called as
// model(x): predict, evaluate and model(x, training=False) answer as the SavedModel does.
//
// The data are held in memory: images as bytes, tables and features as float32. What unfrozen layers are trained on, the images as
// the base takes them, is in a file without a name in Options.Out's file system, which is gone when the process is.
//
// A table's features must be numbers, without gaps: text is not encoded and nothing is filled in. They are scaled to mean 0 and
// variance 1 with the training part's figures, and so is a regression's target while it is trained on.
package finetune
