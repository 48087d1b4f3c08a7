"""How much a Hopfield network recalls: random patterns against 0.138 F, and codes of sequences.

``python benchmarks/bench_hopfield.py [--units 400] [--seeds 3]`` prints two tables.

Capacity: for loads of N patterns to F units, the share of units of a settled state that are wrong
when recall begins at a pattern with a tenth of its units turned round, in percent. By theory
Hebb's rule breaks down at N = 0.138 F; the projection holds N < F with shrinking valleys.

Codes: JapaneseVowels' sequences as pooled states of a recurrent network; the codes of the training
part, brought to one length, are stored by rule="softmax", at several beta, and each is asked for
with noise of the deviation given in units of each column's own. The figure is how often the very sequence is found, in percent,
beside plain nearest neighbours of the same noisy code.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rnnkit
from benchmarks.scores.runner import loaders
from rnnkit.energy import HopfieldNetwork

LOADS = (0.02, 0.05, 0.10, 0.12, 0.138, 0.15, 0.18, 0.25, 0.50)
NOISE = (0.5, 1.0, 1.5, 2.0)


def capacity(n_units, seeds):
    print(f"wrong units in percent, F = {n_units}, mean of {seeds} seeds")
    print(f"{'N / F':10}" + "".join(f"{load:>8}" for load in LOADS))
    for rule in ("hebb", "pseudo-inverse"):
        line = f"{rule:15}"[:14]
        for load in LOADS:
            wrong = []
            for seed in range(seeds):
                random = np.random.RandomState(seed)
                X = random.choice([-1.0, 1.0], (max(1, round(load * n_units)), n_units))
                queries = X[:50].copy()
                for query in queries:
                    query[random.choice(n_units, n_units // 10, replace=False)] *= -1
                states = HopfieldNetwork(rule, random_state=seed).fit(X).recall(queries)
                wrong.append(100 * np.mean(states != X[:50]))
            line += f"{np.mean(wrong):>8.2f}"
        print(line, flush=True)


def codes(seeds):
    X, y = loaders().ts("JapaneseVowels", "TRAIN")
    network = rnnkit.GRUClassifier(32, max_iter=30, random_state=0)
    rows = rnnkit.RecurrentFeatures(network, pooling="mean").fit(X, y).transform(X)
    rows = StandardScaler().fit_transform(rows.astype(np.float64))
    rows = normalize(rows) * np.sqrt(rows.shape[1])
    print(f"\nthe very sequence found, in percent, of {len(rows)} codes of {rows.shape[1]} numbers")
    print(f"{'noise':24}" + "".join(f"{noise:>8}" for noise in NOISE))
    asks = {f"softmax, beta={beta}": HopfieldNetwork("softmax", beta=beta) for beta in (0.1, 1, 10)}
    for name, model in {**asks, "nearest neighbour": NearestNeighbors(n_neighbors=1)}.items():
        model.fit(rows)
        line = f"{name:24}"
        for noise in NOISE:
            found = []
            for seed in range(seeds):
                noisy = rows + noise * np.random.RandomState(seed).randn(*rows.shape)
                is_own = isinstance(model, HopfieldNetwork)
                nearest = model.predict(noisy) if is_own else model.kneighbors(noisy)[1][:, 0]
                found.append(100 * np.mean(nearest == np.arange(len(rows))))
            line += f"{np.mean(found):>8.1f}"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    capacity(arguments.units, arguments.seeds)
    codes(arguments.seeds)


if __name__ == "__main__":
    main()
