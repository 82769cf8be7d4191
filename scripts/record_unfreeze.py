#!/usr/bin/env python3
"""Records what Keras does when it trains through two small bases, for tfbridge's tests: scripts/testdata/unfreeze.

    record_unfreeze.py [--out DIR]
"""
import argparse
import pathlib
import shutil

import parity_unfreeze as parity
from keras import Model, layers


def blocks(shape):
    """An inverted bottleneck with a shortcut, then a dilated convolution and squeeze and excitation: what MobileNetV2 and
    EfficientNet are made of."""
    x = inputs = layers.Input(shape)
    x = layers.Rescaling(0.5, 0.1)(x)
    x = layers.Conv2D(4, 3, 2, "same", use_bias=False, name="stem")(x)
    x = shortcut = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9, name="stem_bn")(x))
    x = layers.Conv2D(6, 1, use_bias=False, name="expand")(x)
    x = layers.Activation("swish")(layers.BatchNormalization(name="expand_bn")(x))
    x = layers.ZeroPadding2D(((0, 1), (1, 0)))(x)
    x = layers.DepthwiseConv2D(2, name="depthwise")(x)
    x = layers.LeakyReLU(0.1)(layers.BatchNormalization(scale=False, name="depthwise_bn")(x))
    x = layers.Conv2D(4, 1, name="project")(x)
    x = layers.Add()([x, shortcut])
    x = layers.Conv2D(5, 2, dilation_rate=2, padding="same", activation="gelu", name="dilated")(x)
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return Model(inputs, layers.Multiply()([x, layers.Conv2D(5, 1, activation="sigmoid", name="excite")(s)]))


def mixed(shape):
    """Branches, pools, a separable and a transposed convolution, layer normalization, and batch normalization of another axis."""
    x = inputs = layers.Input(shape)
    x = layers.SeparableConv2D(4, 3, padding="same", activation="elu", name="separable")(x)
    a = layers.MaxPooling2D(3, 2, "same")(x)
    b = layers.Conv2D(4, 3, 2, "same", activation="selu", name="branch")(x)
    c = layers.AveragePooling2D(2)(x)
    x = layers.Concatenate()([a, b, c])
    x = layers.LayerNormalization(name="normalize")(x)
    x = layers.BatchNormalization(1, momentum=0.8, name="rows_bn")(x)
    x = layers.Conv2DTranspose(3, 2, 2, activation="softplus", name="transposed")(x)
    return Model(inputs, layers.UpSampling2D(2, interpolation="bilinear")(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=pathlib.Path(__file__).resolve().parent / "testdata" / "unfreeze")
    args = parser.parse_args()
    for name, build, side in (("blocks", blocks, 8), ("mixed", mixed, 6)):
        folder = pathlib.Path(args.out) / name
        parity.make(build, side, folder, 5, (parity.FROZEN, parity.BATCH_STATISTICS))
        shutil.rmtree(folder / "saved_model")  # too large to keep; parity_unfreeze.py looks at some


if __name__ == "__main__":
    main()
