"""The data sets that the zoo's models are trained and measured on: scikit-learn's bundled ones and seeded synthetic ones."""

import numpy as np
from scipy.ndimage import zoom
from sklearn import datasets

from store import Data


def cancer():
    bunch = datasets.load_breast_cancer()
    return Data("cancer", bunch.data, bunch.target, [5 if m < 1 else 3 if m < 100 else 1 for m in bunch.data.max(0)])


def diabetes():
    bunch = datasets.load_diabetes(scaled=False)
    return Data("diabetes", bunch.data, bunch.target.astype(float), 2)


def digits():
    x, y = datasets.load_digits(return_X_y=True)
    return Data("digits", x, y, 0, low=0, high=16, held_out=400)


def digits28():
    """The digits in the frame of MNIST: 20 by 20 in the middle of 28 by 28, from 0 to 1."""
    x, y = datasets.load_digits(return_X_y=True)
    big = np.zeros((len(x), 1, 28, 28))
    big[:, 0, 4:24, 4:24] = zoom(x.reshape(-1, 8, 8) / 16, (1, 2.5, 2.5), order=1)
    # Steps of 1/20 compress well.
    return Data("digits28", np.round(big * 20) / 20, y, 2, shape=(1, 28, 28), low=0, high=100, held_out=400)


def patches(rng, count, size, channels):
    """Images of four classes: stripes that lie, stand or lean, and rings, in two colours, with soft noise."""
    y = rng.integers(0, 4, count)
    i, j = np.mgrid[:size, :size]
    out = np.empty((count, channels, size, size))
    for n, kind in enumerate(y):
        period, phase = rng.uniform(4, 7), rng.uniform(0, 2 * np.pi)
        a, b = rng.uniform(size / 4, 3 * size / 4, 2)
        along = [i, j, (i + j) / np.sqrt(2), np.hypot(i - a, j - b)][kind]
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * along / period + phase)
        first, second = rng.uniform(0, 1, (2, channels, 1, 1))
        out[n] = first * wave + second * (1 - wave)
    noise = rng.normal(0, 0.1, (count, channels, size // 4, size // 4))
    out += noise.repeat(4, 2).repeat(4, 3)
    return np.round(np.clip(out, 0, 1) * 5) / 5, y


def patterns(rng):
    x, y = patches(rng, 1200, 32, 3)
    return Data("patterns", x, y, 1, shape=(3, 32, 32), low=0, high=10)


def small_patterns(rng):
    x, y = patches(rng, 1100, 16, 2)
    return Data("small_patterns", x, y, 1, shape=(2, 16, 16), low=0, high=10, held_out=400)


def signals(rng):
    """Two-channel signals of 64 steps in three classes: a sine, a square wave, a train of spikes."""
    count, steps = 900, 64
    y = rng.integers(0, 3, count)
    t = np.arange(steps)
    x = np.empty((count, 2, steps))
    for n, kind in enumerate(y):
        angle = 2 * np.pi * t / rng.uniform(10, 20) + rng.uniform(0, 6)
        wave = [np.sin(angle), np.sign(np.sin(angle)), 2 * (np.cos(angle) > 0.9) - 0.3][kind]
        x[n] = rng.uniform(0.5, 1.5) * wave + rng.normal(0, 0.15, (2, steps))
    return Data("signals", x, y, 2, shape=(2, steps), low=-300, high=300, held_out=400)


def clinic(rng):
    """A table of four measurements and three coded columns, with a class that depends on both."""
    count = 1200
    numbers = rng.normal([37, 120, 80, 5], [0.7, 15, 10, 1.2], (count, 4))
    codes = np.stack([rng.integers(0, 2, count), rng.integers(1, 5, count), rng.integers(0, 6, count)], 1)
    z = (numbers[:, 0] - 37) * 1.5 + (numbers[:, 1] - 120) / 12 + np.array([-1.5, 1, 0, 1.5, -1, 0.4])[codes[:, 2]]
    z += np.array([0, -1, 1, 0.5, -0.5])[codes[:, 1]] + 0.6 * codes[:, 0]
    y = (z + rng.logistic(0, 0.4, count) > 0.3).astype(int)
    x = np.concatenate([numbers, codes], 1)
    return Data("clinic", x, y, [1, 0, 0, 2, 0, 0, 0], held_out=400)


def strips(rng):
    """Unwrapped rings of an eye, 16 by 64, of eight eyes under changing light: the records of a feature code."""
    eyes = rng.normal(0, 1, (8, 8, 32))
    count = 400
    y = rng.integers(0, 8, count)
    x = eyes[y].repeat(2, 1).repeat(2, 2) * rng.uniform(25, 45, (count, 1, 1)) + rng.uniform(100, 150, (count, 1, 1))
    x += rng.normal(0, 6, (count, 16, 64))
    return Data("strips", np.clip(np.round(x / 8) * 8, 0, 248), y, 0, shape=(1, 16, 64), low=0, high=255)
