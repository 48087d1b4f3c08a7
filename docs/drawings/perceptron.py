"""What a perceptron can part, and what needs a hidden layer."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Perceptron
from sklearn.neural_network import MLPClassifier

rng = np.random.RandomState(0)
X = rng.uniform(-1, 1, (200, 2))
X = X[np.abs(X).min(axis=1) > 0.08]
apart = X.sum(axis=1) > 0
crossed = (X[:, 0] > 0) != (X[:, 1] > 0)
hidden = MLPClassifier((4,), "tanh", solver="lbfgs", max_iter=2000, random_state=1)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.1), sharex=True, sharey=True)
cases = [
    ("perceptron", Perceptron(random_state=0), apart),
    ("perceptron", Perceptron(random_state=0), crossed),
    ("four hidden units", hidden, crossed),
]
for ax, (name, model, y) in zip(axes, cases, strict=True):
    model.fit(X, y)
    line = np.linspace(-1, 1, 200)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    sides = model.predict(grid).reshape(200, 200)
    ax.contourf(line, line, sides, levels=[-0.5, 0.5, 1.5], colors=["#f4cccc", "#cfe2f3"])
    ax.scatter(*X.T, c=np.where(y, "C0", "C3"), s=9)
    ax.set(title=f"{name}: {model.score(X, y):.2f}", aspect="equal", xticks=[], yticks=[])
