#!/usr/bin/env python3
"""Exports SavedModels of common architectures with random weights, for parity_savedmodel.py under PARITY=all:

    python3 scripts/export_architectures.py DIR

Keras 3 (MobileNetV2, ResNet50, EfficientNetB0, recurrent, attention, convolutions of all kinds), Keras 2 (convolutional, recurrent, text), and a
graph of TensorFlow 1 with fused batch normalization, padding, a loop and a branch. The statistics of batch normalization are not
0 and 1, so that a mistake in folding shows.
"""
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow", TF_USE_LEGACY_KERAS="1")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

v1 = tf.compat.v1
OUT = sys.argv[1]


def scatter(model, library):
    for layer in model._flatten_layers():
        if isinstance(layer, library.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            r = np.random.default_rng(len(gamma))
            layer.set_weights([r.uniform(.5, 1.5, gamma.shape), r.normal(0, .1, beta.shape), r.normal(0, .1, mean.shape), r.uniform(.5, 2, variance.shape)])
    return model


def keras3():
    L = keras.layers
    keras.utils.set_random_seed(1)
    models = {
        "mobilenetv2": keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=.35, weights=None, classes=10),
        "resnet50": keras.applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=10),
        "efficientnetb0": keras.applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None, classes=10),
    }
    i = L.Input((12, 8))
    models["lstm"] = keras.Model(i, L.Dense(3)(L.LSTM(16)(i)))
    i = L.Input((None, 8))
    models["bidirectional_gru"] = keras.Model(i, L.Dense(3)(L.Bidirectional(L.GRU(16))(i)))
    i = L.Input((10,), dtype="int32")
    x = L.Embedding(50, 16)(i)
    x = L.GlobalAveragePooling1D()(L.LayerNormalization()(L.MultiHeadAttention(2, 8)(x, x)))
    models["attention"] = keras.Model(i, L.Dense(4, activation="softmax")(x))
    i = L.Input((16, 16, 4))
    x = L.BatchNormalization()(L.SeparableConv2D(8, 3, padding="same")(i))
    x = L.BatchNormalization()(L.Conv2DTranspose(4, 3, strides=2, padding="same")(x))
    models["convolutions"] = keras.Model(i, L.Dropout(.5)(L.ReLU()(L.Conv2D(5, 3, dilation_rate=2)(x))))
    for name, model in models.items():
        scatter(model, keras).export(f"{OUT}/keras3_{name}", verbose=False)


def keras2():
    L = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    text = L.TextVectorization(output_sequence_length=5)
    text.adapt(["a b c", "b c d"])
    models = {
        "convolutions": [L.Input((28, 28, 1)), L.ZeroPadding2D(), L.Conv2D(8, 3, strides=2), L.BatchNormalization(), L.ReLU(), L.DepthwiseConv2D(3), L.BatchNormalization(), L.Flatten(), L.Dense(10)],
        "recurrent": [L.Input((7,)), L.Embedding(30, 8), L.LSTM(12, return_sequences=True), L.GRU(6), L.Dense(2)],
        "text": [L.Input((1,), dtype=tf.string), text, L.Embedding(10, 4), L.GlobalAveragePooling1D()],
    }
    for name, layers in models.items():
        scatter(tf_keras.Sequential(layers), tf_keras).save(f"{OUT}/keras2_{name}", save_format="tf")


def tensorflow1():
    v1.disable_control_flow_v2()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 16, 16, 3], name="x")
        h = tf.nn.conv2d(x, v1.get_variable("w", [3, 3, 3, 8], use_resource=False), 1, "SAME")
        statistics = [v1.get_variable(n, [8], initializer=v1.random_uniform_initializer(.5, 1.5, seed=1), use_resource=False) for n in ("scale", "offset", "mean", "variance")]
        h = v1.nn.fused_batch_norm(h, *statistics, is_training=False)[0]
        h = tf.nn.relu(tf.pad(h, [[0, 0], [1, 2], [1, 2], [0, 0]]))
        w = v1.get_variable("depthwise", [3, 3, 8, 1])
        h = tf.nn.depthwise_conv2d(tf.pad(h, [[0, 0], [2, 0], [0, 1], [0, 0]]), w, [1, 1, 1, 1], "VALID")
        _, h = tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h * w[0, 0, :, 0]), [0, h])
        y = tf.cond(tf.reduce_sum(h) > 0, lambda: h + 1., lambda: h - 1.)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, f"{OUT}/tf1", {"x": x}, {"y": y})


keras3()
keras2()
tensorflow1()
