#!/usr/bin/env python3
"""Records how Keras trains small networks: what dense/keras_test.go compares with.

    record_dense.py [--out scripts/testdata/dense] [--seed 1] [--wide SHARE]

cases.json describes each network, loss and optimizer; cases.npz holds x and targets, and for each case one vector:
initial weights, predictions of x, gradients of the first batch, the loss of every step, final weights (and the values of
the weights that do not learn). Steps go over the samples in order, batch after batch, the last batch of an epoch smaller.
With --wide the networks are a few of many inputs, which package dense computes in its own ways, on samples of which SHARE is
not 0; as these are large, they are for parity_dense.py only.
"""

import argparse
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf

# These networks are too small to be divided, and threads that hand each other work wait for it on a busy machine.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

STEPS, SAMPLES, BATCH, INPUTS, OUTPUTS = 200, 24, 10, 6, 3

ACTIVATIONS = ["linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "sigmoid", "hard_sigmoid", "tanh",
               "softplus", "softsign", "exponential", "silu", "mish", "softmax"]
OPTIMIZERS = {
    "sgd": lambda **k: keras.optimizers.SGD(0.05, **k),
    "momentum": lambda **k: keras.optimizers.SGD(0.02, momentum=0.9, **k),
    "nesterov": lambda **k: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True, **k),
    "rmsprop": lambda **k: keras.optimizers.RMSprop(0.003, **k),
    "adagrad": lambda **k: keras.optimizers.Adagrad(0.05, **k),
    "adam": lambda **k: keras.optimizers.Adam(0.005, **k),
    "adamw": lambda **k: keras.optimizers.AdamW(0.005, **k),
}
RATES = {"sgd": 0.05, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.003, "adagrad": 0.05, "adam": 0.005, "adamw": 0.005}
# name, options of the loss, activation of the output, which targets
LOSSES = [
    ("mean_squared_error", {}, "linear", "values"),
    ("mean_absolute_error", {}, "linear", "values"),
    ("huber", {"delta": 0.5}, "linear", "values"),
    ("log_cosh", {}, "linear", "values"),
    ("binary_crossentropy", {}, "sigmoid", "onehot"),
    ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "linear", "onehot"),
    ("categorical_crossentropy", {}, "softmax", "onehot"),
    ("categorical_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "linear", "onehot"),
    ("sparse_categorical_crossentropy", {}, "softmax", "labels"),
    ("sparse_categorical_crossentropy", {"from_logits": True}, "linear", "labels"),
]
CLASSES = {"mean_squared_error": keras.losses.MeanSquaredError, "mean_absolute_error": keras.losses.MeanAbsoluteError,
           "huber": keras.losses.Huber, "log_cosh": keras.losses.LogCosh, "binary_crossentropy": keras.losses.BinaryCrossentropy,
           "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
           "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy}

MASK = (1 << 64) - 1


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def dropout_mask(seed, layer, step, rows, columns, rate):
    """Dropout's mask as package dense draws it: see node_simple.go."""
    golden = 0x9E3779B97F4A7C15
    key = mix((mix((seed + golden) & MASK) + golden * ((1 << 20) + layer + 1)) & MASK)
    key = mix((key + golden * (step + 1)) & MASK) >> 32
    r, c = np.meshgrid(np.arange(rows, dtype=np.uint64), np.arange(columns, dtype=np.uint64), indexing="ij")
    h = (key + (c // 32) * 0x9E3779B9 + r * 32 + c % 32).astype(np.uint32)
    with np.errstate(over="ignore"):
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x21F0AAAD)
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x735A2D97)
        h ^= h >> np.uint32(15)
    return np.where(h >= np.uint32(rate * 2**32), np.float32(1 / (1 - rate)), np.float32(0))


class Masked(keras.layers.Layer):
    """Dropout with a given mask."""

    def __init__(self, rate, layer):
        super().__init__()
        self.rate, self.layer, self.holder = rate, layer, []

    def call(self, x, training=False):
        return x * self.holder[0][: tf.shape(x)[0]] if training else x


def activation(name):
    if name == "gelu_tanh":
        return lambda x: keras.activations.gelu(x, approximate=True)
    return keras.activations.get(name)


def regularizer(pair):
    return keras.regularizers.L1L2(*pair) if pair else None


def build(layers, shape):
    """The Keras model of a case's layers."""
    model = keras.Sequential([keras.Input(shape)])
    for i, l in enumerate(layers):
        kind = l["class"]
        if kind == "Dense":
            layer = keras.layers.Dense(l["units"], activation(l.get("activation", "linear")), use_bias=not l.get("no_bias"),
                                       kernel_regularizer=regularizer(l.get("kernel")), bias_regularizer=regularizer(l.get("bias")),
                                       activity_regularizer=regularizer(l.get("activity")))
        elif kind == "Activation":
            layer = keras.layers.Activation(activation(l["activation"]))
        elif kind == "BatchNormalization":
            layer = keras.layers.BatchNormalization(momentum=l.get("momentum", 0.99), center=not l.get("no_center"), scale=not l.get("no_scale"))
        elif kind == "LayerNormalization":
            layer = keras.layers.LayerNormalization()
        elif kind == "Dropout":
            layer = Masked(l["rate"], i + 1)
        elif kind == "Flatten":
            layer = keras.layers.Flatten()
        elif kind == "Reshape":
            layer = keras.layers.Reshape(l["shape"])
        elif kind == "Rescaling":
            layer = keras.layers.Rescaling(l["scale"], l["offset"])
        elif kind == "Normalization":
            layer = keras.layers.Normalization()
        layer.trainable = not l.get("frozen")
        model.add(layer)
    return model


def cases():
    def dense(units, act="linear", **k):
        return {"class": "Dense", "units": units, "activation": act, **k}

    def case(name, layers, loss, optimizer="adam", targets="values", shape=(INPUTS,), options=None, settings=None, weighted=False):
        return {"name": name, "input": list(shape), "layers": layers, "loss": {"name": loss, **(options or {})}, "targets": targets,
                "optimizer": {"name": optimizer, "learning_rate": RATES[optimizer], **(settings or {})}, "weighted": weighted}

    for opt in OPTIMIZERS:
        for loss, options, out, targets in LOSSES:
            suffix = "-".join(k for k in options)
            yield case(f"{opt} {loss} {suffix}".strip(), [dense(7, "tanh"), dense(OUTPUTS, out)], loss, opt, targets, options=options)
    mse, cce = "mean_squared_error", "categorical_crossentropy"
    for settings in ({"clipnorm": 0.05}, {"global_clipnorm": 0.05}, {"clipvalue": 0.01}, {"weight_decay": 0.01}):
        yield case(f"sgd {list(settings)[0]}", [dense(7, "tanh"), dense(OUTPUTS)], mse, "sgd", settings=settings)
    yield case("adam amsgrad", [dense(7, "tanh"), dense(OUTPUTS)], mse, "adam", settings={"amsgrad": True})
    yield case("rmsprop centered", [dense(7, "tanh"), dense(OUTPUTS)], mse, "rmsprop", settings={"centered": True, "momentum": 0.5})
    yield case("sample weights", [dense(7, "tanh"), dense(OUTPUTS, "softmax")], cce, "adam", "onehot", weighted=True)
    for a in ACTIVATIONS:
        # gradient descent on many exponentials diverges
        few = a == "exponential"
        yield case(f"activation {a}", [dense(4 if few else 40, a), dense(OUTPUTS)], mse, "adagrad" if few else "sgd")
        yield case(f"output {a}", [dense(5, "tanh"), dense(OUTPUTS, a)], mse, "sgd", "onehot")
    yield case("activation layer", [dense(9), {"class": "Activation", "activation": "elu"}, dense(OUTPUTS)], mse, "sgd")
    for name, layer in {"batch normalization": {"class": "BatchNormalization", "momentum": 0.9},
                        "batch normalization bare": {"class": "BatchNormalization", "no_center": True, "no_scale": True},
                        "batch normalization frozen": {"class": "BatchNormalization", "frozen": True},
                        "layer normalization": {"class": "LayerNormalization"},
                        "dropout": {"class": "Dropout", "rate": 0.3}}.items():
        yield case(name, [dense(37), layer, {"class": "Activation", "activation": "relu"}, dense(OUTPUTS)], mse, "sgd")
        if "drop" not in name:
            yield case(name + " first", [layer, dense(9, "tanh"), dense(OUTPUTS)], mse, "sgd")
    yield case("kernel l2", [dense(9, "tanh", kernel=[0, 0.01]), dense(OUTPUTS)], mse, "sgd")
    yield case("kernel l1 l2", [dense(9, "tanh", kernel=[0.003, 0.01], bias=[0.001, 0.02]), dense(OUTPUTS)], mse, "sgd")
    yield case("activity", [dense(40, "tanh", activity=[0.002, 0.01]), dense(OUTPUTS)], mse, "sgd")
    yield case("activity output", [dense(9, "tanh"), dense(OUTPUTS, "linear", activity=[0, 0.01])], mse, "sgd")
    yield case("no bias", [dense(9, "relu", no_bias=True), dense(OUTPUTS)], mse, "adam")
    yield case("frozen dense", [dense(9, "tanh"), dense(8, "tanh", frozen=True), dense(OUTPUTS)], mse, "adam")
    yield case("rescaling", [{"class": "Rescaling", "scale": 0.3, "offset": -0.1}, dense(9, "tanh"), dense(OUTPUTS)], mse, "sgd")
    yield case("normalization", [{"class": "Normalization"}, dense(9, "tanh"), dense(OUTPUTS)], mse, "sgd")
    yield case("flatten", [{"class": "Flatten"}, dense(9, "tanh"), dense(OUTPUTS)], mse, "sgd", shape=(3, 2))
    yield case("last axis", [dense(5, "tanh"), {"class": "LayerNormalization"}, {"class": "Flatten"}, dense(OUTPUTS)], mse, "sgd", shape=(3, 2))
    yield case("reshape", [dense(12, "tanh"), {"class": "Reshape", "shape": [3, 4]}, dense(5, "softmax"), {"class": "BatchNormalization"},
                           {"class": "Flatten"}, dense(OUTPUTS)], mse, "sgd")
    yield case("deep", [dense(40, "relu"), dense(70, "relu"), dense(33, "tanh"), dense(OUTPUTS, "softmax")], cce, "sgd", "onehot")


def wide_cases():
    def case(name, units, optimizer, settings=None, **kernel):
        layers = [{"class": "Dense", "units": units, "activation": "relu", **kernel}, {"class": "Dense", "units": OUTPUTS, "activation": "softmax"}]
        return {"name": f"wide {name}", "input": [INPUTS], "layers": layers, "loss": {"name": "sparse_categorical_crossentropy"},
                "targets": "labels", "optimizer": {"name": optimizer, "learning_rate": RATES[optimizer], **(settings or {})}, "weighted": True}

    yield case("sgd", 70, "sgd")
    yield case("adam", 128, "adam")
    yield case("momentum, global norm", 70, "momentum", {"global_clipnorm": 0.05})
    yield case("rmsprop, l2", 40, "rmsprop", kernel=[0, 0.01])


def record(case, data, seed):
    """One case's vector."""
    keras.utils.set_random_seed(seed)
    model = build(case["layers"], case["input"])
    r = np.random.default_rng(seed)
    start = []
    for i, w in enumerate(model.weights):
        v = r.normal(0, 0.4 * (6 / INPUTS) ** 0.5, w.shape)
        if "variance" in w.path or "gamma" in w.path:
            v = np.abs(v) + 0.5
        start.append(v.astype(w.dtype))
    model.set_weights(start)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # set_weights alone does not
    o, l = dict(case["optimizer"]), dict(case["loss"])
    o.pop("learning_rate")
    optimizer = OPTIMIZERS[o.pop("name")](**o)
    model.compile(optimizer, CLASSES[l.pop("name")](**l))
    x = data["x"].reshape((SAMPLES, *case["input"]))
    y, weights = data[case["targets"]], data["weights"] if case["weighted"] else None
    masked = [layer for layer in model.layers if isinstance(layer, Masked)]
    width = next((model.layers[i].output.shape[-1] for i, l in enumerate(model.layers) if isinstance(l, Masked)), 0)
    for layer in masked:
        layer.holder.append(tf.Variable(tf.zeros([BATCH, width]), trainable=False))

    optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def train(x, y, w):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), w)
        g = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(g, model.trainable_variables)
        return loss, g

    forward = model(x, training=False).numpy()
    first, losses = None, []
    for step in range(STEPS):
        at = step % ((SAMPLES + BATCH - 1) // BATCH) * BATCH
        part = slice(at, min(SAMPLES, at + BATCH))
        for layer in masked:
            layer.holder[0].assign(dropout_mask(7, layer.layer, step, BATCH, width, layer.rate))
        loss, g = train(x[part], y[part], None if weights is None else weights[part])
        if first is None:
            first = [v.numpy() for v in g]
        losses.append(loss.numpy())
    parts = [*start, forward, *first, np.array(losses), *model.get_weights()]
    case["weights"] = [list(w.shape) for w in model.weights]
    case["trainable"] = [bool(w.trainable) for w in model.weights]
    return np.concatenate([np.asarray(p, np.float32).ravel() for p in parts])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "testdata", "dense"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="only every Nth case, which ones depends on the seed")
    parser.add_argument("--wide", type=float, metavar="SHARE", help="networks of many inputs, of which this share is not 0")
    args = parser.parse_args()
    if args.wide:
        global STEPS, SAMPLES, BATCH, INPUTS
        STEPS, SAMPLES, BATCH, INPUTS = 40, 170, 100, 300
    r = np.random.default_rng(args.seed)
    x = r.normal(size=(SAMPLES, INPUTS)).astype(np.float32)
    if args.wide:
        x[r.random(x.shape) >= args.wide] = 0
    labels = r.integers(0, OUTPUTS, SAMPLES).astype(np.int32)
    data = {"x": x, "labels": labels, "onehot": np.eye(OUTPUTS, dtype=np.float32)[labels],
            "values": (np.tanh(x @ r.normal(size=(INPUTS, OUTPUTS))) + 0.1 * r.normal(size=(SAMPLES, OUTPUTS))).astype(np.float32),
            "weights": r.uniform(0.2, 2, SAMPLES).astype(np.float32)}
    described, arrays = [], dict(data)
    chosen = [c for c in (wide_cases() if args.wide else cases()) if args.only in c["name"]][args.seed % args.every::args.every]
    for i, case in enumerate(chosen):
        arrays[f"case{i}"] = record(case, data, args.seed * 1000 + i)
        described.append(case)
        print(f"{i:3} {case['name']}", flush=True)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "cases.json"), "w") as f:
        json.dump({"keras": keras.__version__, "tensorflow": tf.__version__, "steps": STEPS, "batch": BATCH,
                   "cases": described}, f, indent=None, separators=(",", ":"))
        f.write("\n")
    np.savez_compressed(os.path.join(args.out, "cases.npz"), **arrays)


if __name__ == "__main__":
    main()
