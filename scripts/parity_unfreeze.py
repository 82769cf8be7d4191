#!/usr/bin/env python3
"""Compares training through a base with Keras, live: gradients, moved statistics and loss curves of networks of keras.applications
with random weights, as a .keras file and as a SavedModel. tfbridge/unfreeze_test.go does the same steps. MobileNetV2 in every way of
training; with PARITY=all in the environment the others too, and by default with another seed each time.

    parity_unfreeze.py [--seed N] [--only TEXT] [--keep DIR]

What a ReLU lets through when its input is within rounding of 0 is an accident, and one such gate can move all gradients before it by a
hundredth, between Keras's float32 and its own float64 as well. So there are no such gates here:

- With frozen statistics, images are drawn until there is none: until gradients stay where they are when the images move by a
  few roundings.
- By the batch's statistics, in these deep networks of random weights, there always is one. There every ReLU becomes a SiLU, whose
  gradient is continuous, and gradients are compared with those of float64, from which Keras's own are some 1e-5 to 1e-3 away.
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
FROZEN, PART, BATCH_STATISTICS = ("frozen", False, False), ("part", True, False), ("batch", False, True)

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


def smooth(model):
    """The same network with SiLU in place of every ReLU."""
    def other(layer):
        if isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu:
            return keras.layers.Activation("silu", name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=other)


def gradients_of(base, head, x, y, batch_statistics):
    """The loss and its gradients, eagerly: a trace costs more than ten steps."""
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy()(y, head(base(x, training=batch_statistics)))
    return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, base.trainable_variables + head.trainable_variables)]


def well_conditioned(base, head, x, y, rng):
    """Images like x at which gradients stay where they are, to a third of what the comparison allows, when pixels move by a few
    roundings."""
    for _ in range(20):
        _, gradients = gradients_of(base, head, x, y, False)
        for _ in range(2):
            moved = (x * (1 + 1e-6 * rng.normal(size=x.shape))).astype(np.float32)
            _, others = gradients_of(base, head, moved, y, False)
            if any(np.max(np.abs(g - o)) > 3e-5 * np.max(np.abs(g)) for g, o in zip(gradients, others)):
                break
        else:
            return x
        x = images_like(x, rng)
    raise SystemExit("no images at which gradients are well-conditioned")


def images_like(x, rng):
    return (np.max(np.abs(x)) * rng.uniform(-1, 1, x.shape)).astype(np.float32)


def steps(base, head, x, y, batch_statistics):
    """Runs SGD at a rate at which the first step takes about a twentieth of the loss away; by the batch's statistics, where rounding
    grows from step to step, in Keras too, a hundredth. Returns the rate, the losses, the first step's gradients, and the weights that
    are not trained after it."""
    trainable = base.trainable_variables + head.trainable_variables
    losses, first, moved, rate = [], None, None, None
    for _ in range(STEPS):
        loss, gradients = gradients_of(base, head, x, y, batch_statistics)
        losses.append(float(loss))
        if first is None:
            first = [g.numpy() for g in gradients]
            moved = [w.numpy() for w in base.non_trainable_variables]
            share = 0.01 if batch_statistics else 0.05
            rate = float(np.float32(share * losses[0] / sum(np.sum(np.square(g, dtype=np.float64)) for g in first)))
        for w, g in zip(trainable, gradients):
            w.assign_sub(rate * g)
    return rate, losses, first, moved


def networks(build, side, change=lambda model: model):
    """The base, and a head."""
    body = change(build((side, side, 3)))
    base = keras.Model(body.input, keras.layers.GlobalAveragePooling2D(name="pool")(body.output))
    for layer in base.layers:
        if isinstance(layer, keras.layers.Dropout):  # its random numbers are Keras's own
            layer.rate = 0
    return base, keras.Sequential([keras.Input(base.output.shape[1:]), keras.layers.Dense(CLASSES, "softmax")])


def exact(make_networks, weights, head_weights, x, y):
    """The first step's gradients by the batch's statistics in float64: float32 loses digits there, Keras's as ours."""
    keras.config.set_dtype_policy("float64")
    try:
        base, head = make_networks()
        base.set_weights(weights)
        head.set_weights(head_weights)
        return [g.numpy().astype(np.float32) for g in gradients_of(base, head, x.astype(np.float64), y, True)[1]]
    finally:
        keras.config.set_dtype_policy("float32")


def make(build, side, folder, seed, ways, change=lambda model: model, scale=1):
    """Writes one model and what Keras does with it in each way of training."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (BATCH, side, side, 3)).astype(np.float32) * scale
    y = rng.integers(0, CLASSES, BATCH)
    base, head = networks(build, side, change)
    randomize(base, x, rng)
    if FROZEN in ways:
        x = well_conditioned(base, head, x, y, rng)
    folder.mkdir(parents=True, exist_ok=True)
    base.save(folder / "model.keras")
    if FROZEN in ways:
        base.export(folder / "saved_model", verbose=False)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y.astype(np.int32))
    start, start_head = base.get_weights(), head.get_weights()
    parametrized = [i for i, layer in enumerate(base.layers) if layer.weights]
    part = parametrized[-8:][0]  # the layers from here on, in the ways that unfreeze a part
    written = []
    for way, partial, batch_statistics in ways:
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
            arrays |= {f"exact{i:04}": g for i, g in enumerate(exact(lambda: networks(build, side, change), start, start_head, x, y))}
        np.savez(folder / f"{way}.npz", losses=np.array(losses, np.float32), **arrays)
        written.append({"name": way, "rate": rate, "batch_statistics": batch_statistics, "layers": [layer.name for layer in base.layers if layer.trainable],
                        "variables": [w.path for w in names]})
    (folder / "case.json").write_text(json.dumps({"classes": CLASSES, "width": base.output.shape[-1], "ways": written}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everything = os.environ.get("PARITY") == "all"
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000 if everything else 0)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary).absolute()
        print(f"seed {args.seed}")
        for name, (build, side) in MODELS.items():
            scale, whole = 100 if "efficient" in name else 1, everything or name == "mobilenet_v2"
            if args.only in name:
                make(build, side, folder / name, args.seed, (FROZEN, PART) if whole else (FROZEN,), scale=scale)
            if whole and args.only in f"{name}_smooth":
                make(build, side, folder / f"{name}_smooth", args.seed, (BATCH_STATISTICS,), smooth, scale)
        return subprocess.run(["go", "test", "-count=1", "-v", "-run", "TestUnfreezeParity", "./tfbridge"], cwd=ROOT,
                              env=dict(os.environ, CAMBIUM_UNFREEZE=str(folder))).returncode


if __name__ == "__main__":
    sys.exit(main())
