"""Times what one waits for with Keras files, whole processes in turns, files in the page cache, best of five rounds:

    python3 scripts/bench_keras.py

- infer run my_mnist.h5 digit.png --engine native, beside Python: load_model, load_img, predict
- a .h5 of 100 MB: keras.Load beside h5py, time and largest resident memory over the size of the file
- ResNet50 as .keras to its first prediction on TensorFlow, infer run beside Python's load_model and predict
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import keras_cases  # sets the environment
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MNIST = ROOT / "scripts/testdata/mnist"
PREDICT = """import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
import keras, numpy as np
model = keras.models.load_model(sys.argv[1], compile=False)
x = np.load(sys.argv[2]) if sys.argv[2].endswith(".npy") else np.asarray(keras.utils.load_img(sys.argv[2], color_mode="grayscale", target_size=(28, 28)), np.float32).reshape(1, -1) / 255
print(np.argmax(model.predict(x, verbose=0)))"""
H5PY = "import sys, h5py\nw = []\nwith h5py.File(sys.argv[1]) as f: f.visititems(lambda _, o: w.append(o[()]) if isinstance(o, h5py.Dataset) else None)"


LOAD = """package main

import (
	"fmt"
	"os"

	"github.com/cambium-go/cambium/keras"
)

func main() {
	if _, err := keras.Load(os.Args[1]); err != nil {
		panic(err)
	}
	status, err := os.ReadFile("/proc/self/status") // VmHWM is the largest resident memory
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s", status)
}
"""


def run(*command):
    """Runs a process; returns its time in ms."""
    start = time.perf_counter()
    done = subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = 1000 * (time.perf_counter() - start)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr.decode()[-500:]}")
    return took


def race(rounds, **commands):
    """The best time of each."""
    best = {}
    for _ in range(rounds):
        for name, command in commands.items():
            best[name] = min(best.get(name, 1e9), run(*command))
    return best


def main():
    python = lambda program, *args: (sys.executable, "-c", program, *args)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        digit = next((MNIST / "digits").glob("*.png"))
        r = race(5, go=(ROOT / "bin/infer", "run", MNIST / "mlp/my_mnist.h5", digit, "--engine", "native"))
        p = race(2, python=python(PREDICT, MNIST / "mlp/my_mnist.h5", digit))
        print(f"infer run my_mnist.h5 digit.png --engine native: {r['go']:.1f} ms, Python {p['python']:.0f} ms")

        import keras
        wide = keras.Sequential([keras.Input((2048,))] + [keras.layers.Dense(2048) for _ in range(6)])
        wide.save(tmp / "wide.h5")
        size = os.path.getsize(tmp / "wide.h5") / 1e6
        load = tmp / "load"
        (tmp / "main.go").write_text(LOAD)
        subprocess.run(["go", "build", "-o", load, tmp / "main.go"], cwd=ROOT, check=True, env=dict(os.environ, CGO_ENABLED="0"))
        empty = race(5, python=python("import h5py"))
        r = race(5, go=(load, tmp / "wide.h5"), python=python(H5PY, tmp / "wide.h5"))
        h5 = r["python"] - empty["python"]
        memory = max(int(re.search(r"VmHWM:\s+(\d+) kB", subprocess.run([load, tmp / "wide.h5"], capture_output=True, text=True).stdout)[1]) * 1024 / 1e6 for _ in range(3))
        print(f"a .h5 of {size:.0f} MB: keras.Load, whole process, {r['go']:.0f} ms; h5py without its start {h5:.0f} ms: {r['go'] / h5:.2f} times; {memory:.0f} MB resident at most, {memory - size:.0f} MB over the file's size")

        keras.applications.ResNet50(weights=None).save(tmp / "resnet50.keras")
        np.save(tmp / "x.npy", np.random.default_rng(1).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32))
        r = race(3, go=(ROOT / "bin/infer-tensorflow", "run", tmp / "resnet50.keras", "--engine", "tensorflow", "--input", tmp / "x.npy"), python=python(PREDICT, tmp / "resnet50.keras", tmp / "x.npy"))
        print(f"ResNet50 .keras to its first prediction: infer run {r['go']:.0f} ms, Python {r['python']:.0f} ms: {r['go'] / r['python']:.2f} times")


main()
