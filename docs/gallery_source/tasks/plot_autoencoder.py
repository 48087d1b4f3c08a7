"""
A vector for every sequence
===========================

An autoencoder gives sequences back from a few numbers each. It needs no labels, and what it gives
back badly is unlike what it has seen.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUAutoencoder

rng = np.random.RandomState(0)


def gesture(kind):
    n = rng.randint(25, 45)
    t = np.linspace(0, 1, n)
    size, tilt = rng.uniform(0.8, 1.2), rng.uniform(-0.3, 0.3)
    angle = 2 * np.pi * (t + rng.uniform(-0.03, 0.03))
    x, y = {
        "circle": (np.cos(angle), np.sin(angle)),
        "eight": (np.sin(angle), np.sin(2 * angle)),
        "zigzag": (2 * t - 1, np.abs((4 * t) % 2 - 1) * 2 - 1),
    }[kind]
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return size * np.stack([x, y], axis=1) @ turn + 0.03 * rng.normal(size=(n, 2))


kinds = ["circle", "eight", "zigzag"]
labels = rng.choice(kinds, 300)
X = [gesture(kind) for kind in labels]
model = GRUAutoencoder(code_size=4, random_state=0).fit(X)
codes = model.transform(X)

# %%
# A curve and what comes back of its four numbers, for one of each kind; then all codes in the
# plane of their two largest components. The kinds lie apart, though nobody named them.

figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for axis, kind in zip(axes, kinds):
    i = int(np.flatnonzero(labels == kind)[0])
    back = model.inverse_transform(codes[i : i + 1], lengths=len(X[i]))[0]
    axis.plot(*X[i].T, ".", color="gray", markersize=4, label="read")
    axis.plot(*back.T, color="C3", label="given back")
    axis.set(title=f"{kind}, {len(X[i])} steps", xticks=[], yticks=[], aspect="equal")
axes[0].legend(fontsize="small", loc="center")
centred = codes - codes.mean(axis=0)
plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
for color, kind in zip(("C0", "C1", "C2"), kinds):
    axes[3].plot(*plane[labels == kind].T, ".", color=color, markersize=4, label=kind)
axes[3].set(title="all codes", xlabel="component 1", ylabel="component 2")
axes[3].legend(fontsize="small")

# %%
# New curves, of which every tenth goes astray for a few steps: the error of each, and the
# threshold that ``contamination`` made of the training data. Where in the curve it happened tells
# the error of each step.

others = [gesture(kind) for kind in rng.choice(kinds, 60)]
for curve in others[::10]:
    curve[12:18] += [0.9, -0.9]
errors = model.reconstruction_error(others)
strays = np.arange(60) % 10 == 0

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].semilogy(np.flatnonzero(~strays), errors[~strays], ".", color="gray", label="usual")
axes[0].semilogy(np.flatnonzero(strays), errors[strays], "x", color="C3", label="astray")
axes[0].axhline(-model.offset_, color="black", linestyle=":", label="threshold")
axes[0].set(xlabel="curve", ylabel="reconstruction error")
axes[0].legend(fontsize="small")
axes[1].plot(model.reconstruction_error(others[:1], per_step=True)[0], color="C3")
axes[1].axvspan(12, 17, color="C1", alpha=0.2)
axes[1].set(title="shaded: astray", xlabel="step of the first curve", ylabel="error")
plt.show()
