"""
A fan of quantiles
==================

How much a day's demand can vary depends on the hour. One network with several quantiles says for
every step between which values the next one will lie; its quantiles never cross.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUSequenceRegressor
from rnnkit.metrics import interval_coverage, pinball_loss

# %%
# A daily wave with noise that is large at its top and small at its bottom. The inputs of a step
# are its value and the hour of the next step, the target is the next value.

rng = np.random.RandomState(0)
hours = np.arange(24 * 160)
level = np.sin(2 * np.pi * hours / 24)
series = 50 + 10 * level + (1 + 2.5 * (1 + level)) * rng.normal(size=len(hours))
angle = 2 * np.pi * (hours[1:] % 24) / 24
steps = np.column_stack([(series[:-1] - 50) / 10, np.sin(angle), np.cos(angle)])
n = len(steps) // 48 * 48
X, y = steps[:n].reshape(-1, 48, 3), series[1 : n + 1].reshape(-1, 48)

quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
model = GRUSequenceRegressor(
    16, loss="quantile", quantile=quantiles, learning_rate_init=0.01, max_iter=60, random_state=0
).fit(X[:60], y[:60])

# %%
# On days that training did not see, about nine of ten values should lie between the outer
# quantiles.

predicted = model.predict(X[60:])
covered = interval_coverage(y[60:], predicted[..., 0], predicted[..., -1])
loss = pinball_loss(y[60:], predicted, quantile=quantiles)
print(f"inside the outer quantiles {covered:.1%}, mean pinball loss {loss:.2f}")

figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
fan, t = np.concatenate(predicted[:2]), np.arange(96)
axis.fill_between(t, fan[:, 0], fan[:, 4], color="C0", alpha=0.2, label="5 % to 95 %")
axis.fill_between(t, fan[:, 1], fan[:, 3], color="C0", alpha=0.4, label="25 % to 75 %")
axis.plot(t, fan[:, 2], color="C0", label="median")
axis.plot(t, np.concatenate(y[60:62]), "k.", label="true")
axis.set(xlabel="hour", ylabel="demand", xticks=range(0, 97, 12))
axis.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
plt.show()
