"""A network of rnnkit as a forecaster of sktime: three years of airline passengers.

The series comes with sktime. Its logarithm is differenced over a year, all inside a pipeline of
sktime; networks learn from the nine years before. Needs ``pip install "rnnkit[sktime]"``.
"""

import warnings

import numpy as np
from sktime.datasets import load_airline
from sktime.forecasting.naive import NaiveForecaster
from sktime.transformations.boxcox import LogTransformer
from sktime.transformations.difference import Differencer

from rnnkit import LSTMSequenceRegressor
from rnnkit.adapters.sktime import RecurrentForecaster


def main():
    warnings.simplefilter("ignore")
    y = load_airline()
    past, future = y[:-36], y[-36:]
    models = {
        "the same month a year before": NaiveForecaster(sp=12),
        "the last month of all": NaiveForecaster(),
        "network alone, as by default": RecurrentForecaster(random_state=0),
    }
    for strategy in ("recursive", "multioutput"):  # "direct" fits a network for each month
        network = RecurrentForecaster(window=12, strategy=strategy, random_state=0)
        models[f"log, yearly changes, {strategy}"] = changes(network)
    in_closed_loop = RecurrentForecaster(LSTMSequenceRegressor(), random_state=0)
    models["log, yearly changes, closed loop"] = changes(in_closed_loop)
    for name, model in models.items():
        ahead = model.fit(past, fh=np.arange(1, 37)).predict()
        error = np.sqrt(((ahead - future) ** 2).mean())
        print(f"{name:36} root mean square error {error:5.1f}")


def changes(network):
    return LogTransformer() * Differencer(lags=12) * network


if __name__ == "__main__":
    main()
