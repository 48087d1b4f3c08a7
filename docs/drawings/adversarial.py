"""Sines, and what a recurrent adversarial network makes of noise."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUSeriesGenerator

rng = np.random.RandomState(0)
X = np.sin(np.arange(30) / rng.uniform(2, 5, (300, 1)) + rng.uniform(0, 2 * np.pi, (300, 1)))
model = GRUSeriesGenerator(random_state=0, max_iter=100).fit(X)
made = model.sample(6, random_state=0)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
axes[0].plot(X[:6].T)
axes[0].set(title="real", xlabel="step")
axes[1].plot(np.reshape(made, (6, -1)).T)
axes[1].set(title="made of noise", xlabel="step")
