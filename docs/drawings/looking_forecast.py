"""A fan of quantiles over the steps after the end of a noisy wave."""

import numpy as np

from rnnkit import GRURegressor
from rnnkit.inspection import ForecastDisplay

rng = np.random.RandomState(0)
start = rng.uniform(0, 20, (200, 1))
wave = np.sin(start + np.arange(60) / 3) + np.cumsum(rng.normal(0, 0.1, (200, 60)), axis=1)
past, future = wave[:, :48], wave[:, 48:]
regressor = GRURegressor(
    32,
    loss="quantile",
    quantile=[0.05, 0.25, 0.5, 0.75, 0.95],
    learning_rate_init=0.01,
    max_iter=60,
    learning_rate="linear",
    random_state=0,
).fit(past[:150], future[:150])
ForecastDisplay.from_estimator(regressor, past, future, index=160)
