"""Where the zoo's models and their expected outputs are written, and the data that they run on.

A data set is one NPZ file: `records` holds schema integers (value · 10^decimals) of shape (records, features), `decimals` one
number per feature, `low` and `high` the declared ranges, `labels` the classes where there are any, and `out/MODEL`
what onnxruntime gives for each model on these records. A model is one ONNX file, as its exporter wrote it.
"""

import os
import zipfile

import numpy as np
import onnxruntime as ort

HERE = os.path.dirname(os.path.abspath(__file__))


class Data:
    """Training data and `held_out` records apart from it, all rounded to the schema's decimals."""

    def __init__(self, name, x, y, decimals, shape=None, low=None, high=None, held_out=200):
        rng = np.random.default_rng(len(name))
        x = x.reshape(len(x), -1)
        decimals = np.broadcast_to(np.asarray(decimals, np.uint8), x.shape[1])
        integers = np.round(x.astype(np.float64) * 10.0**decimals).astype(np.int64)
        order = rng.permutation(len(x))
        self.test, self.train = order[:held_out], order[held_out:]
        real = (integers / 10.0**decimals).astype(np.float32)
        self.shape = tuple(shape or (x.shape[1],))
        self.x = real.reshape(-1, *self.shape)
        self.y = None if y is None else np.asarray(y)
        span = integers.max(0) - integers.min(0)
        low = integers.min(0) - span // 4 if low is None else np.full(x.shape[1], low)
        high = integers.max(0) + span // 4 if high is None else np.full(x.shape[1], high)
        self.name = name
        self.arrays = {"records": shrink(integers[self.test]), "decimals": decimals, "low": shrink(low), "high": shrink(high)}
        if y is not None and np.issubdtype(self.y.dtype, np.integer):
            self.arrays["labels"] = self.y[self.test].astype(np.uint8)

    def write(self):
        # np.savez stamps every member with the time of day; a fixed one keeps the file the same from run to run.
        with zipfile.ZipFile(os.path.join(HERE, self.name + ".npz"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for key, array in self.arrays.items():
                info = zipfile.ZipInfo(key + ".npy")
                info.compress_type = zipfile.ZIP_DEFLATED
                with z.open(info, "w") as f:
                    np.lib.format.write_array(f, np.ascontiguousarray(array))


def shrink(integers):
    """The integers in the smallest of the types that the test reads."""
    for dtype in (np.uint8, np.int16, np.int32):
        info = np.iinfo(dtype)
        if integers.size == 0 or (integers.min() >= info.min and integers.max() <= info.max):
            return integers.astype(dtype)
    return integers.astype(np.int64)


def shortened(values):
    """The floats with 12 bits behind the leading one (an error of 2^-13), which compresses and is fine enough to compare with."""
    bits = (values.astype(np.float32).view(np.uint32) + (1 << 10)) & np.uint32(0xFFFFF800)
    return bits.view(np.float32)


def scores(outputs):
    """The output that is no label, as an array of shape (records, outputs)."""
    for value in reversed(outputs):
        if isinstance(value, list):  # ZipMap: one dictionary per record
            return np.array([[row[k] for k in row] for row in value], np.float32)
        if np.issubdtype(value.dtype, np.floating):
            return value.reshape(len(value), -1).astype(np.float32)
    raise ValueError("no output holds scores")


def save(name, model, data, output=None):
    """Writes the exporter's bytes and what onnxruntime computes with them."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    assert len(content) < 1 << 20, f"{name}: {len(content)} bytes"
    with open(os.path.join(HERE, name + ".onnx"), "wb") as f:
        f.write(content)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    info = session.get_inputs()[0]
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(float16)": np.float16}
    x = data.x[data.test].astype(dtype[info.type])
    x = x.reshape(len(x), *[d for d in info.shape[1:]]) if len(info.shape) > 1 else x
    names = None if output is None else [output]
    if isinstance(info.shape[0], int):
        runs = [session.run(names, {info.name: x[i : i + info.shape[0]]}) for i in range(0, len(x), info.shape[0])]
        out = np.concatenate([scores(r) for r in runs])
    else:
        out = scores(session.run(names, {info.name: x}))
    assert len(out) == len(x) and np.isfinite(out).all(), name
    data.arrays["out/" + name] = shortened(out)
    right = ""
    if "labels" in data.arrays:
        predicted = out.argmax(1) if out.shape[1] > 1 else (out[:, 0] > 0.5).astype(int)
        right = f", {np.mean(predicted == data.arrays['labels']):.3f} right"
    print(f"{name}: {len(content)} bytes, outputs {out.shape[1]} in {out.min():.3g}..{out.max():.3g}{right}", flush=True)
