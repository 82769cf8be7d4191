#!/usr/bin/env python3
"""Compares HDF5 files that internal/hdf5 writes with what h5py, Keras and tf_keras read from them, live:

    python3 scripts/parity_hdf5.py

Copies, made by internal/hdf5 alone (read and written again), of the files in internal/hdf5/testdata, of models that Keras and
tf_keras save here and, if $CAMBIUM_CORPUS is set, of its .h5 files. In each copy h5py must find the same groups, attributes
and elements (numbers little-endian; types that are not written left out), and must be able to add, change and remove things;
the edited files are copied and compared once more. Copies of models must load and predict the same bits as their originals.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import h5py
import keras
import numpy as np
import tf_keras

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_WRITTEN = (h5py.h5t.COMPOUND, h5py.h5t.REFERENCE, h5py.h5t.ARRAY, h5py.h5t.COMPLEX, h5py.h5t.TIME)


def written(tid):
    """Whether internal/hdf5 writes elements of that type."""
    if tid.get_class() in NOT_WRITTEN:
        return False
    if tid.get_class() == h5py.h5t.VLEN:
        return False  # sequences; text is of class STRING
    return not (tid.get_class() == h5py.h5t.FLOAT and tid.get_size() > 8)


def same(want, got, where):
    if isinstance(want, h5py.Empty):
        assert isinstance(got, h5py.Empty), where
        return
    want, got = np.asarray(want), np.asarray(got)
    assert want.shape == got.shape, (where, want.shape, got.shape)
    assert want.dtype.newbyteorder("=") == got.dtype.newbyteorder("="), (where, want.dtype, got.dtype)
    if want.dtype.kind == "O":
        assert want.tolist() == got.tolist(), where
    else:
        assert want.astype(want.dtype.newbyteorder("=")).tobytes() == got.astype(got.dtype.newbyteorder("=")).tobytes(), where


def compare_attributes(want, got, where):
    assert set(want.attrs) >= set(got.attrs), where
    for name in want.attrs:
        id = want.attrs.get_id(name)
        if id.get_space().get_simple_extent_npoints() * id.get_type().get_size() > 64512:
            continue  # more than the older format holds
        if written(id.get_type()):
            same(want.attrs[name], got.attrs[name], f"{where}@{name}")
            a, b = id.get_type(), got.attrs.get_id(name).get_type()
            assert (a.get_class(), a.get_size()) == (b.get_class(), b.get_size()), (where, name)


def compare(want, got, where=""):
    compare_attributes(want, got, where or "/")
    links = [n for n in want if want.get(n, getclass=True, getlink=True) is h5py.HardLink]
    n = 1
    for name in links:
        w, path = want[name], f"{where}/{name}"
        if isinstance(w, h5py.Group):
            n += compare(w, got[name], path)
        elif isinstance(w, h5py.Dataset) and written(w.id.get_type()):
            same(w[()], got[name][()], path)
            compare_attributes(w, got[name], path)
            n += 1
    return n


def edit(path):
    """h5py adds to, changes and removes from every group of a file."""
    with h5py.File(path, "r+") as f:
        groups = [f]
        f.visititems(lambda _, o: groups.append(o) if isinstance(o, h5py.Group) else None)
        for g in groups:
            for i in range(20):
                g.create_dataset(f"added_{i}", data=np.arange(i))
            g.attrs["added"] = "x" * 300
            for name in list(g.attrs)[:2]:
                del g.attrs[name]
            del g["added_3"]
    with h5py.File(path) as f:
        groups = [f]
        f.visititems(lambda _, o: groups.append(o) if isinstance(o, h5py.Group) else None)
        for g in groups:
            assert "added_3" not in g and g["added_19"][()].tolist() == list(range(19)), g.name
    return len(groups)


def models(out):
    """Saves models with their optimizers' states; returns how to check each file."""
    rng = np.random.default_rng(1)
    x = rng.random((32, 8, 8, 3), np.float32)
    y = rng.integers(0, 4, 32)
    checks = {}
    for name, k in {"keras": keras, "tf_keras": tf_keras}.items():
        k.utils.set_random_seed(3)
        layers = k.layers
        inner = k.Sequential([layers.Dense(6, activation="relu", name="inner")], name="nested")
        model = k.Sequential([
            layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(),
            layers.DepthwiseConv2D(3), layers.Flatten(), inner, layers.Dropout(0.1), layers.Dense(4, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=2, verbose=0)
        file = f"{name}_model.h5"
        model.save(out / file)
        checks[file] = (k, x)
        weights = f"{name}.weights.h5"
        model.save_weights(out / weights)
        checks[weights] = (k, x)
    return checks


def check_model(original, copy, check):
    k, x = check
    if ".weights." in copy.name:
        model = k.models.load_model(original.parent / copy.name.replace(".weights.h5", "_model.h5"))
        want = model.predict(x, verbose=0)
        for w in model.weights:
            w.assign(np.zeros(w.shape))
        model.load_weights(copy)
        got = model.predict(x, verbose=0)
        assert want.tobytes() == got.tobytes(), copy.name
        return
    a, b = k.models.load_model(original), k.models.load_model(copy)
    assert a.predict(x, verbose=0).tobytes() == b.predict(x, verbose=0).tobytes(), copy.name
    want, got = a.optimizer.variables, b.optimizer.variables
    if callable(want):
        want, got = want(), got()
    assert len(want) == len(got), copy.name
    if k is tf_keras:  # Keras 3 does not restore the moments from .h5
        assert len(want) > 5, copy.name
    for v, w in zip(want, got):
        assert np.asarray(v).tobytes() == np.asarray(w).tobytes(), (copy.name, v)


def copy_and_compare(files, copies):
    env = os.environ | {"CAMBIUM_PARITY_FILES": str(files), "CAMBIUM_PARITY_COPIES": str(copies)}
    subprocess.run(["go", "test", "-count=1", "-run", "^TestCopiesForParity$", "./internal/hdf5"], cwd=ROOT, env=env, check=True)
    objects = 0
    for path in sorted(files.iterdir()):
        with h5py.File(path) as want, h5py.File(copies / path.name) as got:
            objects += compare(want, got)
    return objects


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        files, copies = tmp / "files", tmp / "copies"
        files.mkdir()
        copies.mkdir()
        for path in (ROOT / "internal/hdf5/testdata").glob("*.h5"):
            if path.name not in ("unsupported.h5", "cycle.h5"):
                shutil.copy(path, files)
        if corpus := os.environ.get("CAMBIUM_CORPUS"):
            for path in pathlib.Path(corpus).rglob("*.h5"):
                shutil.copy(path, files / ("corpus_" + str(path.relative_to(corpus)).replace("/", "_")))
        checks = models(files)
        objects = copy_and_compare(files, copies)
        for name, check in checks.items():
            check_model(files / name, copies / name, check)
        groups = sum(edit(path) for path in sorted(copies.iterdir()))
        again = tmp / "again"
        again.mkdir()
        copy_and_compare(copies, again)
        n = len(list(files.iterdir()))
        assert n > 20 and objects > 100
        print(f"{n} files with {objects} objects equal, {len(checks)} of them models; h5py edited {groups} groups")


if __name__ == "__main__":
    sys.exit(main())
