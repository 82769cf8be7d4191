"""Reads event files that internal/tfevents wrote with the real TensorBoard.

    python3 scripts/parity_tensorboard.py          # `make parity` runs it

The Go test TestWriteForTensorBoard writes the files into the folder that CAMBIUM_EVENTS names.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

ROOT = pathlib.Path(__file__).parent.parent

with tempfile.TemporaryDirectory() as logs:
    subprocess.run(["go", "test", "-count=1", "-run", "TestWriteForTensorBoard", "./internal/tfevents"], cwd=ROOT, check=True,
                   env={**os.environ, "CAMBIUM_EVENTS": logs, "CGO_ENABLED": "0"})
    accumulator = event_accumulator.EventAccumulator(logs)  # checks the checksums, applies data_compat
    accumulator.Reload()
    tags = accumulator.Tags()

    def numbers(tag):
        if tag in tags["scalars"]:
            return [(e.step, e.value) for e in accumulator.Scalars(tag)]
        return [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in accumulator.Tensors(tag)]

    def content(tag):
        if tag in tags["images"]:
            event = accumulator.Images(tag)[0]
            return event.width, event.height, event.encoded_image_string
        values = tensor_util.make_ndarray(accumulator.Tensors(tag)[0].tensor_proto)
        return int(values[0]), int(values[1]), values[2]

    expected = [(step, 1.0 / step) for step in range(1, 6)]
    got = numbers("epoch_loss")
    width, height, png = content("confusion")
    text = tensor_util.make_ndarray(accumulator.Tensors("hyperparameters")[0].tensor_proto)
    problems = []
    if len(got) != 5 or any(s != t or abs(a - b) > 1e-7 for (s, a), (t, b) in zip(got, expected)):
        problems.append(f"epoch_loss: {got}")
    if (width, height) != (3, 2) or not png.startswith(b"\x89PNG"):
        problems.append(f"confusion: {width}x{height} {png[:8]}")
    if [t.decode() for t in text.ravel()] != ["batch **32**"]:
        problems.append(f"hyperparameters: {text}")
    if problems:
        sys.exit("TensorBoard reads something else: " + "; ".join(problems))
    print("TensorBoard reads the curve, the image and the text as written")
