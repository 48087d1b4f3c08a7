"""
Columns that do not change
==========================

Some columns say something of the whole sequence: a patient's weight beside the doses of every
hour. They can be fed at every step like the rest, or once, as the state that the network begins
from: ``static="state"``.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import GRUSequenceRegressor

warnings.simplefilter("ignore", ConvergenceWarning)

# %%
# A drug is given now and then and fades; heavier people clear it more slowly. The level in the
# blood is to be said at every hour.

rng = np.random.RandomState(0)


def patients(n_samples, n_steps=36):
    weight = rng.uniform(-1, 1, n_samples)
    doses = (rng.random_sample((n_samples, n_steps)) < 0.15) * rng.uniform(
        0.5, 1.5, (n_samples, n_steps)
    )
    kept = 0.8 + 0.15 * weight
    level = np.zeros((n_samples, n_steps))
    level[:, 0] = doses[:, 0]
    for t in range(1, n_steps):
        level[:, t] = kept * level[:, t - 1] + doses[:, t]
    X = np.stack([doses, np.repeat(weight[:, None], n_steps, axis=1)], axis=2)
    return X, level


X, y = patients(120)
X_test, y_test = patients(200)

# %%
# Three networks: without the weight, with it at every step, with it as initial state.

parameters = dict(learning_rate_init=0.01, learning_rate="cosine", max_iter=120, random_state=0)
models = {
    "doses only": GRUSequenceRegressor(12, **parameters).fit(X[:, :, :1], y),
    'static="steps"': GRUSequenceRegressor(12, **parameters).fit(X, y),
    'static="state"': GRUSequenceRegressor(
        12, static="state", static_features=(1,), **parameters
    ).fit(X, y),
}
inputs = {name: X_test[:, :, :1] if name == "doses only" else X_test for name in models}
for name, model in models.items():
    print(f"{name}: R² {model.score(inputs[name], y_test):.3f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for axis, i, title in zip(
    axes,
    (X_test[:, 0, 1].argmin(), X_test[:, 0, 1].argmax()),
    ("the lightest patient", "the heaviest"),
):
    axis.plot(y_test[i], color="lightgray", linewidth=5, label="true")
    for name, model in models.items():
        axis.plot(model.predict(inputs[name][i : i + 1])[0], label=name)
    given = np.flatnonzero(X_test[i, :, 0])
    axis.plot(given, np.full(len(given), -0.2), "k^", label="dose")
    axis.set(title=title, xlabel="hour")
axes[0].set_ylabel("level in the blood")
axes[0].legend()
plt.show()
