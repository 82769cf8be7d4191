#!/usr/bin/env python3
"""Writes the .h5 files of this folder and manifest.json, which says what
h5py reads in them. Needs h5py and numpy. Run it in this folder:

    python3 generate.py

The files cover what Keras and h5py write: both generations of the format
(libver earliest and latest), every chunk index and filter, groups whose
B-trees have several levels, dense attributes, and all element types.
"""

import hashlib
import json

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

rng = np.random.default_rng(7)


def bfloat16_type():
    """bfloat16 as a floating point type of HDF5, not as opaque bytes."""
    t = h5t.IEEE_F32LE.copy()
    t.set_fields(15, 7, 8, 0, 7)
    t.set_size(2)
    t.set_ebias(127)
    return t


def low_level(f, name, tid, data, shape, plist=None):
    space = h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
    plist = plist or h5p.create(h5p.DATASET_CREATE)
    plist.set_obj_track_times(False)  # the same bytes every time
    d = h5d.create(f.id, name.encode(), tid, space, plist)
    d.write(h5s.ALL, h5s.ALL, data, tid)


def types(f):
    for t in ["i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", ">u8",
              "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
        name = t.replace("<", "le_").replace(">", "be_")
        a = (np.arange(6) * 37 - 90).astype("i8").reshape(2, 3)
        if "f" in t:
            a = a / 8
        f.create_dataset("types/" + name, data=a.astype(t))
    f["types/extreme_i8"] = np.array([-(2**63), 2**63 - 1])
    f["types/extreme_u8"] = np.array([0, 2**64 - 1], "u8")
    f["types/special_f2"] = np.array([0, -0.0, 1 / 3, 65504, 6e-8, 6e-5, np.inf, -np.inf, np.nan], "f2")
    f["types/special_f4"] = np.array([0, -0.0, 1 / 3, 3e38, 1e-45, np.inf, -np.inf, np.nan], "f4")
    f["types/bool"] = np.array([[True, False], [False, True]])
    f["types/opaque_bfloat16"] = np.arange(5, dtype="u2").view("V2")
    low_level(f, "types/bfloat16", bfloat16_type(), np.array([0x3F80, 0xC000, 0x3EAB, 0x7F80], "u2"), (4,))
    f["types/scalar_i8"] = np.int64(42)
    f["types/scalar_f4"] = np.float32(1.5)
    f["types/scalar_string"] = "one é"
    f["types/empty"] = np.zeros((0, 3), "f4")
    f["types/null"] = h5py.Empty("f4")
    f["types/fixed_strings"] = np.array([b"a", b"bcd", b""])
    f["types/strings"] = np.array([["a", "bcd"], ["", "é" * 100]], dtype=object)
    f.create_dataset("types/utf8_fixed", data=np.array(["né".encode(), b"x"], dtype=h5py.string_dtype("utf-8", 6)))
    space_padded = h5t.C_S1.copy()
    space_padded.set_size(4)
    space_padded.set_strpad(h5t.STR_SPACEPAD)
    low_level(f, "types/space_padded", space_padded, np.array([b"ab  ", b"abcd"], "S4"), (2,))
    # What Keras never writes but may stand beside what is wanted.
    f["types/compound"] = np.array([(1, 2.5, b"x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "S3")])
    f["types/complex"] = np.array([1 + 2j, 3j])
    f["types/longdouble"] = np.array([1.5, 2], np.longdouble)
    f.create_dataset("types/enum", data=np.array([1, 3], "i2"), dtype=h5py.enum_dtype({"RED": 1, "BLUE": 3}, "i2"))
    low_level(f, "types/array", h5t.array_create(h5t.STD_I32LE, (3,)), np.arange(6, dtype="i4").reshape(2, 3), (2,))
    f.create_dataset("types/sequences", shape=(1,), dtype=h5py.vlen_dtype("i4"))[0] = [1, 2, 3]
    f.create_dataset("types/reference", data=f["types"].ref, dtype=h5py.ref_dtype)
    compact = h5p.create(h5p.DATASET_CREATE)
    compact.set_layout(h5d.COMPACT)
    low_level(f, "types/compact", h5t.IEEE_F32LE, np.arange(4, dtype="f4"), (2, 2), compact)
    f.create_dataset("types/unwritten", shape=(3,), dtype="f4", fillvalue=2.5)
    f.create_dataset("types/unwritten_zero", shape=(3,), dtype="i4")


def attributes(f):
    a = f.attrs
    a["text"] = "hello é"
    a["empty_text"] = ""
    a["long_text"] = "z" * 9000
    a["texts"] = np.array(["a", "bb", ""], dtype=object)
    a["fixed"] = np.bytes_("fixed")
    a["fixed_texts"] = np.array([b"dense", b"dense_1", b"d"])
    a["fixed_utf8"] = np.array("né".encode(), dtype=h5py.string_dtype("utf-8", 8))
    a["int"] = 5
    a["big_endian"] = np.array([1, -2], ">i4")
    a["uint"] = np.array([2**64 - 1], "u8")
    a["float"] = 1.5
    a["half"] = np.float16(0.25)
    a["floats"] = np.arange(4) / 4
    a["matrix"] = np.arange(6).reshape(2, 3)
    a["bool"] = True
    a["bools"] = np.array([True, False])
    a["no_floats"] = np.zeros((0,))
    a["null"] = h5py.Empty("f4")
    g = f.create_group("group with attributes")
    g.attrs["backend"] = "tensorflow"
    f.create_dataset("dataset with attributes", data=np.float32([1, 2])).attrs["dtype"] = "bfloat16"


def chunks(f):
    a = rng.random((25, 35)).astype("f4")
    a[5:15] = 0
    for name, kw in {
        "plain": {},
        "gzip": dict(compression="gzip"),
        "shuffle_gzip": dict(compression="gzip", shuffle=True),
        "fletcher32": dict(fletcher32=True),
        "all": dict(compression="gzip", shuffle=True, fletcher32=True),
        "lzf": dict(compression="lzf", shuffle=True),
    }.items():
        f.create_dataset("fixed/" + name, data=a, chunks=(8, 8), **kw)
        f.create_dataset("one/" + name, data=a[:10, :10], chunks=(10, 10), **kw)
        f.create_dataset("rows/" + name, data=a[:15, :10], chunks=(8, 8), maxshape=(None, 10), **kw)
        f.create_dataset("columns/" + name, data=a[:15, :10], chunks=(8, 8), maxshape=(20, None), **kw)
        f.create_dataset("both/" + name, data=a[:15, :10], chunks=(8, 8), maxshape=(None, None), **kw)
    f.create_dataset("limits", data=a[:15, :10], chunks=(8, 8), maxshape=(50, 50))
    f.create_dataset("one_limits", data=a[:5, :10], chunks=(10, 15), maxshape=(None, 15))
    f.create_dataset("vector", data=np.arange(1000, dtype="i8"), chunks=(64,), compression="gzip", compression_opts=9)
    f.create_dataset("cube", data=np.arange(5 * 6 * 7, dtype=">i2").reshape(5, 6, 7), chunks=(2, 6, 7), shuffle=True, compression="gzip")
    f.create_dataset("cube_gaps", data=np.arange(5 * 6 * 7, dtype="i2").reshape(5, 6, 7), chunks=(2, 4, 3))
    f.create_dataset("bytes", data=np.arange(256, dtype="u1"), chunks=(100,), shuffle=True, compression="gzip")
    f.create_dataset("doubles", data=np.arange(100) / 7, chunks=(30,), shuffle=True, fletcher32=True)
    f.create_dataset("odd", data=np.arange(7, dtype="u1"), chunks=(7,), fletcher32=True)
    f.create_dataset("strings", data=np.array(["a", "bb", "é"], dtype=object), chunks=(2,), compression="gzip")
    f.create_dataset("empty", shape=(0, 4), maxshape=(None, 4), dtype="f4")
    f.create_dataset("unwritten", shape=(10, 4), chunks=(3, 4), dtype="f4", fillvalue=-1)
    d = f.create_dataset("half_written", shape=(100, 4), maxshape=(None, 4), chunks=(3, 4), dtype="f4", fillvalue=-1)
    d[40:50] = 3
    d = f.create_dataset("shrunk", data=a, chunks=(8, 8), maxshape=(None, None))
    d.resize((10, 17))
    early = h5p.create(h5p.DATASET_CREATE)
    early.set_chunk((2, 3))
    early.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    low_level(f, "early", h5t.STD_I32LE, np.arange(35, dtype="i4").reshape(5, 7), (5, 7), early)


def many_chunks(f):
    """Enough chunks that the indexes are paged or have several levels."""
    n = 1300
    a = np.arange(n, dtype="i2")
    f.create_dataset("fixed", data=a, chunks=(1,))
    f.create_dataset("fixed_gzip", data=a[:1100], chunks=(1,), compression="gzip")
    d = f.create_dataset("fixed_gap", shape=(n,), dtype="i2", chunks=(1,), fillvalue=7)
    d[1100:1110] = a[:10]
    f.create_dataset("growing", data=a, chunks=(1,), maxshape=(None,))
    f.create_dataset("growing_2d", data=a.reshape(-1, 2)[:150], chunks=(1, 1), maxshape=(2000, None))
    f.create_dataset("both", data=a[:300].reshape(-1, 2), chunks=(1, 1), maxshape=(None, None))


def paged_growing(f):
    """Data blocks of an extensible array are paged from about 65,000 chunks on."""
    d = f.create_dataset("growing", shape=(300000,), dtype="i1", chunks=(1,), maxshape=(None,), fillvalue=-3)
    for at in [0, 5, 70, 2000, 66000, 131500, 299990]:
        d[at : at + 10] = np.arange(10)


def many_links(f):
    one = f.create_dataset("one", data=np.float32([1, 2, 3]))
    g = f.create_group("many")
    for i in rng.permutation(300):
        g["layer_with_a_long_name_%d" % i] = one
    g = f.create_group("some")
    for name in ["zebra", "a", "dense", "dense_1", "B", "é"]:
        g.create_group(name)
    f.create_group("none")


def many_attributes(f):
    for i in range(60):
        f.attrs["attribute_%d" % i] = "v" * i
    d = f.create_dataset("data", data=np.float32([1]))
    for i in range(20):
        d.attrs["n%d" % i] = i


def huge_attribute(f):
    f.attrs["layer_names"] = np.array([b"dense_%d" % i for i in range(700)], "S100")
    for i in range(10):
        f.attrs["n%d" % i] = i


def links(f):
    f["data/values"] = np.float32([1, 2])
    f["data/alias"] = f["data/values"]
    f["group"] = f["data"]
    f["named type"] = np.dtype("<f4")
    f.create_dataset("data/of named type", data=np.float32([3]), dtype=f["named type"])
    f.attrs.create("of named type", np.float32(4), dtype=f["named type"])


def edited(f):
    """Groups that h5py has removed from and renamed in."""
    for i in range(40):
        f.create_dataset("g/layer_%d" % i, data=np.float32([i]))
        f.attrs["a%d" % i] = i
    for i in range(0, 40, 3):
        del f["g/layer_%d" % i]
        del f.attrs["a%d" % i]
    for i in range(1, 40, 6):
        f.move("g/layer_%d" % i, "g/%d" % i)
    for i in range(1, 40, 12):
        f.move("g/%d" % i, "g/renamed to something longer %d" % i)
    for i in range(10):
        f.create_group("emptied/x%d" % i)
    for name in list(f["emptied"]):
        del f["emptied/" + name]


def unsupported(f):
    f["values"] = np.float32([1])
    f["soft"] = h5py.SoftLink("/values")
    f["broken"] = h5py.SoftLink("/nowhere")
    f["elsewhere"] = h5py.ExternalLink("other.h5", "/values")
    layout = h5py.VirtualLayout(shape=(1,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "values", shape=(1,))
    f.create_virtual_dataset("virtual", layout)
    f.create_dataset("external", shape=(1,), dtype="f4", external=[("other.raw", 0, 4)])
    f.create_dataset("scaleoffset", data=np.arange(10), chunks=(10,), scaleoffset=0)


def tiny(f):
    """A little of everything, for fuzzing."""
    one = f.create_dataset("g/one", data=np.float32([1, 2]))
    for i in range(12):
        f["g/l%d" % i] = one
    for i in range(9):
        f.attrs["a%d" % i] = i
    f.attrs["text"] = "hello"
    one.attrs["names"] = np.array([b"a", b"bc"])
    a = np.arange(12, dtype="u1").reshape(3, 4)
    f.create_dataset("fixed", data=a, chunks=(2, 2), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("growing", data=a, chunks=(1, 2), maxshape=(None, 4))
    f.create_dataset("both", data=a, chunks=(2, 2), maxshape=(None, None), compression="lzf")
    f.create_dataset("single", data=a, chunks=(3, 4))
    f.create_dataset("bool", data=np.array([True]))
    f.create_dataset("compound", data=np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]))
    f.create_dataset("text", data=["é"])


def cycle(f):
    f["a/b/values"] = np.float32([1])
    f["a/b/up"] = f["a"]


def value(v):
    if isinstance(v, h5py.Empty):
        return None
    if isinstance(v, bytes):
        return v.decode()
    if isinstance(v, np.ndarray):
        return [value(x) for x in v.reshape(-1).tolist()]
    if isinstance(v, np.generic):
        return value(v.item())
    return v


def digest(a):
    return hashlib.sha256(a.tobytes()).hexdigest()[:16]


def describe_dataset(o):
    d = {"shape": list(o.shape or ()), "dtype": str(o.dtype)}
    if o.shape is None:
        return d | {"null": True}
    a = np.asarray(o[()])
    kind = o.dtype.kind
    if h5py.check_string_dtype(o.dtype):
        d["str"] = [x.decode() if isinstance(x, bytes) else x for x in a.reshape(-1).tolist()]
    elif o.id.get_type().get_size() == 2 and o.dtype.itemsize == 4:  # bfloat16
        d["dtype"], d["f4"] = "bfloat16", digest(a.astype("<f4"))
    elif kind in "fiub" and o.dtype.itemsize <= 8:
        d["raw"], d["f8"] = digest(a), digest(a.astype("<f8"))
        if kind == "f":
            d["f4"] = digest(a.astype("<f4"))
    elif kind == "V" and not o.dtype.names:
        d["raw"] = digest(a)
    return d


def describe(f):
    out = {"groups": [], "datasets": {}, "attrs": {}}

    def attrs(path, o):
        for name, v in o.attrs.items():
            out["attrs"][path + "@" + name] = {"v": value(v)}

    def visit(group, path):
        attrs(path or "/", group)
        for name in group:
            p = path + "/" + name
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                continue
            o = group[name]
            if isinstance(o, h5py.Group):
                out["groups"].append(p)
                visit(o, p)
            elif isinstance(o, h5py.Dataset):
                attrs(p, o)
                out["datasets"][p] = describe_dataset(o)

    visit(f, "")
    return out


def main():
    files = {
        "types": types, "attributes": attributes, "chunks": chunks, "many_links": many_links,
        "many_attributes": many_attributes, "many_chunks": many_chunks, "links": links,
        "edited": edited, "tiny": tiny,
    }
    manifest = {}
    for name, write in files.items():
        for libver in ["earliest", "latest"]:
            manifest[f"{name}_{libver}.h5"] = (write, dict(libver=libver))
    manifest["paged_growing_latest.h5"] = (paged_growing, dict(libver="latest"))
    manifest["huge_attribute_latest.h5"] = (huge_attribute, dict(libver="latest"))
    manifest["v108_types.h5"] = (types, dict(libver=("v108", "v108")))
    manifest["track_order.h5"] = (lambda f: (many_attributes(f), many_links(f)), dict(track_order=True))
    manifest["userblock.h5"] = (attributes, dict(userblock_size=1024))
    for name, (write, kw) in manifest.items():
        with h5py.File(name, "w", **kw) as f:
            write(f)
        with h5py.File(name) as f:
            manifest[name] = describe(f)
    for name, write in {"unsupported.h5": unsupported, "cycle.h5": cycle}.items():
        with h5py.File(name, "w") as f:
            write(f)
    with open("manifest.json", "w") as out:
        for i, name in enumerate(sorted(manifest)):
            line = json.dumps(manifest[name], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            out.write("%s%s: %s" % (",\n" if i else "{", json.dumps(name), line))
        out.write("}\n")


main()
