"""
The way of the hidden state
===========================

A network that has read a digit row by row stands at a point of its state space. Drawn in the
plane, the ways of different digits begin together and part as the rows come in.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from rnnkit import GRUClassifier

X, y = load_digits(n_class=5, return_X_y=True)
X = (X / 16).reshape(-1, 8, 8)
model = GRUClassifier(
    24, learning_rate_init=0.01, max_iter=30, learning_rate="cosine", random_state=0
)
model.fit(X[:600], y[:600])
print(f"accuracy on other pictures: {model.score(X[600:], y[600:]):.3f}")

# %%
# ``hidden_states`` gives the state after every row: 24 numbers, projected on the two directions
# in which the last states vary most. :class:`rnnkit.RecurrentFeatures` gives the last states to
# any pipeline.

states = model.hidden_states(X[600:])
plane = PCA(2).fit(states[:, -1])
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.5), layout="constrained", sharex=True, sharey=True
)
for digit in range(5):
    chosen = states[y[600:] == digit]
    ends = plane.transform(chosen[:, -1])
    right.plot(*ends.T, ".", color=f"C{digit}", alpha=0.6, label=digit)
    way = plane.transform(np.vstack([np.zeros((1, 24)), chosen.mean(axis=0)]))
    left.plot(*way.T, "o-", color=f"C{digit}", markersize=4)
    left.annotate(
        digit, way[-1], xytext=(6, -4), textcoords="offset points", color=f"C{digit}", weight="bold"
    )
left.plot(*plane.transform(np.zeros((1, 24))).T, "ks")
left.set(
    title="mean way of each digit, row by row", xlabel="first component", ylabel="second component"
)
right.set(title="where single pictures end", xlabel="first component")
right.legend(title="digit")
plt.show()
