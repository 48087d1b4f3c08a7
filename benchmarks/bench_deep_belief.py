"""A deep belief network on digits from few labels, beside the same net without pretraining.

``python benchmarks/bench_deep_belief.py [--seeds 5] [--iterations 20,60]`` prints, for 50, 100 and
200 labels among the first 1300 of scikit-learn's digits, the accuracy on the other 497: its mean
over the seeds, which choose the labelled rows and begin the networks, and its deviation. Layers
are learnt from all 1300 rows; everything else sees the labelled ones alone. The first row is the
network at its default parameters; "lbfgs" is the other solver at its own, with and without
pretraining; beside these stand `MLPClassifier` at its default parameters and logistic regression.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rnnkit.energy import DeepBeliefNetwork

LABELS = (50, 100, 200)
N_TRAIN = 1300


def networks(iterations):
    """Return what is compared, by name: a function of the seed."""
    table = {"deep belief network": lambda seed: DeepBeliefNetwork(random_state=seed)}
    for n in iterations:
        table[f"  lbfgs, pretrained {n} times"] = lambda seed, n=n: DeepBeliefNetwork(
            pretrain_iter=n, solver="lbfgs", random_state=seed
        )
    table["  adam, not pretrained"] = lambda seed: DeepBeliefNetwork(
        pretrain_iter=0, random_state=seed
    )
    table["  lbfgs, not pretrained"] = lambda seed: DeepBeliefNetwork(
        pretrain_iter=0, solver="lbfgs", random_state=seed
    )
    table["MLPClassifier"] = lambda seed: MLPClassifier(random_state=seed)
    table["logistic regression"] = lambda seed: LogisticRegression(max_iter=1000)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", default="20,60", help="passes of pretraining")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X = X / 16
    X_test, y_test = X[N_TRAIN:], y[N_TRAIN:]
    iterations = [int(n) for n in arguments.iterations.split(",")]
    print(f"{'labels':32}" + "".join(f"{n:>16}" for n in LABELS))
    for name, make in networks(iterations).items():
        line = f"{name:32}"
        for n in LABELS:
            scores = []
            for seed in range(arguments.seeds):
                chosen = np.random.RandomState(seed).permutation(N_TRAIN)[:n]
                model = make(seed)
                if isinstance(model, DeepBeliefNetwork):
                    partly = np.full(N_TRAIN, -1)
                    partly[chosen] = y[chosen]
                    model.fit(X[:N_TRAIN], partly)
                else:
                    model.fit(X[chosen], y[chosen])
                scores.append(model.score(X_test, y_test))
            line += f"{np.mean(scores):>9.3f} ± {np.std(scores):.3f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
