"""How good would a forecast have been? A forecaster at three points of the past, in two ways.

Airline passengers (or, where sktime is not installed, a series like them), twelve months ahead:
`TimeSeriesSplit` of scikit-learn, and `ExpandingWindowSplitter` of sktime if it is there, say what
is known and what is to be foreseen at each point. Then a grid search over the same splits.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from rnnkit import GRUForecaster


def series():
    try:
        from sktime.datasets import load_airline

        return load_airline()
    except ImportError:
        rng = np.random.RandomState(0)
        t = np.arange(144)
        values = np.exp(4.8 + 0.01 * t + 0.15 * np.sin(2 * np.pi * t / 12) + 0.03 * rng.randn(144))
        return pd.Series(values, pd.period_range("1949-01", periods=144, freq="M"))


def splitters():
    found = {"scikit-learn": TimeSeriesSplit(3, test_size=12)}
    try:
        from sktime.split import ExpandingWindowSplitter

        found["sktime"] = ExpandingWindowSplitter(
            fh=np.arange(1, 13), initial_window=108, step_length=12
        )
    except ImportError:
        print("sktime is not installed: its splitter is left out")
    return found


def main():
    y = series()
    forecaster = GRUForecaster(16, random_state=0)
    for name, splitter in splitters().items():
        found = forecaster.backtest(y, splits=splitter)
        for cutoff, error, share in zip(found["cutoff"], found["mase"], found["coverage"]):
            print(
                f"{name}: known up to {y.index[cutoff]}, error {error:.2f} in units of repeating "
                f"the last year, {share:.0%} inside intervals of 80 %"
            )
    search = GridSearchCV(
        GRUForecaster(16, horizon=12, random_state=0),
        {"stabilize": ["log", None]},
        cv=TimeSeriesSplit(3, test_size=12),
    ).fit(y)
    scores = dict(zip(search.cv_results_["param_stabilize"], search.cv_results_["mean_test_score"]))
    print(
        "mean score by stabilize:", {key: round(float(score), 2) for key, score in scores.items()}
    )
    print(search.predict(range(1, 4)).round(0))


if __name__ == "__main__":
    main()
