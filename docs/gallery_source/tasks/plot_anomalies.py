"""
Anomalies by surprise
=====================

A network that has learnt to say the next value of a regular signal is surprised where the signal
breaks. Nobody has to show it a broken one.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUSequenceRegressor


def pulse(n_steps, rng):
    phase = np.cumsum(1 + 0.02 * rng.normal(size=n_steps)) % 25
    beat = np.exp(-((phase - 5) ** 2) / 3) - 0.3 * np.exp(-((phase - 10) ** 2) / 8)
    return beat + 0.03 * rng.normal(size=n_steps)


rng = np.random.RandomState(0)
healthy = pulse(3001, rng)
X, y = healthy[:-1].reshape(30, 100), healthy[1:].reshape(30, 100)
model = GRUSequenceRegressor(
    24, learning_rate_init=0.01, learning_rate="cosine", max_iter=120, random_state=0
).fit(X, y)

# %%
# A second recording has three faults: a beat that is missing, one upside down, and a slow drift
# of the level. The threshold is what healthy data rarely pass: the largest surprise of 500
# further healthy steps. After a fault the rhythm is lost, and the next beats surprise too.

record = pulse(501, rng)
record[118:138] = 0.03 * rng.normal(size=20)
record[243:263] *= -1
record[380:400] += np.linspace(0, 0.8, 20)
record[400:420] += np.linspace(0.8, 0, 20)


def surprise(signal):
    return np.abs(model.predict(signal[None, :-1])[0] - signal[1:])


threshold = surprise(pulse(501, rng))[20:].max()  # the first steps have nothing to go by
surprises = surprise(record)
found = np.flatnonzero(surprises > threshold)
found = found[found >= 20]

figure, axes = plt.subplots(2, sharex=True, figsize=(9, 4.5), layout="constrained")
axes[0].plot(record, color="black", linewidth=1)
for begin, end in ((118, 138), (243, 263), (380, 420)):
    for axis in axes:
        axis.axvspan(begin, end, color="C1", alpha=0.2)
axes[0].set(ylabel="signal", title="shaded: the three faults")
axes[1].plot(np.arange(1, 501), surprises, color="C0")
axes[1].plot(found + 1, surprises[found], ".", color="C3")
axes[1].axhline(threshold, color="gray", linestyle=":")
axes[1].set(xlabel="step", ylabel="surprise")
plt.show()
