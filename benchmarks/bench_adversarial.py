"""Generators of series at default parameters: what a classifier learns from what they make.

``python benchmarks/bench_adversarial.py [--sets sines,...] [--seeds 0,1,2] [--cells GRU]`` prints a
table for each set. The generator is fitted with the labels of the training part, and makes at least
200 series with the labels in the same shares. The figures, one for each seed:

- accuracy on the real test part of a classifier that was trained on what was made (TSTR), beside
  that of one trained on the real training part (TRTR);
- MMD², the unbiased squared maximum mean discrepancy between made and real test series (Gaussian
  kernel, whose squared width is the median squared distance), mean over the labels; of real
  training series it is what sampling alone leaves;
- spread: the mean distance of two made series of one label, as a share of that of two real test
  series; below 0.5, or above 2, the seed has failed (mode collapse, or noise);
- the largest difference of an autocorrelation, lags 1 to 5, mean over features.

Beside them stand two plain models: for each label the mean of every step with independent noise of
its deviation, and the same with noise of a Gaussian AR(1) process for each feature.

Sets: "sines", 30 steps of a random phase, amplitude .1 to .9 and frequency, whose label is whether
it is below 2.5 periods (Esteban, Hyland & Rätsch 2017, there without labels), and sets of the UCR
and UEA archives in $RNNKIT_DATA/ts. ``--parameters "pooling='mean'"`` tries others.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rnnkit
from benchmarks.scores.runner import loaders

SETS = ("sines", "ItalyPowerDemand", "JapaneseVowels")
LEAST_MADE = 200
FAILED = 0.5, 2.0


def sines(n, seed):
    """Return n sines (30, 1) and whether each is fast."""
    rng = np.random.RandomState(seed)
    fast = np.arange(n) % 2
    frequency = np.where(fast, rng.uniform(2.5, 5, n), rng.uniform(1, 2.5, n))
    phase, amplitude = rng.uniform(-np.pi, np.pi, n), rng.uniform(0.1, 0.9, n)
    steps = 2 * np.pi * np.arange(30) / 30
    X = amplitude[:, None] * np.sin(frequency[:, None] * steps + phase[:, None])
    return list(X[:, :, None]), fast


def read(name):
    """Return training and test series with their labels."""
    if name == "sines":
        return (*sines(300, 1), *sines(600, 2))
    parts = [loaders().ts(name, part) for part in ("TRAIN", "TEST")]
    return tuple(part for X, y in parts for part in ([np.asarray(x) for x in X], np.asarray(y)))


def accuracy(X, y, X_test, y_test, scaler, seed):
    """Return what a classifier learns from series for the real test part."""
    model = rnnkit.GRUClassifier(
        32, learning_rate_init=1e-2, learning_rate="cosine", max_iter=60, random_state=seed
    )
    scale = lambda series: [(x - scaler[0]) / scaler[1] for x in series]
    return model.fit(scale(X), y).score(scale(X_test), y_test)


def vectors(X, n_steps):
    """Return series as vectors of their first steps, the last one held where they end."""
    return np.array([x[np.minimum(np.arange(n_steps), len(x) - 1)].ravel() for x in X])


def squared_distances(A, B):
    return np.maximum((A**2).sum(1)[:, None] + (B**2).sum(1) - 2 * A @ B.T, 0)


def discrepancy(A, B):
    """Return the unbiased MMD² of two sets of vectors."""
    n, together = len(A), np.concatenate([A, B])
    squares = squared_distances(together, together)
    kernel = np.exp(-squares / np.median(squares[squares > 0]))
    np.fill_diagonal(kernel, 0)
    own = kernel[:n, :n].sum() / (n * (n - 1))
    others = kernel[n:, n:].sum() / (len(B) * (len(B) - 1))
    return own + others - 2 * kernel[:n, n:].mean()


def spread(A):
    return np.sqrt(squared_distances(A, A)).sum() / (len(A) * (len(A) - 1))


def autocorrelations(X):
    """Return the autocorrelation (5, I) at lags 1 to 5, each series about its own mean."""
    sums = np.zeros((6, X[0].shape[1]))
    for x in X:
        x = x - x.mean(axis=0)
        for lag in range(6):
            sums[lag] += (x[lag:] * x[: len(x) - lag]).sum(axis=0)
    return sums[1:] / sums[0]


def figures(X, y, real, real_y, scaler):
    """Return MMD², spread and difference of autocorrelations, beside real test series."""
    n_steps = int(np.median([len(x) for x in real]))
    scale = lambda series: vectors([(x - scaler[0]) / scaler[1] for x in series], n_steps)
    found = []
    for label in np.unique(real_y):
        own = scale([x for x, each in zip(X, y) if each == label])
        other = scale([x for x, each in zip(real, real_y) if each == label])
        found.append((discrepancy(own, other), spread(own) / spread(other)))
    apart = np.abs(autocorrelations(X) - autocorrelations(real)).mean(axis=1).max()
    return (*np.mean(found, axis=0), apart)


class Plain:
    """Mean and deviation of every step of a label, with noise of an AR(1) process or none."""

    def __init__(self, is_process):
        self.is_process = is_process

    def fit(self, X, y):
        """Learn both of each label, and the lengths."""
        self.known = {}
        for label in np.unique(y):
            own = [x for x, each in zip(X, y) if each == label]
            longest = max(map(len, own))
            padded = np.full((len(own), longest, own[0].shape[1]), np.nan)
            for row, x in zip(padded, own):
                row[: len(x)] = x
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mean, std = np.nanmean(padded, axis=0), np.nanstd(padded, axis=0)
            rest = (padded - mean) / np.where(std > 0, std, 1)
            pairs = np.nansum(rest[:, 1:] * rest[:, :-1], axis=(0, 1))
            share = pairs / np.nansum(rest[:, :-1] ** 2 * ~np.isnan(rest[:, 1:]), axis=(0, 1))
            self.known[label] = mean, std, np.clip(share, -0.999, 0.999), list(map(len, own))
        return self

    def sample(self, y, random_state):
        """Return series of labels."""
        rng = np.random.RandomState(random_state)
        made = []
        for label in y:
            mean, std, share, lengths = self.known[label]
            n = lengths[rng.randint(len(lengths))]
            noise = rng.standard_normal((n, len(share)))
            if self.is_process:
                for t in range(1, n):
                    noise[t] = share * noise[t - 1] + np.sqrt(1 - share**2) * noise[t]
            made.append(mean[:n] + std[:n] * noise)
        return made, y


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--cells", default="GRU")
    parser.add_argument("--parameters", default="")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    parameters = eval(f"dict({arguments.parameters})", {"training": rnnkit.training})
    for name in arguments.sets.split(","):
        X, y, X_test, y_test = read(name)
        steps = np.concatenate(X)
        scaler = steps.mean(axis=0), steps.std(axis=0)
        asked = np.tile(y, -(-LEAST_MADE // len(y)))
        lengths = sorted({len(x) for x in X})
        print(
            f"{name}: {len(X)} series of {lengths[0]} to {lengths[-1]} steps, {X[0].shape[1]} "
            f"features, {len(set(y))} labels"
        )
        print(f"{'':28}{'accuracy':>9}{'MMD²':>9}{'spread':>8}{'autocorr.':>10}{'seconds':>9}")

        def tell(what, row):
            score, mmd, width, apart, seconds = row
            print(
                f"{what:28}{score:9.3f}{mmd:9.4f}{width:8.2f}{apart:10.3f}{seconds:9.1f}",
                flush=True,
            )

        real = accuracy(X, y, X_test, y_test, scaler, 0)
        tell("real", (real, *figures(X, y, X_test, y_test, scaler), 0.0))
        models = {"mean and noise": lambda s: Plain(False), "mean and AR(1)": lambda s: Plain(True)}
        for cell in arguments.cells.split(","):
            kind = getattr(rnnkit, f"{cell}SeriesGenerator")
            models[kind.__name__] = lambda s, kind=kind: kind(random_state=s, **parameters)
        for model_name, make in models.items():
            rows = []
            for seed in map(int, arguments.seeds.split(",")):
                began = time.perf_counter()
                model = make(seed).fit(X, y)
                seconds = time.perf_counter() - began
                made, labels = model.sample(y=asked, random_state=seed)
                score = accuracy(made, labels, X_test, y_test, scaler, seed)
                rows.append((score, *figures(made, labels, X_test, y_test, scaler), seconds))
                if not isinstance(model, Plain):
                    tell(f"  {model_name}, seed {seed}", rows[-1])
            tell(f"{model_name}, mean", np.mean(rows, axis=0))
            failed = sum(not FAILED[0] <= row[2] <= FAILED[1] for row in rows)
            if not isinstance(model, Plain):
                print(f"{model_name}: {failed} of {len(rows)} seeds failed")
        print()


if __name__ == "__main__":
    main()
