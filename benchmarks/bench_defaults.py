"""What an estimator scores as it is constructed by default, beside linear models and PyTorch.

    python benchmarks/bench_defaults.py [set ...] [--seeds 3] [--scaled] [--torch]
        [--with NAME=VALUE ...]

No set is folded or tuned; `LSTMClassifier()` or `LSTMRegressor()` gets the training part and is
scored on the test part (accuracy or R²), its numbers as they are, or with --scaled behind
`SequenceScaler()`. Beside it stand the majority or mean, the better of two linear models (mean,
deviation, least, largest and last value of every channel; means of five segments; both standardized
and chosen on the training part by cross-validation), and with --torch a plain PyTorch loop of the
same size, minibatches, learning rate and number of updates. --with gives other parameters than the
default, to see what a default is worth. The data folder is taken from RNNKIT_DATA.
"""

import argparse
import ast
import importlib.util
import os
import time
import warnings
from pathlib import Path

import numpy as np
from harness import Results
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import LSTMClassifier, LSTMRegressor
from rnnkit.preprocessing import SequenceScaler, TokenEncoder

SEGMENTS = 5


def loaders():
    """Return the module that reads the data folder."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("RNNKIT_DATA", default)) / "loaders.py"
    spec = importlib.util.spec_from_file_location("loaders", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(name):
    """A set of the UCR and UEA archives with its own split."""
    (X, y), (X_test, y_test) = (loaders().ts(name, part) for part in ("TRAIN", "TEST"))
    return X, y, X_test, y_test


def numbers(name):
    """A regression set of the archives."""
    X, y, X_test, y_test = archive(name)
    return X, np.array(y, float), X_test, np.array(y_test, float)


def digits(as_steps):
    """Eight by eight digits, as eight steps of eight or 64 steps of one."""
    data = load_digits()
    X = list(data.images if as_steps == 8 else data.data[:, :, None])
    X, X_test, y, y_test = train_test_split(X, data.target, random_state=0, stratify=data.target)
    return X, y, X_test, y_test


def surnames():
    """Characters of surnames as ids; which of 18 nationalities."""
    module = loaders()
    pairs = module.names()
    test = np.array(module.hash_split([name for name, _ in pairs]))
    words = np.array([name for name, _ in pairs], object)
    y = np.array([nationality for _, nationality in pairs])
    encoder = TokenEncoder().fit(words[~test])
    return encoder.transform(words[~test]), y[~test], encoder.transform(words[test]), y[test]


def frequencies(seed=0):
    """One or two periods of a noisy sine in 24 steps."""
    rng = np.random.RandomState(seed)
    y = rng.randint(2, size=300)
    X = np.sin(np.arange(24) / 24 * 2 * np.pi * (1 + y[:, None])) + 0.6 * rng.randn(300, 24)
    return _halves(X[:, :, None], y)


def sums(seed=0):
    """The sum of the last four of ten numbers."""
    X = np.random.RandomState(seed).randn(600, 10, 1)
    return _halves(X, X[:, -4:, 0].sum(axis=1))


def products(seed=0):
    """The product of the last two of ten numbers, which no linear model of them knows."""
    X = np.random.RandomState(seed).randn(1200, 10, 1)
    return _halves(X, X[:, -1, 0] * X[:, -2, 0])


def orders(seed=0):
    """Which of two marks comes first among 20 to 30 noisy steps."""
    rng = np.random.RandomState(seed)
    X, y = [], rng.randint(2, size=400)
    for label in y:
        x = 0.2 * rng.randn(rng.randint(20, 31), 2)
        first, second = np.sort(rng.choice(len(x), 2, replace=False))
        x[first, label] += 2
        x[second, 1 - label] += 2
        X.append(x)
    return _halves(X, y)


def _halves(X, y):
    half = len(X) // 2
    return list(X[:half]), y[:half], list(X[half:]), y[half:]


SETS = {
    "JapaneseVowels": lambda: archive("JapaneseVowels"),
    "GunPoint": lambda: archive("GunPoint"),
    "ItalyPowerDemand": lambda: archive("ItalyPowerDemand"),
    "PickupGestureWiimoteZ": lambda: archive("PickupGestureWiimoteZ"),
    "CardanoSentiment": lambda: numbers("CardanoSentiment"),
    "Covid3Month": lambda: numbers("Covid3Month"),
    "digits by rows": lambda: digits(8),
    "digits by pixels": lambda: digits(64),
    "frequencies": frequencies,
    "sums": sums,
    "products": products,
    "orders": orders,
    "names": surnames,
    "ACSF1": lambda: archive("ACSF1"),
    "PLAID": lambda: archive("PLAID"),
}


def is_regression(y):
    return y.dtype.kind == "f"


def pooled(X):
    """Return what a sequence looks like without the order of its steps."""
    parts = [np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), x[-1], [len(x)]]) for x in X]
    return np.array(parts)


def segmented(X):
    """Return the mean of each of a few segments, one after the other."""
    return np.array(
        [
            np.concatenate([part.mean(0) for part in np.array_split(_at_least(x), SEGMENTS)])
            for x in X
        ]
    )


def _at_least(x):
    return x if len(x) >= SEGMENTS else np.repeat(x, SEGMENTS, axis=0)


def bags(X, n_tokens):
    """Return how often each id occurs."""
    return np.array([np.bincount(x, minlength=n_tokens)[:n_tokens] for x in X], float)


def linear_score(X, y, X_test, y_test):
    """Return the test score of the linear model that is better on the training part."""
    if X[0].ndim == 1:
        n_tokens = max(x.max(initial=0) for x in X) + 1
        views = [(bags(X, n_tokens), bags(X_test, n_tokens))]
    else:
        views = [(view(X), view(X_test)) for view in (pooled, segmented)]
    model = RidgeCV(np.logspace(-3, 3, 13)) if is_regression(y) else LogisticRegression(C=1.0)
    best = None
    for train, test in views:
        pipeline = make_pipeline(StandardScaler(), model)
        inside = cross_val_score(pipeline, train, y, cv=3).mean()
        score = pipeline.fit(train, y).score(test, y_test)
        if best is None or inside > best[0]:
            best = (inside, score)
    return best[1]


def make(y, X, seed, parameters, is_scaled=False):
    """Return a Pipeline that ends in the network, behind a scaler if numbers are to be scaled."""
    options = {**parameters, "random_state": seed}
    if X[0].ndim == 1:
        options = {"embedding_dim": 32, **options}
    network = (LSTMRegressor if is_regression(y) else LSTMClassifier)(**options)
    return make_pipeline(SequenceScaler() if is_scaled and X[0].ndim == 2 else None, network)


def measure(name, n_seeds, parameters, with_torch, is_scaled):
    """Print and return the scores of one set."""
    X, y, X_test, y_test = SETS[name]()
    dummy = DummyRegressor() if is_regression(y) else DummyClassifier()
    zeros = np.zeros((len(X), 1))
    baseline = dummy.fit(zeros, y).score(np.zeros((len(X_test), 1)), y_test)
    linear = linear_score(X, y, X_test, y_test)
    scores, rivals, epochs, started = [], [], [], time.perf_counter()
    for seed in range(n_seeds):
        model = make(y, X, seed, parameters, is_scaled).fit(X, y)
        scores.append(model.score(X_test, y_test))
        epochs.append(model[-1].n_iter_)
    seconds = (time.perf_counter() - started) / n_seeds
    if with_torch:
        from rivals.torch_defaults import torch_score

        given, given_test = model[:-1].transform(X), model[:-1].transform(X_test)
        for seed in range(n_seeds):
            score = torch_score(given, y, given_test, y_test, model[-1], epochs[seed], seed)
            rivals.append(score)
    row = {
        "set": name,
        "default": float(np.mean(scores)),
        "spread": float(np.std(scores)),
        "linear": float(linear),
        "baseline": float(baseline),
        "torch": float(np.mean(rivals)) if rivals else None,
        "epochs": float(np.mean(epochs)),
        "seconds": seconds,
    }
    torch_text = f"  torch {row['torch']:.3f}" if rivals else ""
    below = "  BELOW" if row["default"] < linear - max(row["spread"], 0.005) else ""
    print(
        f"{name:22} {row['default']:.3f} ± {row['spread']:.3f}  linear {linear:.3f}"
        f"  baseline {baseline:.3f}{torch_text}  {row['epochs']:.0f} epochs"
        f"  {seconds:.1f} s a fit{below}",
        flush=True,
    )
    return row


def parameters_of(pairs):
    """Return {name: value} of texts NAME=VALUE; a value that Python does not read is a text."""
    parameters = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parameters[name] = value
    return parameters


def main():
    """Measure the sets named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="set", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scaled", action="store_true")
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--with", dest="parameters", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    unknown = set(options.names) - set(SETS)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(SETS)}")
    parameters = parameters_of(options.parameters)
    warnings.simplefilter("ignore")
    results = Results("defaults")
    rows = []
    for name in options.names or SETS:
        rows.append(measure(name, options.seeds, parameters, options.torch, options.scaled))
        results.write(kind="row", parameters=parameters, scaled=options.scaled, **rows[-1])
    print(f"{'mean':22} {np.mean([row['default'] for row in rows]):.3f}")


if __name__ == "__main__":
    main()
