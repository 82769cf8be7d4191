#!/usr/bin/env python3
"""Records graph/opdefs.pb.gz: the ops of the installed TensorFlow, as a serialized OpList without documentation.

A graph without a stripped_op_list (a frozen .pb) does not say how many outputs its nodes have nor of which type;
package graph looks that up here. Kept: names, arguments, attributes with their types and defaults, statefulness.
Dropped: descriptions, constraints on attributes, full types, internal ops (names that start with "_").

    python3 scripts/record_opdefs.py
"""
import gzip
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

OUT = pathlib.Path(__file__).resolve().parent.parent / "graph" / "opdefs.pb.gz"


def strip(op):
    r = op_def_pb2.OpDef(name=op.name, is_stateful=op.is_stateful)
    for src, dst in ((op.input_arg, r.input_arg), (op.output_arg, r.output_arg)):
        for a in src:
            dst.add(name=a.name, type=a.type, type_attr=a.type_attr, number_attr=a.number_attr,
                    type_list_attr=a.type_list_attr, is_ref=a.is_ref)
    for a in op.attr:
        d = r.attr.add(name=a.name, type=a.type)
        if a.HasField("default_value"):
            d.default_value.CopyFrom(a.default_value)
    return r


def main():
    registry = op_def_pb2.OpList()
    registry.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    ops = op_def_pb2.OpList(op=[strip(o) for o in sorted(registry.op, key=lambda o: o.name) if not o.name.startswith("_")])
    data = gzip.compress(ops.SerializeToString(deterministic=True), 9, mtime=0)
    OUT.write_bytes(data)
    print(f"TensorFlow {tf.__version__}: {len(ops.op)} ops, {len(data)} bytes -> {OUT}")


if __name__ == "__main__":
    main()
