"""
Sequences of different lengths
==============================

Noisy waves of 5 to 60 steps rise or fall on the whole. They go into ``fit`` as a list, unpadded,
and the longer a wave was seen, the surer the answer.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUClassifier

rng = np.random.RandomState(0)


def waves(n_samples):
    y = rng.choice(["falling", "rising"], size=n_samples)
    X = []
    for label in y:
        t = np.arange(rng.randint(5, 61))
        slope = 0.02 if label == "rising" else -0.02
        X.append(
            slope * t + 0.5 * np.sin(t / 2 + rng.uniform(0, 6)) + 0.2 * rng.normal(size=len(t))
        )
    return X, y


X, y = waves(400)
model = GRUClassifier(16, learning_rate_init=0.01, max_iter=60, random_state=0).fit(X, y)
X_test, y_test = waves(1000)
right = model.predict(X_test) == y_test
print(f"accuracy {right.mean():.3f}")

# %%
# Left some of the waves, right the accuracy by length.

lengths = np.array([len(x) for x in X_test])
edges = np.arange(5, 62, 8)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
for x, label in zip(X_test[:12], y_test):
    axes[0].plot(x, color={"rising": "C0", "falling": "C1"}[label], alpha=0.7)
axes[0].plot([], color="C0", label="rising")
axes[0].plot([], color="C1", label="falling")
axes[0].set(xlabel="step", title="twelve of the sequences")
axes[0].legend(loc="upper left")
shares = [right[(lengths >= a) & (lengths < b)].mean() for a, b in itertools.pairwise(edges)]
axes[1].bar(edges[:-1], shares, width=np.diff(edges) - 0.5, align="edge", color="C2")
axes[1].axhline(0.5, color="gray", linestyle=":")
axes[1].set(xlabel="length", ylabel="accuracy", title="1000 other sequences", ylim=(0, 1))
plt.show()
