"""What the first layer of a deep belief network looks for in digits."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from rnnkit.energy import DeepBeliefNetwork

digits, labels = load_digits(return_X_y=True)
model = DeepBeliefNetwork((64, 32), random_state=0).fit(digits / 16, labels)
weights = model.coefs_[0].T
strongest = np.argsort(-np.abs(weights).sum(axis=1))[:20]

figure, axes = plt.subplots(2, 10, figsize=(9, 2.1))
for ax, unit in zip(axes.ravel(), strongest, strict=True):
    largest = np.abs(weights[unit]).max()
    ax.imshow(weights[unit].reshape(8, 8), cmap="RdBu", vmin=-largest, vmax=largest)
    ax.set(xticks=[], yticks=[])
