"""
Predictions while data arrive
=============================

A fitted classifier can be fed one step at a time and answers after every step. Here it tells
three movements apart while they are being made.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUClassifier

# %%
# A hand draws a circle, an eight or a line, all from the same point. Positions are noisy.
# Training cuts half of the movements short, so that the network learns to answer early.

rng = np.random.RandomState(0)


def move(kind, n_steps=50):
    t = np.linspace(0, 2 * np.pi, n_steps)
    x = np.sin(t)
    y = {"circle": 1 - np.cos(t), "eight": np.sin(2 * t) / 2, "line": np.zeros(n_steps)}[kind]
    return np.column_stack([x, y]) + 0.08 * rng.normal(size=(n_steps, 2))


kinds = ["circle", "eight", "line"]
y = rng.choice(kinds, size=300)
X = [move(kind) for kind in y]
X = [x[: rng.randint(5, 50)] if rng.random_sample() < 0.5 else x for x in X]
model = GRUClassifier(16, learning_rate_init=0.01, max_iter=50, random_state=0).fit(X, y)

# %%
# A stream for every movement; ``step`` takes what has arrived and returns the prediction so far.

figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained", sharey="row")
begin = time.perf_counter()
for axis, kind in zip(axes.T, kinds):
    movement, stream, believed = move(kind), model.stream(), []
    for position in movement:
        stream.step(position)
        believed.append(stream.predict_proba())
    axis[0].plot(*movement.T, ".-", color=f"C{kinds.index(kind)}", linewidth=0.5)
    axis[0].plot(*movement[0], "ko")
    axis[0].set(title=kind, xlim=(-1.4, 1.4), ylim=(-0.9, 2.4))
    axis[1].plot(believed, label=model.classes_)
    axis[1].set(xlabel="step", ylim=(0, 1.05))
print(f"{1e6 * (time.perf_counter() - begin) / 150:.0f} µs a step, drawing included")
axes[0, 0].set_ylabel("position")
axes[1, 0].set_ylabel("probability so far")
axes[1, 0].legend(loc="center right")
plt.show()
