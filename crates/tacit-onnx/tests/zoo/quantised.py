"""The zoo's own float models after onnxruntime's quantiser, and after a conversion to float16."""

import logging
import os
import tempfile

import numpy as np
import onnx
from onnxconverter_common import float16
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_dynamic,
    quantize_static,
)

from store import HERE, save

logging.getLogger().setLevel(logging.ERROR)


class Reader(CalibrationDataReader):
    def __init__(self, name, data):
        self.rows = ({name: data.x[i : i + 1]} for i in data.train[:100])

    def get_next(self):
        return next(self.rows, None)


def static(source, name, data, fuse=True, **options):
    """`fuse` lets onnxruntime join operators first, a product and its bias for one."""
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = os.path.join(folder, "a.onnx"), os.path.join(folder, "b.onnx")
        path = os.path.join(HERE, source + ".onnx")
        quant_pre_process(path, prepared, skip_symbolic_shape=True, skip_optimization=not fuse)
        reader = Reader(onnx.load(prepared).graph.input[0].name, data)
        quantize_static(prepared, quantised, reader, **options)
        with open(quantised, "rb") as f:
            save(name, f.read(), data)


def dynamic(source, name, data, **options):
    with tempfile.TemporaryDirectory() as folder:
        quantised = os.path.join(folder, "b.onnx")
        quantize_dynamic(os.path.join(HERE, source + ".onnx"), quantised, **options)
        with open(quantised, "rb") as f:
            save(name, f.read(), data)


def half(source, name, data, **options):
    model = float16.convert_float_to_float16(onnx.load(os.path.join(HERE, source + ".onnx")), **options)
    save(name, model, data)


def all_models(digits, digits28, patterns, small_patterns):
    qdq, operators = {"quant_format": QuantFormat.QDQ}, {"quant_format": QuantFormat.QOperator}
    signed = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
    for source, data in {"torch_mlp": digits, "lenet_average_relu": digits28, "lenet_max": digits28}.items():
        static(source, source + "_qdq", data, **qdq)
        static(source, source + "_qoperator", data, **operators)
    static("torch_mlp", "torch_mlp_qdq_signed", digits, **qdq, **signed)
    static("lenet_max", "lenet_max_qdq_channels", digits28, per_channel=True, **qdq, **signed)
    static("squeeze_excitation", "squeeze_excitation_qoperator", small_patterns, **operators)
    static("keras_relu", "keras_relu_qoperator", digits, **operators)
    static("keras_silu", "keras_silu_qoperator", digits, fuse=False, **operators)
    static("mobilenet", "mobilenet_qoperator", patterns, **operators)
    static("unet_nearest", "unet_nearest_qoperator", small_patterns, **operators)
    static("torch_leaky_relu", "torch_leaky_relu_qoperator", digits, **operators)
    dynamic("torch_mlp", "torch_mlp_dynamic", digits)
    # onnxruntime computes a ConvInteger with unsigned weights only.
    dynamic("lenet_max", "lenet_max_dynamic", digits28, weight_type=QuantType.QUInt8)
    half("torch_mlp", "torch_mlp_float16", digits, keep_io_types=True)
    half("lenet_max", "lenet_max_float16", digits28, keep_io_types=True)
