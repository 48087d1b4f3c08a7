"""Kernels of a convolution that learnt to find a bump."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import Convolution, GRUClassifier

rng = np.random.RandomState(0)
X, y = rng.normal(size=(600, 40, 1)), np.arange(600) % 2
for x, label in zip(X, y, strict=True):
    start = rng.randint(30)
    x[start : start + 8, 0] += 3 * np.sin(np.linspace(0, np.pi, 8)) * (2 * label - 1)
model = GRUClassifier(
    16, convolutions=[Convolution(4, 8)], pooling="max", alpha=0.01, max_iter=60, random_state=0
)
model.fit(X, y)
kernels = model.weights_["convolution.weight_l0"]

figure, axes = plt.subplots(1, 2, figsize=(9, 3))
for label, color in ((1, "C0"), (0, "C3")):
    axes[0].plot(X[y == label][0, :, 0] + 8 * label, color=color)
axes[0].set(title="two of the series", xlabel="step", yticks=[])
axes[1].plot(kernels.T)
axes[1].axhline(0, color="#999999", lw=0.8)
axes[1].set(title="weights of the kernels", xlabel="step of the kernel")
