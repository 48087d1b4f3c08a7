"""How many patterns a Hopfield network recalls, by rule."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit.energy import HopfieldNetwork

F = 300
loads = np.array([0.02, 0.05, 0.08, 0.1, 0.12, 0.138, 0.16, 0.18, 0.22, 0.28, 0.36])
rng = np.random.RandomState(0)

figure, ax = plt.subplots(figsize=(7, 3))
for rule, color in (("hebb", "C3"), ("pseudo-inverse", "C0")):
    wrong = []
    for load in loads:
        patterns = rng.choice([-1.0, 1.0], size=(round(load * F), F))
        damaged = patterns * np.where(rng.uniform(size=patterns.shape) < 0.1, -1, 1)
        network = HopfieldNetwork(rule, random_state=0).fit(patterns)
        wrong.append(100 * (network.recall(damaged) != patterns).mean())
    ax.plot(loads, wrong, "o-", color=color, markersize=4, label=rule)
ax.axvline(0.138, color="#999999", lw=1, ls="--")
ax.annotate(" .138", (0.138, 30), color="#666666")
ax.set(xlabel="patterns for each unit", ylabel="wrong units, %")
ax.legend()
