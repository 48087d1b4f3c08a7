"""A network and a linear model, stacked: as good as the better of both, whichever that is?

    python benchmarks/bench_stacked.py [set ...] [--seeds 3] [--scaled] [--with NAME=VALUE ...]

`LSTMClassifier()` or `LSTMRegressor()` as constructed by default, with --scaled behind
`SequenceScaler()`, by --with with other parameters; a linear model of `SequenceSummary()`; and
scikit-learn's stack of the two, which weighs them by what they predict of sequences left out, in
five folds. Accuracy or R² on other sequences, mean and standard deviation
over seeds, seconds of a fit. The sets are those of `bench_defaults.py` but the long ones and the
names, and those of `bench_few.py`.
"""

import argparse
import time
import warnings

import numpy as np
from bench_defaults import SETS, is_regression, make, parameters_of
from bench_few import all_sets
from harness import Results
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit.preprocessing import SequenceSummary

LEFT_OUT = ("names", "ACSF1", "PLAID")
COLUMNS = ("network", "linear", "stacked")


def models(X, y, seed, parameters, is_scaled):
    """Return the three models by their column."""
    if is_regression(y):
        last = RidgeCV(np.logspace(-3, 3, 13))
        stack, final, folds = StackingRegressor, LinearRegression(positive=True), KFold
    else:
        last = LogisticRegression()
        stack, final, folds = StackingClassifier, LogisticRegression(), StratifiedKFold
    network = make(y, X, seed, parameters, is_scaled)
    linear = make_pipeline(SequenceSummary(), StandardScaler(), last)
    cv = folds(5, shuffle=True, random_state=seed)
    both = stack([("network", network), ("linear", linear)], final, cv=cv)
    return dict(zip(COLUMNS, (network, linear, both), strict=True))


def measure(name, load, results, n_seeds, parameters, is_scaled):
    """Print the scores of one set; return whether the stack is below neither by the spread."""
    X, y, X_test, y_test = load()
    X, X_test = list(X), list(X_test)
    scores = {column: [] for column in COLUMNS}
    seconds = dict.fromkeys(COLUMNS, 0.0)
    for seed in range(n_seeds):
        for column, model in models(X, y, seed, parameters, is_scaled).items():
            started = time.perf_counter()
            fitted = clone(model).fit(X, y)
            seconds[column] += (time.perf_counter() - started) / n_seeds
            scores[column].append(fitted.score(X_test, y_test))
    means = {column: float(np.mean(found)) for column, found in scores.items()}
    spreads = {column: float(np.std(found)) for column, found in scores.items()}
    allowed = max(spreads["network"], spreads["stacked"], 0.005)
    below = means["stacked"] < max(means["network"], means["linear"]) - allowed
    shown = "".join(f"{means[column]:9.3f} ± {spreads[column]:.3f}" for column in COLUMNS)
    times = "".join(f"{seconds[column]:7.1f}" for column in COLUMNS)
    print(f"{name:26}{shown}{times}{'  BELOW' if below else ''}", flush=True)
    results.write(
        kind="stacked",
        set=name,
        parameters=parameters,
        scaled=is_scaled,
        scores=scores,
        seconds=seconds,
    )
    return not below


def main():
    """Measure the sets named on the command line, all by default."""
    sets = {name: load for name, load in SETS.items() if name not in LEFT_OUT}
    sets = {**sets, **{name: load for name, load in all_sets().items() if name not in sets}}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="set", help=", ".join(sets))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scaled", action="store_true")
    parser.add_argument("--with", dest="parameters", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    unknown = set(options.names) - set(sets)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(sets)}")
    warnings.simplefilter("ignore")
    results = Results("stacked")
    print(f"{'':26}" + "".join(f"{column:>17}" for column in COLUMNS) + "   seconds of a fit")
    names = options.names or list(sets)
    how = options.seeds, parameters_of(options.parameters), options.scaled
    held = [measure(name, sets[name], results, *how) for name in names]
    print(f"below neither by more than the spread: {sum(held)} of {len(held)}")


if __name__ == "__main__":
    main()
