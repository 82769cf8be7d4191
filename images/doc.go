// Package images turns image files into the tensors that TensorFlow's and Keras's loaders give: PNG, JPEG, GIF (the first
// frame) and BMP, decoded, cropped, resized and scaled.
//
//	x, err := images.ReadFile("cat.jpg", images.Options{Height: 224, Width: 224, Preprocess: images.TF})
//	// float32 [224,224,3], -1..1
//
// The steps, in this order; each is what a Python program would have called:
//
//	decode      [height, width, channels] uint8   tf.io.decode_image, keras.utils.load_img
//	upright     by the EXIF orientation           PIL.ImageOps.exif_transpose; only if asked for: neither
//	                                              TensorFlow nor Keras looks at the orientation
//	crop        to the aspect ratio wanted        image_dataset_from_directory(crop_to_aspect_ratio=True)
//	resize      float32 (nearest: uint8)          tf.image.resize, Pillow's nearest of load_img
//	preprocess  float32                           keras.applications.imagenet_utils.preprocess_input
//
// An Augmentation makes variants of an image for training, as Keras's layers RandomFlip, RandomRotation, RandomZoom and so on do.
//
// # Where the numbers differ
//
// PNG, BMP and GIF decode to the same bytes as TensorFlow's and Pillow's; resizing and preprocessing give the same float32
// numbers bit for bit. JPEG is decoded by the standard library's inverse cosine transform, with libjpeg's chroma upsampling
// and colour conversion on top. Pillow and TensorFlow with dct_method INTEGER_ACCURATE agree on what a JPEG shows; from
// them, 2.9 % of the samples of 210 photographs differ, by 0.04 levels of 255 in the mean and 3 at most. TensorFlow's
// default, INTEGER_FAST (also that of tf.io.decode_image), differs from them all by 1.0 in the mean and up to 22.
//
// Grey is Pillow's "L", (299 R + 587 G + 114 B) / 1000 rounded; tf.io.decode_image(channels=1) truncates PNGs instead (1
// level less at most) and takes a JPEG's own luminance, which differs where colours are saturated. Alpha is dropped, not
// blended, as both do; a transparent pixel of a GIF is black, as in TensorFlow. A 16-bit PNG keeps the upper 8 bits, as in TensorFlow.
//
// Augmented images follow Keras's within 0.002 levels of 255 where one change is asked for; several are one resampling here, one after
// the other there. RandomContrast(0.2) of Keras 3 only ever raises the contrast, against its documentation; here 0.2 is 0.8 … 1.2.
package images
