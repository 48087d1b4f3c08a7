"""A deep Boltzmann machine on digits: how probable it holds digits that it did not see.

    python benchmarks/bench_deep_machine.py [--seeds 3]

prints nats for each picture of scikit-learn's digits, whose 64 pixels are on above 7 of 16: 1,300
are learnt from, 497 are not. Machines are at their default parameters but for their layers; their
figure is the bound by mean field, which is exact with one hidden layer, less log Z by annealed
importance sampling. `independent` has every pixel alone, with its frequency among those learnt
from; `mixture` is one such model for each of the ten digits, which is told the labels when it
learns.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rnnkit.energy import DeepBoltzmannMachine

N_TRAIN = 1300
LAYERS = ((100,), (100, 100), (200, 50))


def independent(train, rows):
    """Return the log-likelihood (n,) of pixels that do not depend on each other."""
    p = (train.sum(axis=0) + 1) / (len(train) + 2)
    return rows @ np.log(p) + (1 - rows) @ np.log1p(-p)


def mixture(train, labels, rows):
    """Return the log-likelihood (n,) of a mixture of the ten digits."""
    parts = [independent(train[labels == digit], rows) for digit in range(10)]
    shares = np.bincount(labels, minlength=10) / len(labels)
    return logsumexp(np.array(parts) + np.log(shares)[:, None], axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X = (X > 7).astype(float)
    train, test = X[:N_TRAIN], X[N_TRAIN:]
    print(f"{'nats a picture':24}{'learnt from':>16}{'not seen':>16}")
    for name, score in (
        ("independent", lambda rows: independent(train, rows)),
        ("mixture", lambda rows: mixture(train, y[:N_TRAIN], rows)),
    ):
        print(f"{name:24}{score(train).mean():16.2f}{score(test).mean():16.2f}")
    for layers in LAYERS:
        figures = []
        for seed in range(arguments.seeds):
            machine = DeepBoltzmannMachine(layers, random_state=seed).fit(train)
            figures.append([machine.score(train), machine.score(test)])
        means, deviations = np.mean(figures, axis=0), np.std(figures, axis=0)
        line = "".join(f"{m:>9.2f} ± {d:.2f}" for m, d in zip(means, deviations, strict=True))
        print(f"{layers!s:24}{line}", flush=True)


if __name__ == "__main__":
    main()
