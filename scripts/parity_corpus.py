"""Compares Go with Python on model files that other projects published: every .h5 and .keras below CAMBIUM_CORPUS and CAMBIUM_DATA.

    CAMBIUM_CORPUS=DIR CAMBIUM_DATA=DIR python3 scripts/parity_corpus.py

A file is opened with the Keras of its age (tf_keras for Keras 1 and 2, whose hard_sigmoid is another than Keras 3's) or, where that
refuses it, with the other one; Go must then give the same outputs for random inputs. Files that neither opens are listed: data,
weights without an architecture, Python code, and models of Keras 1. TestCorpus of package keras runs those models, too, and one of
each backend of Keras 1 is compared here with a model that tf_keras is given the weights of, turned into what they mean today:
four arrays for each gate of an LSTM, and kernels that Theano applies mirrored. Both load kernels that were trained on Theano without flipping them, which gives other results than
the training had: for the comparison, Go does the same (keras.WithBackend).
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import keras_cases  # sets the environment
import h5py
import keras
import numpy as np
import tf_keras

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def opened(path):
    libraries = [keras, tf_keras]
    if path.endswith(".h5"):
        with h5py.File(path) as f:
            version = f.attrs.get("keras_version", f.get("model_weights", f).attrs.get("keras_version", "2"))
        version = version.decode() if isinstance(version, bytes) else version
        if version < "3":
            libraries.reverse()
    for library in libraries:
        try:
            return library, library.models.load_model(path, compile=False)
        except Exception:
            continue
    return None, None


def rebuilt_lstm(path):
    """A bidirectional LSTM of Keras 1 on TensorFlow: each direction has W, U and b of the gates i, c, f and o."""
    with h5py.File(path) as f:
        g = f["model_weights/bidirectional_1"]
        arrays = [g[n][()] for n in g.attrs["weight_names"]]
    K = tf_keras
    model = K.Sequential([K.Input((4, 10)), K.layers.Bidirectional(K.layers.LSTM(10, return_sequences=True, recurrent_activation="hard_sigmoid"))])
    order = (0, 2, 1, 3)  # i, f, c, o
    model.set_weights([np.concatenate([arrays[12 * direction + 3 * gate + part] for gate in order], -1) for direction in (0, 1) for part in (0, 1, 2)])
    return model


def rebuilt_convolution(path):
    """A convolution of Keras 1 on Theano, which mirrors kernels."""
    with h5py.File(path) as f:
        g = f["model_weights/convolution2d_1"]
        kernel, bias = [g[n][()] for n in g.attrs["weight_names"]]
    model = tf_keras.Sequential([tf_keras.Input((5, 5, 5)), tf_keras.layers.Conv2D(6, 3)])
    model.set_weights([kernel[::-1, ::-1], bias])
    return model


REBUILT = {"dl4j/weights/bidirectional_lstm_tensorflow_1.h5": rebuilt_lstm, "dl4j/weights/conv2d_theano_1.h5": rebuilt_convolution}


def main():
    roots = [pathlib.Path(os.environ[v]) for v in ("CAMBIUM_CORPUS", "CAMBIUM_DATA") if os.environ.get(v)]
    if not roots:
        sys.exit("CAMBIUM_CORPUS and CAMBIUM_DATA are not set")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as tmp:
        made, refused = 0, []
        for root in roots:
            for path in sorted(p for p in root.rglob("*") if p.suffix in (".h5", ".keras")):
                library, model = opened(str(path))
                name = str(path.relative_to(root)).replace("/", "_")
                if model is None:
                    refused.append(name)
                    continue
                x = []
                for t in model.inputs:
                    shape = [d or n for d, n in zip(t.shape, (3, 12, 12, 3, 3))]
                    dtype = t.dtype if isinstance(t.dtype, str) else t.dtype.name
                    if dtype == "string":
                        v = np.array([["the quick brown fox"], ["a b c"], ["dog, dog!"]], dtype=object)
                    elif any(type(l).__name__ == "Embedding" for l in model.layers):
                        v = rng.integers(0, 2, shape).astype(np.float32)
                    else:
                        v = rng.uniform(0, 1, shape).astype(np.float32)
                    x.append(v)
                keras_cases.record(model, x, os.path.join(tmp, pathlib.Path(name).stem + path.suffix[1:] + ".npz"))
                os.symlink(path, os.path.join(tmp, pathlib.Path(name).stem + path.suffix[1:] + path.suffix))
                made += 1
            for name, rebuild in REBUILT.items():
                if (root / name).exists():
                    model = rebuild(root / name)
                    target = os.path.join(tmp, "rebuilt_" + pathlib.Path(name).stem)
                    keras_cases.record(model, [rng.normal(0, 1, [3] + model.inputs[0].shape[1:]).astype(np.float32)], target + ".npz")
                    os.symlink(root / name, target + ".h5")
                    print(f"{name}: compared with a model that was rebuilt")
        print(f"{made} files opened by Python; by neither Keras: {', '.join(refused)}")
        sys.exit(subprocess.run(["go", "test", "-count=1", "-run", "TestParity$", "./keras"], cwd=ROOT, env=dict(os.environ, CAMBIUM_PARITY=tmp)).returncode)


main()
