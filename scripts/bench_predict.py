#!/usr/bin/env python3
"""Predicts with 784-128-10 in package dense and in ONNX Runtime, in turn, and prints microseconds a call.

    bench_predict.py [--rounds 5]

The network is ReLU, then softmax, float32. ONNX Runtime runs with one thread and with one for each core; the faster counts, and
so does the best round. The ratio is ours / theirs. Ours allocates nothing, which `allocs/op` of the benchmark shows.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCHES = [1, 32, 1024]


def network():
    """784-128-10 as an ONNX model."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    r = np.random.default_rng(1)
    weights = [numpy_helper.from_array(r.normal(0, 0.05, shape).astype(np.float32), name)
               for name, shape in [("w1", (784, 128)), ("b1", (128,)), ("w2", (128, 10)), ("b2", (10,))]]
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]), helper.make_node("Relu", ["h"], ["a"]),
             helper.make_node("Gemm", ["a", "w2", "b2"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 784])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def runtime(model, threads):
    """A function that returns microseconds a call at a batch size, of the fastest of several series of calls."""
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(batch):
        # A binding leaves out the conversion of arrays, so that what is timed is the prediction.
        x, y = np.full((batch, 784), 0.5, np.float32), np.empty((batch, 10), np.float32)
        io = session.io_binding()
        io.bind_cpu_input("x", x)
        io.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
        calls, best = max(1, 20000 // batch), float("inf")
        for _ in range(10):
            began = time.perf_counter()
            for _ in range(calls // 10 + 1):
                session.run_with_iobinding(io)
            best = min(best, (time.perf_counter() - began) / (calls // 10 + 1))
        return best * 1e6
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    model = network()
    theirs = [runtime(model, n) for n in {1, os.cpu_count()}]
    ours, onnx, allocations = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "dense.test")
        subprocess.run(["go", "test", "-c", "-o", binary, "./dense"], cwd=ROOT, check=True)
        for _ in range(args.rounds):
            out = subprocess.run([binary, "-test.run", "^$", "-test.bench", "Predict", "-test.benchtime", "200ms"], check=True,
                                 capture_output=True, text=True).stdout
            for batch in BATCHES:
                found = re.search(rf"batch={batch}(?:-\d+)?\s.*?([\d.]+) ns/fastest.*?(\d+) allocs/op", out)
                ours[batch] = min(ours.get(batch, float("inf")), float(found[1]) / 1000)
                allocations[batch] = int(found[2])
                onnx[batch] = min([onnx.get(batch, float("inf"))] + [run(batch) for run in theirs])
    print(f"{'784-128-10, µs a call':>22} {'ours':>10} {'ONNX Runtime':>14} {'ratio':>7} {'allocs':>7}")
    for batch in BATCHES:
        print(f"{'batch ' + str(batch):>22} {ours[batch]:10.2f} {onnx[batch]:14.2f} {ours[batch] / onnx[batch]:7.2f} {allocations[batch]:7}")


if __name__ == "__main__":
    sys.exit(main())
