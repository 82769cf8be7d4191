"""Compares Go with Keras on keras.applications: random weights, the smallest image that each takes, saved as .keras, run from Go.

    python3 scripts/parity_applications.py            # every third, as the CI does
    python3 scripts/parity_applications.py --all      # all of them (make parity-all)
    python3 scripts/parity_applications.py NAME…
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import keras_cases
import keras
import numpy as np

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}


def names():
    """The constructors that keras.applications exports."""
    return sorted(n for n in dir(keras.applications) if n[0].isupper() and callable(getattr(keras.applications, n)))


def case(name):
    size = SIZES.get(name, 32)
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None)  # softmax would hide differences
    rng = np.random.default_rng(2)
    for w in model.weights:  # statistics and scales that show in the result
        shape = tuple(w.shape)
        if "gamma" in w.path or "moving_variance" in w.path:
            w.assign(rng.uniform(0.8, 1.2, shape).astype(np.float32))
        elif "beta" in w.path or "moving_mean" in w.path or "bias" in w.path:
            w.assign(rng.normal(0, 0.1, shape).astype(np.float32))
    return model, [rng.uniform(0, 255, (2, size, size, 3)).astype(np.float32)]


def rounding(model, x):
    """How far Keras is from itself when it computes one image at a time, op by op: the rounding that depth amplifies."""
    whole = model.predict(x, verbose=0)
    single = np.concatenate([np.asarray(model(row[None], training=False)) for row in x[0]])
    return float(np.max(np.abs(whole - single) / np.maximum(np.maximum(np.abs(whole), np.abs(whole).mean()), 1e-3)))


def equal(name, test):
    """Whether the compiled test of Go's package keras finds the application equal."""
    with tempfile.TemporaryDirectory() as tmp:
        model, x = case(name)
        own = rounding(model, x)
        keras_cases.save(lambda: (model, x), name, tmp, formats=["keras"])
        del model
        keras.backend.clear_session()
        env = dict(os.environ, CAMBIUM_PARITY=tmp, CAMBIUM_PARITY_ROUNDING=f"{own:.3g}")
        done = subprocess.run([test, "-test.run", "TestParity$"], cwd=ROOT / "keras", env=env, capture_output=True, text=True)
        ok = done.returncode == 0
        print(f"{name}: {'equal' if ok else 'DIFFERENT'} (Keras differs from itself by {own:.1e})", flush=True)
        if not ok:
            print(done.stdout[-3000:], file=sys.stderr)
        return ok


def main():
    p = argparse.ArgumentParser()
    p.add_argument("names", nargs="*")
    p.add_argument("--all", action="store_true")
    args = p.parse_args()
    chosen = args.names or (names() if args.all or os.environ.get("PARITY") == "all" else names()[::3])
    failed = 0
    with tempfile.TemporaryDirectory() as build:
        test = pathlib.Path(build, "keras.test")
        subprocess.run(["go", "test", "-c", "-o", test, "./keras"], cwd=ROOT, check=True)
        for name in chosen:  # one at a time: some files have 800 MB
            failed += not equal(name, test)
    print(f"{len(chosen)} applications of Keras {keras.__version__}, {failed} differ")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
