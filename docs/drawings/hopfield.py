"""Digits stored in a Hopfield network, damaged, and recalled."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from rnnkit.energy import HopfieldNetwork

digits, labels = load_digits(return_X_y=True)
stored = np.array([digits[labels == digit][0] for digit in range(6)]) > 7
patterns = np.where(stored, 1.0, -1.0)
rng = np.random.RandomState(0)
damaged = patterns * np.where(rng.uniform(size=patterns.shape) < 0.15, -1, 1)
network = HopfieldNetwork("pseudo-inverse", random_state=0).fit(patterns)
recalled = network.recall(damaged)

figure, axes = plt.subplots(3, 6, figsize=(7.5, 3.8))
for row, (name, pictures) in enumerate(
    {"stored": patterns, "damaged": damaged, "recalled": recalled}.items()
):
    for ax, picture in zip(axes[row], pictures, strict=True):
        ax.imshow(picture.reshape(8, 8), cmap="Blues")
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
