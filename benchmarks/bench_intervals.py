"""Intervals for the next value of real series: coverage and width beside conformal ones.

    python benchmarks/bench_intervals.py [series ...] [--seeds 3] [--alpha 0.2]

From the last values of a series (of its logarithm where it grows by shares) each method gives an
interval for the next change that should hold the share 1 - alpha. The first 60 % are for training;
the next 20 % for training too, or for calibration where a method needs it; the last 20 % are
scored.

quantiles          LSTMRegressor(loss="quantile", quantile=[alpha / 2, 0.5, 1 - alpha / 2])
two models         a model for each end, as one had to without; `crossed` are its empty intervals
conformal          LSTMRegressor() ± a quantile of its errors on the calibration part (Papadopoulos
                   et al. 2002): of one width everywhere
MAPIE              the same by mapie.regression.SplitConformalRegressor, if it is installed
conformal quantile the first, trained on less, moved at both ends by one number from the
                   calibration part (Romano, Patterson & Candès 2019)
constant           the quantiles of the changes in training

All networks stop early and are else as constructed by default. Width and score (Gneiting & Raftery
2007, smaller is better) are in standard deviations of the changes; all figures are means over
seeds. The data folder is taken from RNNKIT_DATA.
"""

import argparse
import time
import warnings

import numpy as np
from bench_defaults import loaders
from sklearn.pipeline import make_pipeline

from rnnkit import LSTMRegressor
from rnnkit.metrics import interval_coverage, interval_score
from rnnkit.preprocessing import SequenceScaler

SERIES = {
    "airline-passengers": (24, np.log),
    "monthly-sunspots": (36, np.sqrt),
    "daily-max-temperatures": (30, np.asarray),
}


def examples(name):
    """Windows (n, W, 1) of changes, and the change after each, in its standard deviations."""
    n_steps, transform = SERIES[name]
    changes = np.diff(transform(loaders().series(name)))
    changes = changes / changes.std()
    windows = np.lib.stride_tricks.sliding_window_view(changes, n_steps + 1)
    return windows[:, :-1, None], windows[:, -1]


def network(seed, **parameters):
    regressor = LSTMRegressor(early_stopping=True, random_state=seed, **parameters)
    return make_pipeline(SequenceScaler(), regressor)


def quantile_network(seed, levels, X, y):
    return network(seed, loss="quantile", quantile=levels).fit(X, y)


def largest_of(scores, alpha):
    """The calibration score that the next one exceeds with probability alpha at most."""
    rank = int(np.ceil((len(scores) + 1) * (1 - alpha)))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


def by_quantiles(seed, alpha, train, calibration, X):
    both = [np.concatenate(parts) for parts in zip(train, calibration)]
    predicted = quantile_network(seed, [alpha / 2, 0.5, 1 - alpha / 2], *both).predict(X)
    return predicted[:, 0], predicted[:, 2]


def by_two_models(seed, alpha, train, calibration, X):
    both = [np.concatenate(parts) for parts in zip(train, calibration)]
    ends = alpha / 2, 1 - alpha / 2
    return [quantile_network(seed, level, *both).predict(X) for level in ends]


def by_conformal(seed, alpha, train, calibration, X):
    model = network(seed).fit(*train)
    reach = largest_of(np.abs(calibration[1] - model.predict(calibration[0])), alpha)
    return model.predict(X) - reach, model.predict(X) + reach


def by_mapie(seed, alpha, train, calibration, X):
    from mapie.regression import SplitConformalRegressor

    model = SplitConformalRegressor(network(seed).fit(*train), 1 - alpha, prefit=True)
    _, intervals = model.conformalize(*calibration).predict_interval(X)
    return intervals[:, 0, 0], intervals[:, 1, 0]


def by_conformal_quantiles(seed, alpha, train, calibration, X):
    model = quantile_network(seed, [alpha / 2, 1 - alpha / 2], *train)
    lower, upper = model.predict(calibration[0]).T
    reach = largest_of(np.maximum(lower - calibration[1], calibration[1] - upper), alpha)
    lower, upper = model.predict(X).T
    middle = (lower + upper) / 2  # a negative reach never turns an interval inside out
    return np.minimum(lower - reach, middle), np.maximum(upper + reach, middle)


def by_constant(seed, alpha, train, calibration, X):
    changes = np.concatenate([train[1], calibration[1]])
    return [np.full(len(X), np.quantile(changes, level)) for level in (alpha / 2, 1 - alpha / 2)]


METHODS = {
    "quantiles": by_quantiles,
    "two models": by_two_models,
    "conformal": by_conformal,
    "MAPIE": by_mapie,
    "conformal quantile": by_conformal_quantiles,
    "constant": by_constant,
}


def scores(method, seed, alpha, X, y):
    """Coverage, width, score and the share of intervals that were empty."""
    first, second = int(0.6 * len(X)), int(0.8 * len(X))
    train, calibration = (X[:first], y[:first]), (X[first:second], y[first:second])
    lower, upper = method(seed, alpha, train, calibration, X[second:])
    crossed = np.mean(lower > upper)
    lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
    inside = interval_coverage(y[second:], lower, upper)
    return inside, np.mean(upper - lower), interval_score(y[second:], lower, upper, alpha), crossed


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("series", nargs="*", default=list(SERIES), help=f"of {', '.join(SERIES)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--alpha", type=float, default=0.2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"intervals that should hold {1 - arguments.alpha:.0%}")
    print(f"{'series':23} {'method':19} coverage  width  score  crossed  seconds")
    for name in arguments.series:
        X, y = examples(name)
        for label, method in METHODS.items():
            start = time.perf_counter()
            try:
                runs = [
                    scores(method, seed, arguments.alpha, X, y) for seed in range(arguments.seeds)
                ]
            except ModuleNotFoundError as error:
                print(f"{name:23} {label:19} not installed: {error.name}")
                continue
            seconds = (time.perf_counter() - start) / arguments.seeds
            coverage, width, score, crossed = np.mean(runs, axis=0)
            print(
                f"{name:23} {label:19} {coverage:8.3f} {width:6.2f} {score:6.2f} {crossed:8.3f}"
                f" {seconds:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
