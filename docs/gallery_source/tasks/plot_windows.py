"""
Forecasts from sliding windows
==============================

One long series is cut into windows; from each a network says the next twelve values at once. The
plainest rule, "as a year ago", is drawn beside it.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import LSTMRegressor
from rnnkit.preprocessing import SlidingWindows

# %%
# A monthly series with a trend, a season that grows with it, and noise. The last four years are
# held back.

rng = np.random.RandomState(0)
months = np.arange(12 * 24)
season = 1 + 0.3 * np.sin(2 * np.pi * months / 12) + 0.1 * np.sin(4 * np.pi * months / 12)
series = (100 + months) * season * np.exp(0.03 * rng.normal(size=len(months)))

# %%
# The logarithm turns growth by a share into a shift, and differences by a year take trend and
# season out. What is left to learn is how this year's departures continue.

log = np.log(series)
change = log[12:] - log[:-12]
n_train = len(change) - 48
X, y = SlidingWindows(window=24, horizon=12).pairs(change[:n_train])
model = LSTMRegressor(16, max_iter=60, dropout=0.2, random_state=0).fit(10 * X, y)

figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
axis.plot(months[-96:], series[-96:], color="black", label="true")
errors = {"network": [], "as a year ago": []}
for begin in range(n_train, len(change), 12):
    window = change[begin - 24 : begin].reshape(1, 24, 1)
    last_year = series[begin : begin + 12]  # the series is twelve months ahead of its changes
    answers = {
        "network": last_year * np.exp(model.predict(10 * window)[0]),
        "as a year ago": last_year,
    }
    at = months[begin + 12 : begin + 24]
    for colour, (name, answer) in zip(("C1", "C0"), answers.items()):
        first = begin == n_train
        axis.plot(at, answer, ".-", linewidth=1, color=colour, label=name if first else None)
        errors[name].append(np.abs(answer - series[at]).mean())
    axis.axvline(at[0] - 0.5, color="lightgray", linestyle=":")
axis.set(xlabel="month", ylabel="series")
axis.legend(loc="upper left")
print({name: round(float(np.mean(values)), 1) for name, values in errors.items()}, "mean error")
plt.show()
