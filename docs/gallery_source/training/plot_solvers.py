"""
Loss curves of the solvers
==========================

The same network on the same data with every solver. Rates are the ones that suit each; the order
of the curves differs from data to data.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from rnnkit import GRUClassifier
from rnnkit.training import SGD

warnings.simplefilter("ignore", ConvergenceWarning)  # thirty epochs are not to converge

X, y = load_digits(return_X_y=True)
X = (X[:600] / 16).astype(np.float32)
y = y[:600]

# %%
# A solver is a name, or an object that carries parameters of its own.

solvers = {
    "adam": ("adam", 0.01),
    "adamw": ("adamw", 0.01),
    "rmsprop": ("rmsprop", 0.003),
    "adagrad": ("adagrad", 0.03),
    "adadelta": ("adadelta", 1.0),
    "nesterov": ("nesterov", 0.1),
    "SGD(momentum=0.9)": (SGD(momentum=0.9), 0.1),
    "SGD(momentum=0)": (SGD(momentum=0.0), 0.1),
    "lbfgs": ("lbfgs", 0.01),
}
figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, (solver, rate) in solvers.items():
    model = GRUClassifier(
        24,
        step_features=8,
        solver=solver,
        learning_rate_init=rate,
        max_iter=30,
        random_state=0,
    ).fit(X, y)
    style = "--" if name == "lbfgs" else "-"
    axis.semilogy(np.arange(1, len(model.loss_curve_) + 1), model.loss_curve_, style, label=name)
axis.set(xlabel="epoch (lbfgs: iteration)", ylabel="training loss (nats)")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
