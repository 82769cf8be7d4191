#!/usr/bin/env python3
"""Compares package dense with Keras, live: trains the networks of record_dense.py with fresh random numbers and runs
dense/keras_test.go on what Keras did. Every fifth network, or all of them with PARITY=all in the environment. Then some networks
of many inputs, on samples without zeros and on sparse ones.

    parity_dense.py [--seed N] [--only TEXT]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000 if os.environ.get("PARITY") == "all" else 0)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    every = 1 if os.environ.get("PARITY") == "all" or args.only else 5
    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory() as folder:
        for options in (["--every", str(every)], ["--wide", "1"], ["--wide", "0.2"]):
            subprocess.run([sys.executable, os.path.join(HERE, "record_dense.py"), "--out", folder, "--seed", str(args.seed),
                            "--only", args.only, *options], check=True)
            code = subprocess.run(["go", "test", "-count=1", "-run", "TestKeras", "./dense"], cwd=os.path.dirname(HERE),
                                  env=dict(os.environ, CAMBIUM_DENSE_CASES=folder)).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
