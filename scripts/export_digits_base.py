"""Makes the small base and the small data set that `make finetune-demo` and the tests of finetune run on.

    python3 scripts/export_digits_base.py MNIST [DIR]        # default: scripts/testdata/digits_base

MNIST is a folder with the four IDX files (train-images-idx3-ubyte.gz …). A small convolutional network is trained on the digits
0-4; it never sees another one. So that its features tell more than these five apart, it must also tell how a digit has been
turned and mirrored (8 ways: 40 classes in training). The head that is kept is that of the five upright digits. DIR gets

    base.keras               the network, with its head for 0-4; it takes pixels of 0 … 255
    base/                    the same as a SavedModel
    train-*-ubyte.gz         50 training images of each of the digits 5-9, the first of MNIST's training set
    t10k-*-ubyte.gz          100 test images of each, the first of MNIST's test set
    golden.json              the network's features (what goes into its head) of the first four training images
"""
import gzip
import json
import os
import pathlib
import shutil
import struct
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np


def read_idx(path):
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 9, mtime=0))


def network():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
    ], name="digits_base")


def with_head(body, classes):
    return keras.Sequential([*body.layers, keras.layers.Dense(classes, activation="softmax", name="predictions")], name=body.name)


def turned(x, y, generator):
    """Each image in one of the 8 ways to turn and mirror it, with its class among 40; way 0 is upright."""
    way = generator.integers(8, size=len(x))
    out = np.empty_like(x)
    for w in range(8):
        part = np.rot90(x[way == w], w % 4, (1, 2))
        out[way == w] = part[:, :, ::-1] if w >= 4 else part
    return out[..., None].astype("float32"), way * 5 + y


def few(images, labels, each):
    """The first images of each of the digits 5-9, in the set's order."""
    keep = np.sort(np.concatenate([np.flatnonzero(labels == digit)[:each] for digit in range(5, 10)]))
    return images[keep], labels[keep]


def main(mnist, out):
    mnist, out = pathlib.Path(mnist), pathlib.Path(out)
    sets = {part: [read_idx(mnist / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")] for part in ("train", "t10k")}
    (x, y), (test, truth) = sets["train"], sets["t10k"]
    keras.utils.set_random_seed(1)
    body, generator = network(), np.random.default_rng(1)
    body.build((None, 28, 28, 1))
    model = with_head(body, 40)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    small = y < 5
    for _ in range(6):
        model.fit(*turned(x[small], y[small], generator), batch_size=128, verbose=2)
    inference = with_head(body, 5)
    inference.build((None, 28, 28, 1))
    inference.layers[-1].set_weights([w[..., :5] for w in model.layers[-1].get_weights()])
    right = inference.predict(test[truth < 5][..., None].astype("float32"), verbose=0).argmax(1) == truth[truth < 5]
    print("accuracy on the test digits 0-4:", right.mean())

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for part, each in (("train", 50), ("t10k", 100)):
        images, labels = few(*sets[part], each)
        write_idx(out / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(out / f"{part}-labels-idx1-ubyte.gz", labels)
    inference.save(out / "base.keras")
    inference.export(out / "base", verbose=False)
    first = few(*sets["train"], 50)[0][:4, ..., None].astype("float32")
    golden = body.predict(first, verbose=0)
    (out / "golden.json").write_text(json.dumps({"shape": golden.shape, "features": [float(f"{v:.5g}") for v in golden.ravel()]}))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else pathlib.Path(__file__).parent / "testdata" / "digits_base")
