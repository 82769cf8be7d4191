#!/usr/bin/env python3
"""Compares training through a base with Keras, live: gradients, moved statistics and loss curves of networks of keras.applications
with random weights, as a .keras file and as a SavedModel. tfbridge/unfreeze_test.go does the same steps.

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

# name: (model, side of the images, learning rate)
MODELS = {
    "mobilenet_v2": (lambda shape: keras.applications.MobileNetV2(shape, 0.35, include_top=False, weights=None), 64, 0.05),
    "resnet50": (lambda shape: keras.applications.ResNet50(False, None, None, shape), 48, 0.01),
    "efficientnet_b0": (lambda shape: keras.applications.EfficientNetB0(False, None, None, shape), 64, 0.05),
}


def randomize(model, rng):
    """Gives every weight its own random values, statistics of batch normalization that differ from 0 and 1 among them."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):  # what images are prepared with
            continue
        for w in layer.weights:
            name, shape = w.name, tuple(w.shape)
            if "kernel" in name:
                w.assign(w + rng.normal(size=shape) * 1e-3)
            elif name in ("gamma", "moving_variance"):
                w.assign(rng.uniform(0.6, 1.4, shape))
            elif w.dtype == "float32":
                w.assign(rng.normal(size=shape) * 0.2)


def steps(base, head, x, y, rate, batch_statistics):
    """Runs SGD, and returns the losses, the first step's gradients, and the weights after the last."""
    trainable = base.trainable_variables + head.trainable_variables
    loss_of = keras.losses.SparseCategoricalCrossentropy()
    optimizer = keras.optimizers.SGD(rate)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(y, head(base(x, training=batch_statistics)))
        gradients = tape.gradient(loss, trainable)
        optimizer.apply(gradients, trainable)
        return loss, gradients

    losses, first, moved = [], None, None
    for _ in range(STEPS):
        loss, gradients = step()
        losses.append(float(loss))
        if first is None:
            first = [tf.convert_to_tensor(g).numpy() for g in gradients]
            moved = [w.numpy() for w in base.non_trainable_variables]
    return losses, first, moved


def make(name, folder, seed):
    """Writes one model and what Keras does with it in each way of training."""
    build, side, rate = MODELS[name]
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (BATCH, side, side, 3)).astype(np.float32) * (100 if "efficient" in name else 1)
    y = rng.integers(0, CLASSES, BATCH)
    body = build((side, side, 3))
    base = keras.Model(body.input, keras.layers.GlobalAveragePooling2D(name="pool")(body.output))
    for layer in base.layers:
        if isinstance(layer, keras.layers.Dropout):  # its random numbers are Keras's own
            layer.rate = 0
    randomize(base, rng)
    head = keras.Sequential([keras.Input(base.output.shape[1:]), keras.layers.Dense(CLASSES, "softmax")])
    base.save(folder / "model.keras")
    base.export(folder / "saved_model", verbose=False)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y.astype(np.int32))
    start, start_head = base.get_weights(), head.get_weights()
    parametrized = [i for i, layer in enumerate(base.layers) if layer.weights]
    part = parametrized[-8]  # the layers from here on, in the ways that unfreeze a part
    ways = []
    for way, partial, batch_statistics in (("frozen", False, False), ("part", True, False), ("batch", False, True)):
        base.set_weights(start)
        head.set_weights(start_head)
        for i, layer in enumerate(base.layers):
            layer.trainable = i >= part if partial else True
        names = base.trainable_variables + head.trainable_variables
        before = [w.numpy() for w in names]
        others = [w.numpy() for w in base.non_trainable_variables]
        losses, gradients, moved = steps(base, head, x, y, rate, batch_statistics)
        arrays = {f"gradient{i:04}": g for i, g in enumerate(gradients)}
        arrays |= {f"weight{i:04}": w for i, w in enumerate(before)}
        if batch_statistics:
            arrays |= {f"before{i:04}": w for i, w in enumerate(others) if w.dtype == np.float32}
            arrays |= {f"moved{i:04}": w for i, w in enumerate(moved) if w.dtype == np.float32}
        np.savez(folder / f"{way}.npz", losses=np.array(losses, np.float32), **arrays)
        ways.append({"name": way, "batch_statistics": batch_statistics, "layers": [layer.name for layer in base.layers if layer.trainable],
                     "variables": [w.path for w in names]})
    (folder / "case.json").write_text(json.dumps({"rate": rate, "classes": CLASSES, "width": base.output.shape[-1], "ways": ways}))


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
