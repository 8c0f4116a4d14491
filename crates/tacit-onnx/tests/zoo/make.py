"""Writes every model of this folder and what onnxruntime computes with it. Seeded, single-threaded.

    pip install -r requirements.txt
    OMP_NUM_THREADS=1 python make.py

TensorFlow and PyTorch make this an environment of some gigabytes; the tests need none of it.
"""

import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import data
from store import save

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
warnings.simplefilter("ignore")


def keras_part(*sets):
    import keras_models

    return keras_models.all_models(*sets)


def main():
    rng = np.random.default_rng(11)
    cancer, digits, diabetes, digits28 = data.cancer(), data.digits(), data.diabetes(), data.digits28()
    patterns, small_patterns, signals = data.patterns(rng), data.small_patterns(rng), data.signals(rng)
    clinic, strips = data.clinic(rng), data.strips(rng)
    sets = (cancer, digits, diabetes, digits28, patterns, small_patterns, signals, clinic, strips)

    # TensorFlow and PyTorch each bring an LLVM of their own, and the two do not bear one process.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        for name, content, set_name in other.submit(keras_part, digits, cancer, digits28, signals).result():
            save(name, content, next(s for s in sets if s.name == set_name))

    import classical
    import quantised
    import torch_models

    classical.linear(cancer, digits, diabetes)
    classical.preprocessing(cancer, digits, diabetes, clinic)
    classical.vectorised(cancer)
    classical.networks(cancer, digits, diabetes)
    torch_models.all_models(digits, digits28, patterns, small_patterns, signals, strips)
    quantised.all_models(digits, digits28, patterns, small_patterns)
    for part in sets:
        part.write()


if __name__ == "__main__":
    main()
