"""Codes of two numbers of sines of two periods."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUAutoencoder

rng = np.random.RandomState(0)
periods = np.arange(240) % 2
X = [np.sin(np.arange(30) / (3 if period else 5) + rng.uniform(0, 2 * np.pi)) for period in periods]
model = GRUAutoencoder(48, code_size=2, max_iter=250, random_state=0).fit(X)
codes, back = model.transform(X), model.inverse_transform(model.transform(X[:2]))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for period, color in ((0, "C3"), (1, "C0")):
    left.plot(*codes[periods == period].T, ".", color=color)
    right.plot(X[period] + 3 * period, color=color)
    right.plot(np.ravel(back[period]) + 3 * period, "--", color="#444444")
left.set(title="codes", xlabel="first number", ylabel="second number")
right.set(title="two sequences, and given back", xlabel="step", yticks=[])
