"""Forecasters at default parameters beside naive, AutoETS and SARIMAX on ten series.

    python benchmarks/bench_forecast.py [series ...] [--cell GRU] [--seeds 3] [--points 3]
                                        [--strategy direct] [--no-rivals]
    python benchmarks/bench_forecast.py --resume FILE --limit 200

Prints for each series the mean absolute scaled error (the unit is that of repeating the last
season in the past) of what follows the last points, and the share of true values in intervals of
80 %; then each goal. On one core it takes about five minutes, most of them the rivals'. The
second form does it in pieces: again until nothing is left. Needs statsmodels, whose data sets are
six of the ten; AutoETS needs sktime. RNNKIT_DATA is the data folder.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import rnnkit
from rnnkit.metrics import interval_coverage, mean_absolute_scaled_error

BELOW_NAIVE = (
    0.2  # share by which the mean error is to be below that of the seasonal naive forecast
)
LEVEL = 1.02  # times a rival's error that count as level
SHARE = 0.5  # of the series on which it is to be level with a rival or better
COVERAGE, OFF = 0.8, 0.05  # of the intervals, and how far the share inside may be from it

DATA = Path(os.environ.get("RNNKIT_DATA", "../shared/data")) / "csv"


def column(name):
    """Return the numbers of a file, and the dates beside them."""
    table = pd.read_csv(DATA / name)
    return table.iloc[:, 1].to_numpy(float), table.iloc[:, 0]


def all_series():
    """Return name -> (series, steps of a season by the calendar, steps ahead)."""
    import statsmodels.api as sm

    def given(name):
        return getattr(sm.datasets, name).load_pandas().data

    days, dates = column("daily-max-temperatures.csv")
    temperatures = pd.Series(days, pd.to_datetime(dates)).resample("MS").mean().to_numpy()
    co2 = given("co2")["co2"].interpolate().resample("MS").mean().to_numpy()
    macro = given("macrodata")
    return {
        "airline": (column("airline-passengers.csv")[0], 12, 24),
        "sunspots, monthly": (column("monthly-sunspots.csv")[0][-600:], 12, 24),
        "temperatures": (temperatures, 12, 24),
        "shampoo": (column("monthly-shampoo-sales.csv")[0], 12, 6),
        "co2": (co2, 12, 24),
        "elnino": (given("elnino").iloc[:, 1:].to_numpy(float).ravel(), 12, 24),
        "gdp": (macro["realgdp"].to_numpy(float), 4, 8),
        "unemployment": (macro["unemp"].to_numpy(float), 4, 8),
        "sunspots, yearly": (given("sunspots")["SUNACTIVITY"].to_numpy(float), 1, 11),
        "nile": (given("nile")["volume"].to_numpy(float), 1, 10),
    }


def points_of(y, ahead, n):
    """Yield what is known and what follows, at the last points of a series."""
    step = max(1, ahead // 2) if len(y) < 150 else ahead
    for back in reversed(range(n)):
        end = len(y) - back * step
        yield y[: end - ahead], y[end - ahead : end]


def exponential_smoothing(y, season, ahead):
    """Return the forecast of sktime's AutoETS, which chooses by AIC."""
    from sktime.forecasting.ets import AutoETS

    return AutoETS(auto=True, sp=season).fit(pd.Series(y)).predict(np.arange(1, ahead + 1))


