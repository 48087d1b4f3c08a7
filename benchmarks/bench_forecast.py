"""Forecasters at default parameters beside naive, AutoETS and SARIMAX on ten series.

    python benchmarks/bench_forecast.py [series ...] [--cell GRU] [--seeds 3] [--points 3]
                                        [--no-rivals]

Prints for each series the mean absolute scaled error (the unit is that of repeating the last season
in the past) of what follows the last points, and the share of true values in intervals of 80 %.
Needs statsmodels, whose data sets are six of the ten; AutoETS needs sktime. RNNKIT_DATA is the data
folder.
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import rnnkit
from rnnkit.metrics import interval_coverage, mean_absolute_scaled_error

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


def main():
    """Print a line for each series, and the goals."""
    warnings.simplefilter("ignore")  # of the rivals' optimizers
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="series")
    parser.add_argument("--cell", default="GRU", choices=("RNN", "LSTM", "GRU"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--points", type=int, default=3)
    parser.add_argument("--no-rivals", action="store_true")
    options = parser.parse_args()
    series = all_series()
    unknown = set(options.names) - set(series)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(series)}")
    make = getattr(rnnkit, f"{options.cell}Forecaster")
    rivals = {} if options.no_rivals else {"AutoETS": exponential_smoothing, "SARIMAX": sarimax}
    found = []
    for name, (y, season, ahead) in series.items():
        if options.names and name not in options.names:
            continue
        errors = {method: [] for method in ("naive", *rivals)}
        own, inside = [[] for _ in range(options.seeds)], []
        for past, future in points_of(y, ahead, options.points):

            def error(forecast, past=past, future=future, season=season):
                return mean_absolute_scaled_error(future, forecast, past, period=season)

            errors["naive"].append(error(np.resize(past[-season:], ahead)))
            for method, rival in rivals.items():
                errors[method].append(error(rival(past, season, ahead)))
            for seed in range(options.seeds):
                forecaster = make(random_state=seed).fit(past, fh=np.arange(1, ahead + 1))
                own[seed].append(error(forecaster.predict()))
                interval = forecaster.predict_interval(coverage=0.8)
                inside.append(interval_coverage(future, interval[:, 0], interval[:, 1]))
        means = np.mean(own, axis=1)
        row = {method: float(np.mean(each)) for method, each in errors.items()}
        row |= {"own": float(means.mean()), "inside": float(np.mean(inside))}
        found.append(row)
        others = "  ".join(f"{method} {row[method]:.3f}" for method in errors)
        print(
            f"{name:18} {options.cell} {row['own']:.3f} ± {means.std():.3f}  {others}  "
            f"coverage {row['inside']:.2f}",
            flush=True,
        )
    own, naive = (np.mean([row[key] for row in found]) for key in ("own", "naive"))
    print(f"mean {own:.3f}, {1 - own / naive:.0%} below naive {naive:.3f} (goal: 20 %)")
    for method in rivals:
        level = sum(row["own"] <= 1.02 * row[method] for row in found)
        print(f"level (within 2 %) with or better than {method} on {level} of {len(found)}")
    print(f"coverage of 80 % intervals {np.mean([row['inside'] for row in found]):.3f}")


if __name__ == "__main__":
    main()
