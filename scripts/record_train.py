"""Records what Keras and scikit-learn compute for package train: losses and their gradients, optimizer steps, learning-rate
schedules, ReduceLROnPlateau and EarlyStopping decisions, metrics.

    python3 scripts/record_train.py [FILE]        # default: scripts/testdata/train/keras.json

Inputs are drawn here and stand in the file beside the results, so that the Go tests need no generator.
"""
import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import sklearn.metrics
import tensorflow as tf

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "testdata/train/keras.json")
rng = np.random.default_rng(7)


def floats(a):
    """Values with nine digits: enough to give every float32 back."""
    return [float(f"{v:.9g}") for v in np.asarray(a).ravel().tolist()]


def loss_cases():
    made = {
        "mean_squared_error": (keras.losses.MeanSquaredError, [{}]),
        "mean_absolute_error": (keras.losses.MeanAbsoluteError, [{}]),
        "huber": (keras.losses.Huber, [{}, {"delta": 0.3}]),
        "log_cosh": (keras.losses.LogCosh, [{}]),
        "binary_crossentropy": (keras.losses.BinaryCrossentropy,
                                [{"from_logits": f, "label_smoothing": s} for f in (False, True) for s in (0.0, 0.2)]),
        "categorical_crossentropy": (keras.losses.CategoricalCrossentropy,
                                     [{"from_logits": f, "label_smoothing": s} for f in (False, True) for s in (0.0, 0.1)]),
        "sparse_categorical_crossentropy": (keras.losses.SparseCategoricalCrossentropy, [{"from_logits": f} for f in (False, True)]),
    }
    n, width, cases = 6, 5, []
    for name, (cls, options) in made.items():
        for option in options:
            for weighted in (False, True):
                p = rng.normal(0, 2, (n, width)).astype("float32")
                if "crossentropy" in name and not option.get("from_logits"):
                    p = rng.uniform(0.02, 0.98, (n, width)).astype("float32")
                    if "categorical" in name:
                        p /= p.sum(-1, keepdims=True)
                    p[0, :2] = [0, 1]  # clipped
                if name.startswith("sparse"):
                    y = rng.integers(0, width, n).astype("float32")
                elif name.startswith("categorical"):
                    y = np.eye(width, dtype="float32")[rng.integers(0, width, n)]
                elif name.startswith("binary"):
                    y = rng.integers(0, 2, (n, width)).astype("float32")
                else:
                    y = rng.normal(0, 2, (n, width)).astype("float32")
                w = rng.uniform(0.2, 2, n).astype("float32") if weighted else None
                with tf.GradientTape() as tape:
                    pred = tf.Variable(p)
                    value = cls(**option)(y, pred, sample_weight=w)
                cases.append({"name": name, **option, "width": width, "y": floats(y), "p": floats(p),
                              "weights": floats(w) if weighted else None, "value": float(value),
                              "gradient": floats(tape.gradient(value, pred))})
    return cases


def optimizer_cases():
    o = keras.optimizers
    made = [("sgd", o.SGD, {}), ("sgd", o.SGD, {"momentum": 0.9}), ("sgd", o.SGD, {"momentum": 0.9, "nesterov": True}),
            ("sgd", o.SGD, {"weight_decay": 0.01, "momentum": 0.9}),
            ("rmsprop", o.RMSprop, {}), ("rmsprop", o.RMSprop, {"momentum": 0.9}), ("rmsprop", o.RMSprop, {"centered": True}),
            ("rmsprop", o.RMSprop, {"centered": True, "momentum": 0.5}),
            ("adagrad", o.Adagrad, {}), ("adam", o.Adam, {}), ("adam", o.Adam, {"amsgrad": True}), ("adamw", o.AdamW, {}),
            ("adam", o.Adam, {"clipnorm": 0.5}), ("adam", o.Adam, {"clipvalue": 0.1}), ("sgd", o.SGD, {"global_clipnorm": 0.5}),
            ("adamw", o.AdamW, {"learning_rate": "cosine", "amsgrad": True})]
    cases = []
    for name, cls, option in made:
        option = dict(option)
        built = dict(option)
        if option.get("learning_rate") == "cosine":
            built["learning_rate"] = o.schedules.CosineDecay(0.001, 20, alpha=0.1, warmup_target=0.01, warmup_steps=5)
        start = [rng.normal(0, 1, (3, 2)).astype("float32"), rng.normal(0, 1, 2).astype("float32")]
        variables = [keras.Variable(v, name=n) for v, n in zip(start, ("kernel", "bias"))]
        optimizer, gradients = cls(**built), []
        for step in range(25):
            g = [rng.normal(0, 0.5, v.shape).astype("float32") for v in start]
            gradients.append([floats(v) for v in g])
            optimizer.apply([tf.constant(v) for v in g], variables)
        state = [v for v in optimizer.variables if v.name not in ("iteration", "learning_rate")]
        cases.append({"name": name, "options": option, "learning_rate": None if "learning_rate" in option else float(optimizer.learning_rate),
                      "start": [floats(v) for v in start], "gradients": gradients,
                      "end": [floats(v) for v in variables], "slot_names": [v.name for v in state], "slots": [floats(v) for v in state]})
    return cases


