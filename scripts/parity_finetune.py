"""Checks what finetune trains and exports against Python.

    python3 scripts/parity_finetune.py             # `make parity` runs it, with bin/finetune and bin/infer built

- Regression: on scikit-learn's diabetes table, R2 on held-out rows, mean of five seeds, is at the level of scikit-learn's
  MLPRegressor of the same shape.
- Export: the SavedModels of a classification, a binary and a regression give the same numbers in TensorFlow (tf.saved_model.load,
  the v1 loader, keras.layers.TFSMLayer) as infer run gives.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = pathlib.Path(__file__).parent.parent
problems = []


def finetune(data, out, *flags):
    command = [ROOT / "bin/finetune", "--data", data, "--out", out, "--json", *flags]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {run.stderr}")
    return json.loads(run.stdout)


def table(path, x, y):
    lines = [",".join([*(f"x{i}" for i in range(x.shape[1])), "y"])]
    lines += [",".join([*(repr(float(v)) for v in row), str(t)]) for row, t in zip(x, y)]
    path.write_text("\n".join(lines) + "\n")
    return path


def infer(model, x, folder):
    np.save(folder / "x.npy", x.astype("float32"))
    subprocess.run([ROOT / "bin/infer", "run", model, "--input", folder / "x.npy", "--output", folder / "y.npz"], check=True,
                   capture_output=True)
    return dict(np.load(folder / "y.npz"))


def same(what, expected, got):
    for name, want in expected.items():
        have = np.asarray(got[name])
        if want.dtype.kind == "f":
            worst = float(np.max(np.abs(have - want) / np.maximum(1, np.abs(want))))
            if not worst <= 1e-5:
                problems.append(f"{what}: {name} differs by {worst:.2g}")
        elif [v if isinstance(v, bytes) else v.encode() for v in have.tolist()] != want.tolist():
            problems.append(f"{what}: {name} differs")


def exported(name, folder, data, x, *flags):
    out = folder / name
    finetune(data, out, "--epochs", "20", "--batch", "16", "--hidden", "16", "--learning-rate", "0.01", *flags)
    model = out / "saved_model"
    expected = infer(model, x, folder)
    inputs = tf.constant(x.astype("float32"))
    loaded = tf.saved_model.load(str(model))
    same(f"{name}, tf.saved_model.load", expected, loaded.signatures["serving_default"](inputs))
    layer = keras.layers.TFSMLayer(str(model), call_endpoint="serving_default")
    same(f"{name}, TFSMLayer", expected, layer(inputs))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(model))
        signature = meta.signature_def["serving_default"]
        got = session.run({k: v.name for k, v in signature.outputs.items()}, {signature.inputs["inputs"].name: x.astype("float32")})
        same(f"{name}, v1 loader", expected, got)
    if (out / "model.keras").exists():
        key = "prediction" if "prediction" in expected else "probabilities"
        got = keras.models.load_model(out / "model.keras").predict(x.astype("float32"), verbose=0)
        if got.shape[1] == 1 and key == "probabilities":
            got = np.concatenate([1 - got, got], 1)
        same(f"{name}, model.keras", {key: expected[key]}, {key: got})


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    diabetes, iris = load_diabetes(scaled=False), load_iris()
    names = np.array(iris.target_names)[iris.target]
    numbers = table(folder / "diabetes.csv", diabetes.data, diabetes.target)
    exported("regression", folder, numbers, diabetes.data[:50])
    exported("classes", folder, table(folder / "iris.csv", iris.data, names), iris.data)
    two = iris.target < 2
    exported("binary", folder, table(folder / "two.csv", iris.data[two], names[two]), iris.data[two], "--loss", "binary_crossentropy")

    ours, theirs = [], []
    for seed in range(1, 6):
        report = finetune(numbers, folder / f"seed{seed}", "--hidden", "32", "--epochs", "200", "--batch", "32", "--patience", "20",
                          "--l2", "0.01", "--validation-split", "0.25", "--seed", str(seed))
        ours.append(report["validation"]["r2"])
        x, test, y, truth = train_test_split(diabetes.data, diabetes.target, test_size=0.25, random_state=seed)
        best = max(make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(32,), alpha=alpha, max_iter=2000, learning_rate_init=rate, random_state=seed))
                   .fit(x, y).score(test, truth) for alpha in (0.01, 1.0) for rate in (0.001, 0.01))
        theirs.append(best)
    print(f"diabetes, R2 of five seeds: finetune {np.mean(ours):.3f}, MLPRegressor (the best of four settings each) {np.mean(theirs):.3f}")
    if np.mean(ours) < np.mean(theirs) - 0.05:
        problems.append("the regression is worse than scikit-learn's")

if problems:
    sys.exit("\n".join(problems))
print("TensorFlow and Keras give what infer run gives")
