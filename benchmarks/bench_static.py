"""Held-out scores of static columns fed at every step, as the initial state, and left out.

``python benchmarks/bench_static.py`` prints a line for each problem and way: mean and standard
deviation of R² over three seeds, with every parameter at its default.

- "temperatures": 14 days of maximum temperatures; how warm is it 30 days later? Static: sine and
  cosine of the day of the year. Needs ``daily-max-temperatures.csv`` in RNNKIT_DATA/csv.
- "mixed effects": steps of noise; the target is their sum weighted by a slope that the static
  columns decide. Generated.
"""

from __future__ import annotations

import csv
import os
import warnings
from datetime import date
from pathlib import Path

import numpy as np

from rnnkit import GRURegressor, LSTMRegressor

DATA = Path(os.environ.get("RNNKIT_DATA", "../shared/data"))
WAYS = {
    "every step": (lambda x: x, {}),
    "initial state": (lambda x: x, {"static": "state"}),
    "left out": (lambda x: x[:, :1], {}),
}


def temperatures(window=14, ahead=30):
    """Windows of a series of ten years, the last three held out."""
    with open(DATA / "csv" / "daily-max-temperatures.csv", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) == 2][1:]
    values = np.array([float(row[1]) for row in rows])
    values = (values - values[:2500].mean()) / values[:2500].std()
    days = np.array([date.fromisoformat(row[0]).timetuple().tm_yday for row in rows])
    X, y = [], []
    for start in range(0, len(values) - window - ahead, 3):
        angle = 2 * np.pi * days[start] / 365.25
        static = np.repeat([[np.sin(angle), np.cos(angle)]], window, axis=0)
        X.append(np.column_stack([values[start : start + window], static]))
        y.append(values[start + window + ahead - 1])
    cut = int(0.7 * len(X))
    return X[:cut], y[:cut], X[cut:], y[cut:]


def mixed_effects(n=600):
    """Sequences of 10 to 30 steps with two static columns."""
    rng = np.random.RandomState(0)
    X, y = [], []
    for _ in range(n):
        static = rng.randn(2)
        steps = rng.randn(rng.randint(10, 31), 1)
        X.append(np.column_stack([steps, np.repeat([static], len(steps), axis=0)]))
        y.append(np.tanh(static[0]) * steps[-8:].sum() + static[1])
    return X[:400], y[:400], X[400:], y[400:]


def main():
    """Print the table."""
    for name, problem in (("temperatures", temperatures), ("mixed effects", mixed_effects)):
        X, y, X_test, y_test = problem()
        for model in (LSTMRegressor, GRURegressor):
            for way, (chosen, parameters) in WAYS.items():
                scores = [
                    model(random_state=seed, **parameters)
                    .fit([chosen(x) for x in X], y)
                    .score([chosen(x) for x in X_test], y_test)
                    for seed in range(3)
                ]
                print(
                    f"{name:14} {model.__name__:14} {way:14} R² {np.mean(scores):.3f} "
                    f"± {np.std(scores):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
