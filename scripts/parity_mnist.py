"""MNIST there and back: Go trains and saves, both Kerases load, are as accurate, go on training and save, and Go is as accurate again.

    python3 scripts/parity_mnist.py
"""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras_cases  # sets the environment
import keras
import numpy as np
import tf_keras

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "cambium/mnist"  # where Go puts it


def idx(name, header):
    return np.frombuffer(gzip.open(DATA / f"{name}.gz").read()[header:], np.uint8)


def go(directory):
    done = subprocess.run(["go", "test", "-count=1", "-run", "TestMNISTInPython", "."], cwd=ROOT, env=dict(os.environ, CAMBIUM_PARITY_MNIST=str(directory)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-1000:])


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        go(tmp)
        accuracy = json.loads((tmp / "go.json").read_text())["go"]
        print(f"trained in Go: {accuracy:.4f}")
        x, y = idx("t10k-images-idx3-ubyte", 16).reshape(-1, 28, 28).astype(np.float32), idx("t10k-labels-idx1-ubyte", 8)
        tx, ty = idx("train-images-idx3-ubyte", 16).reshape(-1, 28, 28)[:10000].astype(np.float32), idx("train-labels-idx1-ubyte", 8)[:10000]
        share = lambda m: float(np.mean(np.argmax(m.predict(x, verbose=0, batch_size=1000), -1) == y))
        back = {}
        for K in (keras, tf_keras):
            for ext in ("h5", "keras"):
                model = K.models.load_model(tmp / f"my_mnist.{ext}")
                got = share(model)
                failed += abs(got - accuracy) > 1e-4
                print(f"my_mnist.{ext} in {K.__name__}: {got:.4f}")
                if (K is keras) == (ext == "h5"):
                    model.compile("adam", "sparse_categorical_crossentropy")  # see parity_write.py
                model.fit(tx, ty, batch_size=64, epochs=1, verbose=0)
                for end in ("h5", "keras"):
                    name = f"{K.__name__}_from_{ext}.{end}"
                    model.save(tmp / name)
                    back[name] = share(model)
        (tmp / "python.json").write_text(json.dumps(back))
        go(tmp)
        print("trained on in Python, the same in Go on both engines: " + ", ".join(f"{k} {v:.4f}" for k, v in back.items()))
    sys.exit(bool(failed))


main()
