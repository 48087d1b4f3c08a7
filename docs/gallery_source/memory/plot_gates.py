"""
Gates over time
===============

A network is to hold a number: whenever the marker is 1 it takes the value of that step, and says
it until the next marker. To do so an LSTM has to shut its input gate and keep its forget gate
open in between.
"""

# %%
# The data: a random value at every step, a marker at about one step in eight.

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import LSTMSequenceRegressor

rng = np.random.RandomState(0)


def sample_and_hold(n_samples, n_steps=40):
    values = rng.uniform(-1, 1, (n_samples, n_steps))
    marked = rng.random_sample((n_samples, n_steps)) < 1 / 8
    marked[:, 0] = True
    since = np.maximum.accumulate(np.where(marked, np.arange(n_steps), 0), axis=1)
    return np.stack([values, marked], axis=2), np.take_along_axis(values, since, axis=1)


X, y = sample_and_hold(300)
model = LSTMSequenceRegressor(
    8, learning_rate_init=0.02, learning_rate="cosine", max_iter=150, random_state=0
).fit(X, y)
X_test, y_test = sample_and_hold(100)
print(f"R² on sequences that training did not see: {model.score(X_test, y_test):.3f}")

# %%
# ``gate_activations`` gives every gate at every step, between 0 (shut) and 1 (open). The units
# are sorted by how much their input gate opens at a marker.

one = X_test[:1]
gates = {name: values[0] for name, values in model.gate_activations(one).items()}
at_marker = one[0, :, 1] == 1
order = np.argsort(gates["i"][at_marker].mean(axis=0) - gates["i"][~at_marker].mean(axis=0))[::-1]

figure, axes = plt.subplots(3, sharex=True, figsize=(8, 6), layout="constrained")
axes[0].plot(one[0, :, 0], color="lightgray", label="value")
axes[0].plot(y_test[0], color="black", drawstyle="steps-post", label="to hold")
axes[0].plot(model.predict(one)[0], ".", color="C1", label="network")
axes[0].plot(np.flatnonzero(at_marker), np.full(at_marker.sum(), 1.15), "kv", label="marker")
axes[0].legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
for axis, gate, title in zip(axes[1:], "if", ("input gate", "forget gate")):
    picture = axis.imshow(gates[gate][:, order].T, vmin=0, vmax=1, aspect="auto", cmap="viridis")
    axis.set(ylabel="unit", title=title)
axes[2].set_xlabel("step")
figure.colorbar(picture, ax=axes[1:], label="0 shut, 1 open")
plt.show()