def schedule_cases():
    s = keras.optimizers.schedules
    steps = [0, 1, 2, 5, 9, 10, 11, 20, 25, 40, 100]
    made = {
        "exponential": s.ExponentialDecay(0.1, 10, 0.5), "exponential staircase": s.ExponentialDecay(0.1, 10, 0.5, staircase=True),
        "inverse time": s.InverseTimeDecay(0.1, 10, 0.5), "inverse time staircase": s.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
        "piecewise": s.PiecewiseConstantDecay([10, 20], [0.1, 0.05, 0.01]),
        "cosine": s.CosineDecay(0.1, 20, alpha=0.1), "cosine warm-up": s.CosineDecay(0.0, 20, alpha=0.1, warmup_target=0.1, warmup_steps=10),
    }
    return {"steps": steps, "rates": {n: [float(f(tf.constant(i, tf.float32 if n == "x" else tf.int64))) for i in steps] for n, f in made.items()}}


class Losses(keras.callbacks.Callback):
    """Replaces the validation loss by a given one, before the callbacks that follow see it."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


def callback_cases():
    curves = [[1.0, 0.9, 0.8, 0.85, 0.83, 0.84, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.77, 0.78],
              [1.0] * 15, [1 / (i + 1) for i in range(15)], [0.5, 0.50001, 0.49995, 0.4999, 0.49985, 0.4998] + [0.4] * 9]
    settings = [{"patience": 2}, {"patience": 3, "min_delta": 0.05}, {"patience": 0}, {"patience": 2, "start_from_epoch": 5}]
    plateaus = [{"patience": 2, "factor": 0.5}, {"patience": 1, "factor": 0.1, "cooldown": 3, "min_lr": 1e-4}]
    x, y = np.ones((4, 1), "float32"), np.ones((4, 1), "float32")
    early, plateau = [], []
    for curve in curves:
        for option in settings:
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            stop = keras.callbacks.EarlyStopping(restore_best_weights=True, **option)
            h = model.fit(x, y, epochs=len(curve), verbose=0, callbacks=[Losses(curve), stop])
            early.append({"curve": curve, **option, "epochs": len(h.history["loss"]), "best_epoch": stop.best_epoch + 1})
        for option in plateaus:
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(0.01), "mse")
            h = model.fit(x, y, epochs=len(curve), verbose=0,
                          callbacks=[Losses(curve), keras.callbacks.ReduceLROnPlateau(**option)])
            plateau.append({"curve": curve, **option, "rates": floats(h.history["learning_rate"]), "final": float(model.optimizer.learning_rate)})
    return {"early_stopping": early, "reduce_lr_on_plateau": plateau}


def metric_cases():
    m, n, k = keras.metrics, 200, 4
    labels = rng.integers(0, k, n)
    onehot = np.eye(k, dtype="float32")[labels]
    probabilities = rng.dirichlet(np.ones(k), n).astype("float32") * 0.7 + onehot * 0.3
    probabilities[:5] = 0.25  # ties
    truth = rng.integers(0, 2, n).astype("float32")
    score = np.clip(truth * 0.3 + rng.uniform(0, 0.8, n), 0, 1).astype("float32")
    score[:4] = [0, 1, 0.5, 0]
    weights = rng.uniform(0.2, 2, n).astype("float32")
    real, fitted = rng.normal(0, 1, (n, 2)).astype("float32"), rng.normal(0, 1, (n, 2)).astype("float32")

    def keras_value(metric, y, p, weighted):
        metric.update_state(y, p, sample_weight=weights if weighted else None)
        return float(metric.result())

    results = {}
    for weighted in (False, True):
        results["weighted" if weighted else "plain"] = {
            "sparse_categorical_accuracy": keras_value(m.SparseCategoricalAccuracy(), labels, probabilities, weighted),
            "categorical_accuracy": keras_value(m.CategoricalAccuracy(), onehot, probabilities, weighted),
            "top_2": keras_value(m.SparseTopKCategoricalAccuracy(k=2), labels, probabilities, weighted),
            "binary_accuracy": keras_value(m.BinaryAccuracy(), truth[:, None], score[:, None], weighted),
            "precision": keras_value(m.Precision(), truth, score, weighted), "recall": keras_value(m.Recall(), truth, score, weighted),
            "f1": None if weighted else float(np.ravel(keras_f1(truth, score))[0]),
            "auc": keras_value(m.AUC(), truth, score, weighted), "pr_auc": keras_value(m.AUC(curve="PR"), truth, score, weighted),
            "mse": keras_value(m.MeanSquaredError(), real, fitted, weighted), "mae": keras_value(m.MeanAbsoluteError(), real, fitted, weighted),
        }
    predicted = probabilities.argmax(-1)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(labels, predicted, zero_division=0)
    scikit = {"confusion": sklearn.metrics.confusion_matrix(labels, predicted).tolist(), "precision": precision.tolist(),
              "recall": recall.tolist(), "f1": f1.tolist(), "support": support.tolist(), "accuracy": float((labels == predicted).mean()),
              "macro": [float(v) for v in sklearn.metrics.precision_recall_fscore_support(labels, predicted, average="macro")[:3]],
              "balanced": floats(sklearn.utils.class_weight.compute_sample_weight("balanced", labels)),
              "auc": float(sklearn.metrics.roc_auc_score(truth, score))}
    return {"labels": labels.tolist(), "classes": k, "probabilities": floats(probabilities), "truth": floats(truth), "score": floats(score),
            "weights": floats(weights), "real": floats(real), "fitted": floats(fitted), "keras": results, "scikit": scikit}


def keras_f1(truth, score):
    metric = keras.metrics.F1Score(average="micro", threshold=0.5)
    metric.update_state(truth[:, None], score[:, None])
    return metric.result()


import sklearn.utils.class_weight  # noqa: E402

OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps({
    "keras": keras.__version__, "tensorflow": tf.__version__, "scikit-learn": sklearn.__version__,
    "losses": loss_cases(), "optimizers": optimizer_cases(), "schedules": schedule_cases(), "callbacks": callback_cases(),
    "metrics": metric_cases()}, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size, "bytes")