def sarimax(y, season, ahead):
    """Return the forecast of the SARIMAX with the smallest AIC among a few usual orders."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    orders = [(0, 1, 1), (1, 1, 1), (2, 1, 2)]
    seasonal = (0, 1, 1, season) if season > 1 else (0, 0, 0, 0)
    if season == 1:
        orders += [(2, 0, 1), (3, 0, 0)]
    fits = [
        SARIMAX(y, order=order, seasonal_order=seasonal, trend=None if order[1] else "c").fit(
            disp=0, maxiter=50
        )
        for order in orders
    ]
    return min(fits, key=lambda fit: fit.aic).forecast(ahead)


class Pieces:
    """What was measured, kept in a file so that the next run goes on from there.

    Parameters
    ----------
    path : Path or None
        The file; None: nothing is kept.
    limit : float or None
        Seconds after which nothing is begun.
    """

    def __init__(self, path, limit):
        self._path = path
        self._end = time.perf_counter() + (limit or float("inf"))
        self._found = json.loads(path.read_text()) if path and path.exists() else {}
        self.n_left = 0

    def measured(self, key, measure):
        """Return what `measure` returns, a dict of numbers; None if no time is left for it."""
        key = ", ".join(map(str, key))
        if key not in self._found:
            if time.perf_counter() >= self._end:
                self.n_left += 1
                return None
            self._found[key] = measure()
            if self._path:
                self._path.write_text(json.dumps(self._found, indent=0))
        return self._found[key]


def own(make, past, future, season):
    """Return error, and share of true values inside intervals, of a forecaster."""
    forecaster = make().fit(past, fh=np.arange(1, len(future) + 1))
    interval = forecaster.predict_interval(coverage=COVERAGE)
    return {
        "error": error_of(forecaster.predict(), past, future, season),
        "inside": float(interval_coverage(future, interval[:, 0], interval[:, 1])),
    }


def error_of(forecast, past, future, season):
    """Return the mean absolute scaled error of a forecast."""
    return float(mean_absolute_scaled_error(future, forecast, past, period=season))


def row_of(name, y, season, ahead, options, rivals, pieces):
    """Measure one series; return its figures, None while some are missing."""
    methods = {"naive": lambda past: np.resize(past[-season:], ahead)}
    methods |= {key: lambda past, f=f: f(past, season, ahead) for key, f in rivals.items()}
    make = getattr(rnnkit, f"{options.cell}Forecaster")
    errors = {method: [] for method in methods}
    seeds = [[] for _ in range(options.seeds)]
    for point, (past, future) in enumerate(points_of(y, ahead, options.points)):
        for method, forecast in methods.items():

            def rival(forecast=forecast, past=past, future=future):
                return {"error": error_of(forecast(past), past, future, season)}

            errors[method].append(pieces.measured((name, options.points, point, method), rival))
        for seed in range(options.seeds):

            def forecaster(seed=seed, past=past, future=future):
                settings = {"strategy": options.strategy, "random_state": seed}
                return own(lambda: make(**settings), past, future, season)

            key = (name, options.points, point, options.cell, options.strategy, seed)
            seeds[seed].append(pieces.measured(key, forecaster))
    if any(None in found for found in (*errors.values(), *seeds)):
        return None
    row = {key: float(np.mean([f["error"] for f in found])) for key, found in errors.items()}
    means = np.mean([[f["error"] for f in found] for found in seeds], axis=1)
    row |= {"own": float(means.mean()), "spread": float(means.std())}
    return row | {"inside": float(np.mean([f["inside"] for found in seeds for f in found]))}


def main():
    """Print a line for each series, and the goals."""
    warnings.simplefilter("ignore")  # of the rivals' optimizers
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="series")
    parser.add_argument("--cell", default="GRU", choices=("RNN", "LSTM", "GRU"))
    parser.add_argument("--strategy", default=rnnkit.GRUForecaster().strategy)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--points", type=int, default=3)
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="what was measured already")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="begin nothing after them")
    options = parser.parse_args()
    series = all_series()
    unknown = set(options.names) - set(series)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(series)}")
    rivals = {} if options.no_rivals else {"AutoETS": exponential_smoothing, "SARIMAX": sarimax}
    pieces = Pieces(options.resume, options.limit)
    found = []
    for name, (y, season, ahead) in series.items():
        if options.names and name not in options.names:
            continue
        row = row_of(name, y, season, ahead, options, rivals, pieces)
        if row is None:
            continue
        found.append(row)
        others = "  ".join(f"{method} {row[method]:.3f}" for method in ("naive", *rivals))
        print(
            f"{name:18} {options.cell} {row['own']:.3f} ± {row['spread']:.3f}  {others}  "
            f"coverage {row['inside']:.2f}",
            flush=True,
        )
    if pieces.n_left:
        print(f"{pieces.n_left} measurements are left for the next run")
    elif found:
        print_goals(found, rivals)


def print_goals(found, rivals):
    """Print each goal beside its figure."""

    def tell(what, figure, goal, is_met):
        print(f"{what:46} {figure:>16}  goal {goal:18} {'met' if is_met else 'MISSED'}")

    ours, naive = (np.mean([row[key] for row in found]) for key in ("own", "naive"))
    below = 1 - ours / naive
    print(f"mean error {ours:.3f}, of the seasonal naive forecast {naive:.3f}")
    tell(
        "below the seasonal naive forecast by",
        f"{below:.0%}",
        f">= {BELOW_NAIVE:.0%}",
        below >= BELOW_NAIVE,
    )
    for method in rivals:
        level = sum(row["own"] <= LEVEL * row[method] for row in found)
        what = f"level with (within 2 %) or better than {method}"
        least = int(np.ceil(SHARE * len(found)))
        tell(what, f"{level} of {len(found)}", f">= {least}", level >= least)
    inside = np.mean([row["inside"] for row in found])
    goal = f"{COVERAGE - OFF:.2f} to {COVERAGE + OFF:.2f}"
    tell("share inside intervals of 80 %", f"{inside:.3f}", goal, abs(inside - COVERAGE) <= OFF)


if __name__ == "__main__":
    main()
