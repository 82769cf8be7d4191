"""Compares Go with Keras, live: saves every case of keras_cases.py with Keras 3 and tf_keras, as .keras and as .h5, and has Go run them.

    python3 scripts/parity_keras.py [PATTERN…]     # only cases whose name holds a pattern; --keep DIR keeps the files
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import warnings

import keras_cases

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    p = argparse.ArgumentParser()
    p.add_argument("patterns", nargs="*")
    p.add_argument("--keep")
    p.add_argument("--which", default="keras,tf_keras")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        directory = pathlib.Path(args.keep or tmp).absolute()
        failed = 0
        for which in args.which.split(","):
            K = __import__(which)
            out = directory / which
            out.mkdir(parents=True, exist_ok=True)
            cases = {n: c for n, c in keras_cases.build(K).items() if not args.patterns or any(q in n for q in args.patterns)}
            for name, case in cases.items():
                try:
                    keras_cases.save(case, name, out)
                except Exception:
                    failed += 1
                    print(f"{which} {name}: Keras failed: {traceback.format_exc(limit=-1).strip().splitlines()[-1][:200]}", file=sys.stderr)
            print(f"{which} {K.__version__}: {len(cases)} cases")
        if failed:
            print(f"{failed} cases were not made", file=sys.stderr)
        env = dict(os.environ, CAMBIUM_PARITY=str(directory))
        done = subprocess.run(["go", "test", "-count=1", "-run", "TestParity$", "./keras"], cwd=ROOT, env=env)
        sys.exit(done.returncode or bool(failed))


main()
