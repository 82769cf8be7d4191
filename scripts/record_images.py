"""Writes small image files of every kind, and what TensorFlow, Keras and Pillow read out of them, for the tests of package images.

    python3 scripts/record_images.py [DIR]        # default: scripts/testdata/images

Beside the files, expected.npz holds
    tf:FILE, tf_gray:FILE       tf.io.decode_image(channels=3 or 1), JPEG with dct_method INTEGER_ACCURATE
    pil:FILE, pil_L:FILE …      Pillow's convert("RGB"), ("L"), ("RGBA")
    upright:FILE                Pillow's exif_transpose
    resize:METHOD:HxW           tf.image.resize of "resize_from"
    load_img:HxW                keras.utils.load_img(target_size=…) of photo.png: Pillow's nearest
    crop:HxW                    keras.utils.image_dataset_from_directory's crop_to_aspect_ratio (smart_resize)
    preprocess:MODE             keras.applications.imagenet_utils.preprocess_input of "preprocess_from"
"""
import os
import pathlib
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
from keras.src.applications import imagenet_utils
from PIL import Image, ImageOps

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "testdata/images")
SIZES = [(1, 1), (7, 5), (13, 29), (20, 31), (21, 30), (28, 28), (41, 62), (60, 17)]


def photo(height=20, width=31):
    """Soft colours with edges in them: what a camera sees, on a few pixels."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    soft = np.stack([128 + 100 * np.sin(x / 5 + c) * np.cos(y / (4 + c)) for c in range(3)], -1)
    soft[(x - 18) ** 2 + (y - 9) ** 2 < 30] = (230, 40, 30)
    soft[12:15, 3:12] = (10, 20, 200)
    return np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255).astype(np.uint8)


def write_files():
    rgb = photo()
    image = Image.fromarray(rgb)
    alpha = np.dstack([rgb, np.tile(np.linspace(0, 255, rgb.shape[1]), (rgb.shape[0], 1)).astype(np.uint8)])
    image.save(OUT / "photo.png")
    image.convert("L").save(OUT / "gray.png")
    image.convert("1").save(OUT / "bilevel.png")
    image.quantize(13).save(OUT / "palette.png", bits=4)
    Image.fromarray(alpha).save(OUT / "alpha.png")
    Image.fromarray(alpha).convert("LA").save(OUT / "gray_alpha.png")
    (OUT / "rgb16.png").write_bytes(tf.io.encode_png(rgb.astype(np.uint16) * 257 + 100).numpy())
    (OUT / "gray16.png").write_bytes(tf.io.encode_png((rgb[..., :1].astype(np.uint16) * 251 + 77)).numpy())
    image.save(OUT / "photo.bmp")
    image.convert("L").save(OUT / "gray.bmp")
    image.quantize(200).save(OUT / "photo.gif")
    frames = [image.quantize(60), ImageOps.mirror(image).quantize(60)]
    frames[0].save(OUT / "animated.gif", save_all=True, append_images=frames[1:], duration=100)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        image.save(OUT / f"photo_{name}.jpg", quality=90, subsampling=subsampling)
    (OUT / "photo_progressive.jpg").write_bytes(tf.io.encode_jpeg(rgb, quality=70, progressive=True).numpy())
    image.convert("L").save(OUT / "gray.jpg", quality=90)
    image.convert("CMYK").save(OUT / "cmyk.jpg", quality=95)
    image.crop((0, 0, 3, 3)).save(OUT / "tiny_420.jpg", quality=90, subsampling=2)
    big = Image.fromarray(photo(49, 67))
    big.save(OUT / "large_420.jpg", quality=85, subsampling=2)
    big.save(OUT / "large_422.jpg", quality=85, subsampling=1)
    turned = big.transpose(Image.Transpose.ROTATE_90)
    turned.save(OUT / "large_440.jpg", quality=85, subsampling=1)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(OUT / f"orientation_{orientation}.jpg", quality=95, subsampling=0, exif=exif)


def decode(data, channels, name):
    if name.endswith(".jpg"):
        return tf.io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE").numpy()
    return tf.io.decode_image(data, channels=channels, expand_animations=False).numpy()


def record():
    expected = {}
    for path in sorted(OUT.iterdir()):
        name, data = path.name, path.read_bytes()
        if name.startswith("orientation"):
            with Image.open(path) as image:
                expected["upright:" + name] = np.asarray(ImageOps.exif_transpose(image))
            continue
        if name != "cmyk.jpg":
            expected["tf:" + name] = decode(data, 3, name)
            if not name.endswith((".gif", ".bmp")):
                expected["tf_gray:" + name] = decode(data, 1, name)
        with Image.open(path) as image:
            if name != "gray16.png":  # Pillow's convert clips 16 bits instead of scaling them
                expected["pil:" + name] = np.asarray(image.convert("RGB"))
                expected["pil_L:" + name] = np.asarray(image.convert("L"))[..., None]
                if not name.endswith(".jpg"):
                    expected["pil_RGBA:" + name] = np.asarray(image.convert("RGBA"))
    rgb = photo()
    expected["resize_from"] = rgb
    for height, width in SIZES:
        for method in ("bilinear", "nearest"):
            resized = tf.image.resize(rgb, (height, width), method).numpy()
            expected[f"resize:{method}:{height}x{width}"] = resized
        expected[f"load_img:{height}x{width}"] = np.asarray(keras.utils.load_img(OUT / "photo.png", target_size=(height, width)))
        if height * width < 1000:
            expected[f"crop:{height}x{width}"] = np.asarray(keras.preprocessing.image.smart_resize(rgb.astype(np.float32), (height, width)))
    batch = np.random.default_rng(1).integers(0, 256, (2, 2, 3, 3)).astype(np.float32)
    expected["preprocess_from"] = batch
    for mode in ("tf", "torch", "caffe"):
        expected["preprocess:" + mode] = imagenet_utils.preprocess_input(batch.copy(), data_format="channels_last", mode=mode)
    np.savez_compressed(OUT / "expected.npz", **expected)


OUT.mkdir(parents=True, exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
write_files()
record()
