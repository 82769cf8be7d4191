"""Times `finetune --base` beside a Keras script that does the same, on photographs of flowers, each as a whole process, in turns:

    python3 scripts/bench_finetune.py [--rounds 3] [--base FILE …] [--data FOLDER] [--times 5]     # default: the bases and the data of $CAMBIUM_DATA

The Keras script reads the folder with image_dataset_from_directory, sends it through base.predict, trains a Dense head on the features
with fit, as many epochs as finetune took, and exports base and head with model.export. Printed are the best of the rounds, and Keras's time over ours:

    first pass    images a second, from files to features, of a program that has just started: graphs are traced, kernels made
    larger        the same of a folder with several times as many, which holds copies that a byte tells apart: Keras in the process that has
                  made the first pass, finetune in one that has just started
    steady        Keras: as above; finetune: what the larger folder has more, by the time that it took longer
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


def multiplied(data, times, out):
    """Makes a folder with so many copies of every image, all different files: behind the end of an image nothing is decoded."""
    for path in sorted(pathlib.Path(data).glob("*/*")):
        to = pathlib.Path(out) / path.parent.name
        to.mkdir(parents=True, exist_ok=True)
        for i in range(times):
            (to / f"{path.stem}-{i}{path.suffix}").write_bytes(path.read_bytes() + bytes([i]))


def keras_script(base, data, larger, out, epochs):
    began = time.perf_counter()
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.models.load_model(base, compile=False)
    folder = lambda data: keras.utils.image_dataset_from_directory(data, image_size=model.input_shape[1:3], batch_size=BATCH, shuffle=False, verbose=False)
    prepared = lambda images: images.map(lambda x, y: x / 127.5 - 1).prefetch(2)
    images = folder(data)
    classes = images.class_names
    labels = np.array([classes.index(pathlib.Path(f).parent.name) for f in images.file_paths])
    seconds, start = {}, time.perf_counter()
    features = model.predict(prepared(images), verbose=0)
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
    more = prepared(folder(larger))
    start = time.perf_counter()
    model.predict(more, verbose=0)
    seconds["larger"] = time.perf_counter() - start
    seconds["after"] = time.perf_counter() - began - seconds["whole"]
    accuracy = head.evaluate(features[held], labels[held], verbose=0)[1]
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, "images": len(labels)}))


def run(*command, **environment):
    """Returns a command's JSON and how long the process took."""
    start = time.perf_counter()
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1]), time.perf_counter() - start


def measure(base, data, larger, rounds, times):
    """Runs both programs in turns and prints the best of them."""
    best = {}
    keep = lambda name, value: best.update({name: min(best.get(name, value), value)})
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as out:
            finetune = lambda data, *options: run(ROOT / "bin/finetune-tensorflow", "--base", base, "--data", data, "--out", f"{out}/ours", "--validation-split", SPLIT,
                                                  "--batch", BATCH, "--json", *options, XDG_CACHE_HOME=f"{out}/cache-{data == larger}")
            ours, whole = finetune(data)
            keep("ours, whole", whole)
            keep("ours, features", ours["seconds"]["features"])
            keep("ours, epoch", ours["seconds"]["training"] / len(ours["history"]))
            keep("ours, larger", finetune(larger, "--epochs", 1)[0]["seconds"]["features"])
            theirs, process = run(sys.executable, __file__, "--base", base, "--data", data, "--keras", larger, f"{out}/theirs", len(ours["history"]))
            keep("Keras, whole", process - theirs["seconds"]["after"])
            for name in ("features", "larger", "epoch"):
                keep(f"Keras, {name}", theirs["seconds"][name])
    images, epochs = theirs["images"], len(ours["history"])
    best["ours, steady"], best["Keras, steady"] = (best["ours, larger"] - best["ours, features"]) * times / (times - 1), best["Keras, larger"]
    print(f"{pathlib.Path(base).stem}: {images} images, {epochs} epochs; accuracy on the part held out (not the same part): finetune {ours['validation']['accuracy']:.3f}, Keras {theirs['accuracy']:.3f}")
    print(f"{'':28} {'Keras':>10} {'finetune':>10} {'ratio':>6}")
    row = lambda name, theirs, ours, ratio: print(f"{name:28} {theirs:10.4g} {ours:10.4g} {ratio:6.2f}")
    for name, key, n in (("images/s, first pass", "features", images), (f"images/s, {images * times} images", "larger", images * times), ("images/s, steady", "steady", images * times)):
        row(name, n / best[f"Keras, {key}"], n / best[f"ours, {key}"], best[f"Keras, {key}"] / best[f"ours, {key}"])
    for name, key, scale in (("head, ms an epoch", "epoch", 1000), ("whole, s", "whole", 1)):
        row(name, scale * best[f"Keras, {key}"], scale * best[f"ours, {key}"], best[f"Keras, {key}"] / best[f"ours, {key}"])


def main():
    p = argparse.ArgumentParser()
    given = os.environ.get("CAMBIUM_DATA", "")
    p.add_argument("--base", nargs="+", default=given and [f"{given}/base/mobilenet_v1_features.keras", f"{given}/base/mobilenet_v1_025_128_features.keras"])
    p.add_argument("--data", default=given and f"{given}/flowers200")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--times", type=int, default=5, help="how many times as many images the larger folder has")
    p.add_argument("--keras", nargs=3, metavar=("LARGER", "OUT", "EPOCHS"), help=argparse.SUPPRESS)  # be the Keras script
    args = p.parse_args()
    if not args.base:
        print("skipped: it needs --base and --data, or CAMBIUM_DATA")
        return
    if args.keras:
        keras_script(args.base[0], args.data, args.keras[0], args.keras[1], int(args.keras[2]))
        return
    with tempfile.TemporaryDirectory() as larger:
        multiplied(args.data, args.times, larger)
        for base in args.base:
            measure(base, args.data, larger, args.rounds, args.times)


if __name__ == "__main__":
    main()
