"""Few sequences with noisy numbers: what keeps a regressor from learning the noise by heart?

    python benchmarks/bench_few.py [set ...] [--seeds 3] [--with NAME=VALUE ...]

`LSTMRegressor()` as constructed by default, the same with a third of the sequences set aside for
`early_stopping`, and the same fitted to all sequences for the number of epochs that one held-out
third chose, and, by --with, with other parameters than the default; beside the better of the two
linear models of `bench_defaults.py` (chosen on the training part). R² on other sequences, mean and
standard deviation over seeds, seconds of a fit. Most sets are generated: an answer of unit
variance, and noise of the deviation that the set's name ends in.
"""

import argparse
import time
import warnings

import numpy as np
from bench_defaults import SETS, linear_score, parameters_of
from harness import Results
from sklearn.model_selection import train_test_split

from rnnkit import LSTMRegressor

N_STEPS, N_FEATURES, N_TEST = 24, 2, 400
ANSWERS = {
    "sum": lambda X: X[:, -4:, 0].sum(axis=1),
    "largest": lambda X: X[:, :, 0].max(axis=1),
    "product": lambda X: X[:, -1, 0] * X[:, -2, 1],
    "nothing": lambda X: np.zeros(len(X)),
}
GENERATED = [
    ("sum", 100, 1.0),
    ("sum", 100, 0.1),
    ("sum", 400, 1.0),
    ("largest", 150, 0.5),
    ("product", 300, 0.3),
    ("nothing", 80, 1.0),
    ("nothing", 300, 1.0),
]


def generated(answer, n_train, noise):
    """Return numbers that depend on a sequence, and noise, as `SETS` does."""
    rng = np.random.RandomState(100)
    X = rng.randn(n_train + N_TEST, N_STEPS, N_FEATURES)
    y = ANSWERS[answer](X)
    y = y / (y.std() or 1.0) + noise * rng.randn(len(X))
    return list(X[:n_train]), y[:n_train], list(X[n_train:]), y[n_train:]


def all_sets():
    """Return {name: loader}."""
    real = {name: SETS[name] for name in ("CardanoSentiment", "Covid3Month", "sums")}
    made = {
        f"{answer} of {n}, noise {noise}": lambda case=(answer, n, noise): generated(*case)
        for answer, n, noise in GENERATED
    }
    return {**real, **made}


def by_default(X, y, seed):
    return LSTMRegressor(random_state=seed).fit(X, y)


def with_a_third_aside(X, y, seed):
    model = LSTMRegressor(early_stopping=True, validation_fraction=1 / 3, random_state=seed)
    return model.fit(X, y)


def for_chosen_epochs(X, y, seed):
    """Fit all for as many epochs as were best for a third, when fitted to the others.

    Epochs are converted by the minibatches that they have.
    """
    rows = np.arange(len(X))
    train, aside = train_test_split(rows, test_size=1 / 3, random_state=seed)
    held_out = [X[i] for i in aside], y[aside]
    model = LSTMRegressor(random_state=seed)
    model.fit([X[i] for i in train], y[train], validation_data=held_out)
    largest = 64  # sequences of a minibatch
    n_epochs = model.best_epoch_ * -(-len(train) // largest) / -(-len(X) // largest)
    return LSTMRegressor(max_iter=max(1, round(n_epochs)), random_state=seed).fit(X, y)


WAYS = {"default": by_default, "third aside": with_a_third_aside, "epochs": for_chosen_epochs}


def measure(name, load, n_seeds, ways):
    """Print and return the scores of one set."""
    X, y, X_test, y_test = load()
    row = {"set": name, "linear": float(linear_score(X, y, X_test, y_test))}
    text = f"{name:24}"
    for way, fit in ways.items():
        started = time.perf_counter()
        models = [fit(X, y, seed) for seed in range(n_seeds)]
        row[f"{way} seconds"] = (time.perf_counter() - started) / n_seeds
        scores = [model.score(X_test, y_test) for model in models]
        row[way], row[f"{way} spread"] = float(np.mean(scores)), float(np.std(scores))
        text += f"  {row[way]:6.3f} ± {row[f'{way} spread']:.3f} ({row[f'{way} seconds']:.1f} s)"
    print(f"{text}  {row['linear']:6.3f}", flush=True)
    return row


def main():
    """Measure the sets named on the command line, all by default."""
    sets = all_sets()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="set", help="; ".join(sets))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--with", dest="parameters", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    unknown = set(options.names) - set(sets)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {'; '.join(sets)}")
    warnings.simplefilter("ignore")
    results, ways = Results("few"), dict(WAYS)
    if parameters := parameters_of(options.parameters):
        ways |= {
            " ".join(options.parameters): lambda X, y, seed: LSTMRegressor(
                random_state=seed, **parameters
            ).fit(X, y)
        }
    print(f"{'':24}" + "".join(f"  {way:<22}" for way in ways) + "  linear")
    rows = []
    for name in options.names or sets:
        rows.append(measure(name, sets[name], options.seeds, ways))
        results.write(kind="row", **rows[-1])
    for way in (*ways, "linear"):
        print(f"mean of {way}: {np.mean([row[way] for row in rows]):.3f}")


if __name__ == "__main__":
    main()
