"""Writes what Keras's augmentation layers make of a small image, for the tests of package images.

    python3 scripts/record_augment.py [FILE]        # default: scripts/testdata/images/augmented.npz

The file holds "image", float32 [9, 12, 3], and for each change by how much it was changed (NAME:by, [n]) and the results,
float32 [n, 9, 12, 3]: NAME:reflect, and NAME:constant for layers that fill (with 40). How much is given to the layers, not drawn.
"""
import os
import pathlib
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
from keras import layers

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "testdata/images/augmented.npz")
HEIGHT, WIDTH = 9, 12


def main():
    image = np.random.default_rng(3).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype("float32")
    arrays = {"image": image}

    def record(name, amounts, layer, transformation):
        """layer(fill) makes the layer, transformation(layer, amount) what it draws for a batch of one."""
        arrays[name + ":by"] = np.float32(amounts)
        for fill in ("reflect", "constant"):
            made = layer({"fill_mode": fill, "fill_value": 40.0})
            if made is None:
                continue
            arrays[f"{name}:{fill}"] = np.concatenate([np.array(made.transform_images(image[None], transformation(made, by), training=True)) for by in amounts])

    def plain(make):
        return lambda fill: make() if fill["fill_mode"] == "reflect" else None

    def turn(layer, by):
        zero, one = np.zeros(1, "float32"), np.ones(1, "float32")
        return {"rotation_matrix": layer._compute_affine_matrix(center_x=0.5, center_y=0.5, angle=np.float32([by * 360]), translate_x=zero, translate_y=zero,
                                                                scale=one, shear_x=zero, shear_y=zero, height=HEIGHT, width=WIDTH)}

    record("rotation", [0.01, -0.03, 0.1, -0.2, 0.37, 0.5], lambda fill: layers.RandomRotation(1.0, **fill), turn)
    record("zoom", [0.1, -0.1, 0.5, -0.7, 0.9], lambda fill: layers.RandomZoom(0.9, **fill),
           lambda _, by: {"height_zoom": np.float32([[1 + by]]), "width_zoom": np.float32([[1 + by]])})
    translate = lambda fill: layers.RandomTranslation(1.0, 1.0, **fill)
    record("down", [0.1, -0.25, 0.5, -1.0], translate, lambda _, by: {"translations": np.float32([[0, by * HEIGHT]])})
    record("right", [0.1, -0.25, 0.5, -1.0], translate, lambda _, by: {"translations": np.float32([[by * WIDTH, 0]])})
    record("contrast", [0.2, -0.2, 0.9, -1.0], plain(lambda: layers.RandomContrast(1.0)), lambda _, by: {"contrast_factor": np.float32([[[[1 + by]]]])})
    record("brightness", [0.1, -0.1, 0.8, -1.0], plain(lambda: layers.RandomBrightness(1.0)), lambda _, by: {"rgb_delta": np.float32([[[[by * 255]]]])})
    for name, mode in (("mirrored", "horizontal"), ("upsideDown", "vertical")):
        record(name, [0, 1], plain(lambda mode=mode: layers.RandomFlip(mode)), lambda _, by: {"flips": np.array([[[[bool(by)]]]])})
    np.savez(OUT, **arrays)


if __name__ == "__main__":
    main()
