"""What the advice of the literature is worth: one parameter changed at a time, the rest at default.

    python benchmarks/bench_advice.py [advice ...] [--seeds 3]

Prints held-out accuracy, mean over seeds, on two real sets of the archives, digits read row by
row, and a generated recall of 100 steps (is the first of 100 numbers positive?), for which a
network must remember. The last column is the mean of the differences from the defaults over all
sets, and beside it the largest spread (standard deviation over seeds) in the row. The data folder
is taken from RNNKIT_DATA.
"""

import argparse
import warnings

import numpy as np
from bench_defaults import SETS
from harness import Results

from rnnkit import GRUClassifier, LSTMClassifier, RNNClassifier

LAG = 100


def recall(seed=0):
    """Return sequences whose class is the sign of their first value; the rest is weak noise."""
    rng = np.random.RandomState(seed)
    y = rng.randint(2, size=600)
    X = 0.1 * rng.randn(600, LAG, 1)
    X[:, 0, 0] += 2 * y - 1
    return list(X[:400]), y[:400], list(X[400:]), y[400:]


PROBLEMS = {
    "JapaneseVowels": SETS["JapaneseVowels"],
    "ItalyPowerDemand": SETS["ItalyPowerDemand"],
    "digits": SETS["digits by rows"],
    "recall": recall,
}
# advice -> (class, parameters)
ADVICE = {
    "the defaults (LSTM)": (LSTMClassifier, {}),
    "GRU": (GRUClassifier, {}),
    "Elman": (RNNClassifier, {}),
    "forget bias 0": (LSTMClassifier, {"forget_bias": 0.0}),
    "forget bias 5": (LSTMClassifier, {"forget_bias": 5.0}),
    "chrono biases": (LSTMClassifier, {"gate_bias": "chrono"}),
    "GRU, chrono biases": (GRUClassifier, {"gate_bias": "chrono"}),
    "peepholes": (LSTMClassifier, {"peephole": True}),
    "softsign": (LSTMClassifier, {"activation": "softsign"}),
    "two layers": (LSTMClassifier, {"n_layers": 2}),
    "both directions": (LSTMClassifier, {"bidirectional": True}),
    "16 units": (LSTMClassifier, {"hidden_size": 16}),
    "256 units": (LSTMClassifier, {"hidden_size": 256}),
    "learning rate 1e-3": (LSTMClassifier, {"learning_rate_init": 1e-3}),
    "learning rate 1e-2": (LSTMClassifier, {"learning_rate_init": 1e-2}),
    "cosine from 1e-2": (
        LSTMClassifier,
        {"learning_rate_init": 1e-2, "learning_rate": "cosine"},
    ),
    "RMSProp": (LSTMClassifier, {"solver": "rmsprop"}),
    "AdaGrad, rate .03": (LSTMClassifier, {"solver": "adagrad", "learning_rate_init": 0.03}),
    "SGD with momentum, rate .1": (LSTMClassifier, {"solver": "sgd", "learning_rate_init": 0.1}),
    "Nesterov, rate .1": (LSTMClassifier, {"solver": "nesterov", "learning_rate_init": 0.1}),
    "L2, alpha .001": (LSTMClassifier, {"alpha": 1e-3}),
    "L1, .0001": (LSTMClassifier, {"l1": 1e-4}),
    "dropout .3": (LSTMClassifier, {"dropout": 0.3}),
    "recurrent dropout .2": (LSTMClassifier, {"recurrent_dropout": 0.2}),
    "input noise .3": (LSTMClassifier, {"input_noise": 0.3}),
    "early stopping": (LSTMClassifier, {"early_stopping": True}),
    "mean pooling": (LSTMClassifier, {"pooling": "mean"}),
    "attention pooling": (LSTMClassifier, {"pooling": "attention"}),
    "half the data": (LSTMClassifier, {}),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("advice", nargs="*", help="; ".join(ADVICE))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    unknown = set(options.advice) - set(ADVICE)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(ADVICE)}")
    warnings.simplefilter("ignore")
    data = {name: load() for name, load in PROBLEMS.items()}
    results = Results("advice")
    print(f"{'':28}" + "".join(f"{name:>18}" for name in data) + f"{'mean':>10}{'spread':>9}")
    first = None
    names = ["the defaults (LSTM)", *(options.advice or list(ADVICE)[1:])]
    for advice in names:
        estimator, parameters = ADVICE[advice]
        scores = []
        for X, y, X_test, y_test in data.values():
            step = 2 if advice == "half the data" else 1
            scores.append(
                [
                    estimator(random_state=seed, **parameters)
                    .fit(X[::step], y[::step])
                    .score(X_test, y_test)
                    for seed in range(options.seeds)
                ]
            )
        means, spread = np.mean(scores, axis=1), np.std(scores, axis=1).max()
        first = means if first is None else first
        difference = float((means - first).mean())
        cells = "".join(f"{mean:18.3f}" for mean in means)
        print(f"{advice:28}{cells}{difference:+10.3f}{spread:9.3f}", flush=True)
        results.write(kind="row", advice=advice, scores=means.tolist(), spread=float(spread))


if __name__ == "__main__":
    main()
