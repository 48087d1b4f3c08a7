"""
A forecast with its fan
=======================

A forecaster takes growth, season and unit out of a series by itself, says how it goes on, and how
sure that is: the fan is made of the errors of networks in the years that each had left out.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rnnkit import GRUForecaster
from rnnkit.inspection import ForecastDisplay

# %%
# Ten years of months with a trend, a season that grows with it, and noise. The last two years are
# held back.

rng = np.random.RandomState(0)
months = np.arange(12 * 12)
season = 1 + 0.3 * np.sin(2 * np.pi * months / 12) + 0.1 * np.sin(4 * np.pi * months / 12)
drift = np.cumsum(0.01 * rng.normal(size=len(months)))
values = (100 + months) * season * np.exp(drift + 0.02 * rng.normal(size=len(months)))
series = pd.Series(values, pd.period_range("2012-01", periods=len(months), freq="M"))
past, future = series[:-24], series[-24:]

# %%
# The index says that these are months, and where the forecast begins.

forecaster = GRUForecaster(16, random_state=0).fit(past, fh=range(1, 25))
print(forecaster.treatment_)
print(forecaster.predict().head(3).round(1))

# %%
# The score is the error in units of that of "as a year ago", with a minus.

quantiles = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
fan = forecaster.predict_quantiles(quantiles=quantiles)
figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
ForecastDisplay.from_predictions(
    fan.to_numpy(), quantiles=quantiles, history=past, actual=future, n_history=72, ax=axis
)
axis.set(xlabel="month", ylabel="series")
interval = forecaster.predict_interval(coverage=0.8).to_numpy()
inside = (interval[:, 0] <= future) & (future <= interval[:, 1])
print(f"score {forecaster.score(future):.2f}, in the interval of 80 %: {inside.mean():.0%}")
plt.show()
