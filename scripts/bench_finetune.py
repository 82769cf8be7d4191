"""Times `finetune --base` beside a Keras script that does the same, on photographs of flowers, each as a whole process, in turns:

    python3 scripts/bench_finetune.py [--rounds 3] [--base FILE] [--data FOLDER]     # default: the base and the data of $CAMBIUM_DATA

The Keras script reads the folder with image_dataset_from_directory, sends it through base.predict, trains a Dense head on the features
with fit, as many epochs as finetune took, and exports base and head with model.export. Printed are the best of the rounds, and Keras's time over ours:

    features      images a second, from files to features: the first pass of each program, and Keras's second, when its graph is traced
    head          an epoch of training on the features, of a fit that has run one epoch before
    whole         from the start of the process to the exported model, nothing cached
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPLIT, BATCH = 0.25, 32


def keras_script(base, data, out, epochs):
    began = time.perf_counter()
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.models.load_model(base, compile=False)
    images = keras.utils.image_dataset_from_directory(data, image_size=model.input_shape[1:3], batch_size=BATCH, shuffle=False, verbose=False)
    classes = images.class_names
    labels = np.array([classes.index(pathlib.Path(f).parent.name) for f in images.file_paths])
    prepared = images.map(lambda x, y: x / 127.5 - 1).prefetch(2)
    seconds, start = {}, time.perf_counter()
    features = model.predict(prepared, verbose=0)
    seconds["features"] = time.perf_counter() - start
    held = np.zeros(len(labels), bool)
    for c in range(len(classes)):
        of = np.random.default_rng(1).permutation(np.flatnonzero(labels == c))
        held[of[:round(SPLIT * len(of))]] = True
    head = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dense(len(classes), "softmax", kernel_regularizer=keras.regularizers.L2(1e-3))])
    head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    fit = lambda epochs: head.fit(features[~held], labels[~held], BATCH, epochs, validation_data=(features[held], labels[held]), verbose=0)
    fit(1)
    start = time.perf_counter()
    fit(epochs - 1)
    seconds["epoch"] = (time.perf_counter() - start) / (epochs - 1)
    keras.Sequential([model, head]).export(out, verbose=False)
    seconds["whole"] = time.perf_counter() - began
    start = time.perf_counter()
    model.predict(prepared, verbose=0)
    seconds["features again"] = time.perf_counter() - start
    accuracy = head.evaluate(features[held], labels[held], verbose=0)[1]
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, "images": len(labels)}))


def run(*command, **environment):
    """Returns a command's JSON and how long the process took."""
    start = time.perf_counter()
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1]), time.perf_counter() - start


def main():
    p = argparse.ArgumentParser()
    given = os.environ.get("CAMBIUM_DATA", "")
    p.add_argument("--base", default=given and f"{given}/base/mobilenet_v1_features.keras")
    p.add_argument("--data", default=given and f"{given}/flowers200")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--keras", nargs=2, metavar=("OUT", "EPOCHS"), help=argparse.SUPPRESS)  # be the Keras script
    args = p.parse_args()
    if not args.base:
        print("skipped: it needs --base and --data, or CAMBIUM_DATA")
        return
    if args.keras:
        keras_script(args.base, args.data, args.keras[0], int(args.keras[1]))
        return
    best = {}
    keep = lambda name, value: best.update({name: min(best.get(name, value), value)})
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as out:
            ours, whole = run(ROOT / "bin/finetune-tensorflow", "--base", args.base, "--data", args.data, "--out", f"{out}/ours",
                              "--validation-split", SPLIT, "--batch", BATCH, "--json", XDG_CACHE_HOME=f"{out}/cache")
            keep("ours, whole", whole)
            keep("ours, features", ours["seconds"]["features"])
            keep("ours, epoch", ours["seconds"]["training"] / len(ours["history"]))
            theirs, process = run(sys.executable, __file__, "--base", args.base, "--data", args.data, "--keras", f"{out}/theirs", len(ours["history"]))
            keep("Keras, whole", process - theirs["seconds"]["features again"])
            for name in ("features", "features again", "epoch"):
                keep(f"Keras, {name}", theirs["seconds"][name])
    images = theirs["images"]
    print(f"{images} images, {len(ours['history'])} epochs; accuracy on the part held out (not the same part): finetune {ours['validation']['accuracy']:.3f}, Keras {theirs['accuracy']:.3f}")
    print(f"{'':24} {'Keras':>10} {'finetune':>10} {'ratio':>6}")
    row = lambda name, theirs, ours, ratio: print(f"{name:24} {theirs:10.4g} {ours:10.4g} {ratio:6.2f}")
    for name, key in (("images/s, first pass", "features"), ("images/s, second pass", "features again")):
        row(name, images / best[f"Keras, {key}"], images / best["ours, features"], best[f"Keras, {key}"] / best["ours, features"])
    for name, key, scale in (("head, ms an epoch", "epoch", 1000), ("whole, s", "whole", 1)):
        row(name, scale * best[f"Keras, {key}"], scale * best[f"ours, {key}"], best[f"Keras, {key}"] / best[f"ours, {key}"])


if __name__ == "__main__":
    main()
