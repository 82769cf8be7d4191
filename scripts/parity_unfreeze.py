#!/usr/bin/env python3
"""Compares training through a base with Keras, live: gradients, moved statistics and loss curves of networks of keras.applications
with random weights, as a .keras file and as a SavedModel. tfbridge/unfreeze_test.go does the same steps. MobileNetV2 in every way of
training; with PARITY=all in the environment the others too.

    parity_unfreeze.py [--seed N] [--only TEXT] [--keep DIR]
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS, CLASSES, BATCH = 10, 5, 6

# name, whether the last layers alone are trained, whether batch normalization uses the batch's statistics
WAYS = (("frozen", False, False), ("part", True, False), ("batch", False, True))

# name: (model, side of the images)
MODELS = {
    "mobilenet_v2": (lambda shape: keras.applications.MobileNetV2(shape, 0.35, include_top=False, weights=None), 64),
    "resnet50": (lambda shape: keras.applications.ResNet50(False, None, None, shape), 32),
    "efficientnet_b0": (lambda shape: keras.applications.EfficientNetB0(False, None, None, shape), 48),
}


def randomize(model, x, rng):
    """Gives every weight its own random values. The statistics of batch normalization are near those of x, so that networks are
    alive, but not the same."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):  # what images are prepared with
            continue
        for w in layer.weights:
            if "kernel" in w.name:
                w.assign(w + rng.normal(size=w.shape) * 1e-3)
            elif w.name == "gamma":
                w.assign(rng.uniform(0.6, 1.4, w.shape))
            elif w.name in ("beta", "bias"):
                w.assign(rng.normal(size=w.shape) * 0.2)
    momentum = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0
    model(x, training=True)
    for layer, m in zip(norms, momentum):
        layer.momentum = m
        layer.moving_mean.assign(layer.moving_mean + rng.normal(size=layer.moving_mean.shape) * 0.05)
        layer.moving_variance.assign(layer.moving_variance * rng.uniform(0.8, 1.2, layer.moving_variance.shape) + 0.1)


def steps(base, head, x, y, batch_statistics):
    """Runs SGD at a rate at which the first step takes about a twentieth of the loss away; by the batch's statistics, where rounding
    grows from step to step, in Keras too, a hundredth. Returns the rate, the losses, the first step's gradients, and the weights that
    are not trained after it."""
    trainable = base.trainable_variables + head.trainable_variables
    loss_of = keras.losses.SparseCategoricalCrossentropy()

    def gradients_of_loss():  # eagerly: a trace costs more than ten steps
        with tf.GradientTape() as tape:
            loss = loss_of(y, head(base(x, training=batch_statistics)))
        return loss, tape.gradient(loss, trainable)

    losses, first, moved, rate = [], None, None, None
    for _ in range(STEPS):
        loss, gradients = gradients_of_loss()
        losses.append(float(loss))
        if first is None:
            first = [tf.convert_to_tensor(g).numpy() for g in gradients]
            moved = [w.numpy() for w in base.non_trainable_variables]
            share = 0.01 if batch_statistics else 0.05
            rate = float(np.float32(share * losses[0] / sum(np.sum(np.square(g, dtype=np.float64)) for g in first)))
        for w, g in zip(trainable, gradients):
            w.assign_sub(rate * g)
    return rate, losses, first, moved


def networks(build, side):
    """The base, and a head."""
    body = build((side, side, 3))
    base = keras.Model(body.input, keras.layers.GlobalAveragePooling2D(name="pool")(body.output))
    for layer in base.layers:
        if isinstance(layer, keras.layers.Dropout):  # its random numbers are Keras's own
            layer.rate = 0
    return base, keras.Sequential([keras.Input(base.output.shape[1:]), keras.layers.Dense(CLASSES, "softmax")])


def exact(name, side, weights, head_weights, x, y):
    """The first step's gradients by the batch's statistics in float64: float32 loses digits there, Keras's as ours."""
    keras.config.set_dtype_policy("float64")
    try:
        base, head = networks(MODELS[name][0], side)
        base.set_weights(weights)
        head.set_weights(head_weights)
        with tf.GradientTape() as tape:
            loss = keras.losses.SparseCategoricalCrossentropy()(y, head(base(x.astype(np.float64), training=True)))
        gradients = tape.gradient(loss, base.trainable_variables + head.trainable_variables)
        return [tf.convert_to_tensor(g).numpy().astype(np.float32) for g in gradients]
    finally:
        keras.config.set_dtype_policy("float32")


def make(name, folder, seed):
    """Writes one model and what Keras does with it in each way of training."""
    build, side = MODELS[name]
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (BATCH, side, side, 3)).astype(np.float32) * (100 if "efficient" in name else 1)
    y = rng.integers(0, CLASSES, BATCH)
    base, head = networks(build, side)
    randomize(base, x, rng)
    base.save(folder / "model.keras")
    base.export(folder / "saved_model", verbose=False)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y.astype(np.int32))
    start, start_head = base.get_weights(), head.get_weights()
    parametrized = [i for i, layer in enumerate(base.layers) if layer.weights]
    part = parametrized[-8:][0]  # the layers from here on, in the ways that unfreeze a part
    ways = []
    for way, partial, batch_statistics in WAYS if name == "mobilenet_v2" or os.environ.get("PARITY") == "all" else WAYS[:1]:
        base.set_weights(start)
        head.set_weights(start_head)
        for i, layer in enumerate(base.layers):
            layer.trainable = i >= part if partial else True
        names = base.trainable_variables + head.trainable_variables
        before = [w.numpy() for w in names]
        others = [w.numpy() for w in base.non_trainable_variables]
        rate, losses, gradients, moved = steps(base, head, x, y, batch_statistics)
        arrays = {f"gradient{i:04}": g for i, g in enumerate(gradients)}
        arrays |= {f"weight{i:04}": w for i, w in enumerate(before)}
        if batch_statistics:
            arrays |= {f"before{i:04}": w for i, w in enumerate(others) if w.dtype == np.float32}
            arrays |= {f"moved{i:04}": w for i, w in enumerate(moved) if w.dtype == np.float32}
            arrays |= {f"exact{i:04}": g for i, g in enumerate(exact(name, side, start, start_head, x, y))}
        np.savez(folder / f"{way}.npz", losses=np.array(losses, np.float32), **arrays)
        ways.append({"name": way, "rate": rate, "batch_statistics": batch_statistics, "layers": [layer.name for layer in base.layers if layer.trainable],
                     "variables": [w.path for w in names]})
    (folder / "case.json").write_text(json.dumps({"classes": CLASSES, "width": base.output.shape[-1], "ways": ways}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary).absolute()
        print(f"seed {args.seed}")
        for name in MODELS:
            if args.only in name:
                (folder / name).mkdir(parents=True, exist_ok=True)
                make(name, folder / name, args.seed)
        return subprocess.run(["go", "test", "-count=1", "-v", "-run", "TestUnfreezeParity", "./tfbridge"], cwd=ROOT,
                              env=dict(os.environ, CAMBIUM_UNFREEZE=str(folder))).returncode


if __name__ == "__main__":
    sys.exit(main())
