"""
Forget bias and long lags
=========================

The class is the sign of the first of three hundred numbers; all others are weak noise. A forget
gate that starts at σ(0) = 0.5 halves at every step what it keeps; one that starts at σ(5) = 0.993
keeps a seventh of it to the end. The further a memory reaches at the start, the sooner learning
begins.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import LSTMClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # some are meant not to learn it

rng = np.random.RandomState(0)
y = rng.randint(2, size=200)
X = 0.1 * rng.normal(size=(200, 300, 1))
X[:, 0, 0] += 2 * y - 1

# %%
# The same network four times; nothing differs but the biases at the start. ``gate_bias="chrono"``
# draws them so that units remember on all scales up to the longest sequence, and shuts input
# gates as far as it opens forget gates, which makes a slow start.

runs = {
    "forget_bias=0": {"forget_bias": 0.0},
    "forget_bias=1, the default": {},
    "forget_bias=5": {"forget_bias": 5.0},
    'gate_bias="chrono"': {"gate_bias": "chrono"},
}
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
for label, parameters in runs.items():
    model = LSTMClassifier(12, max_iter=40, tol=0, random_state=0, **parameters).fit(X, y)
    axis.plot(model.loss_curve_, label=f"{label}: accuracy {model.score(X, y):.2f}")
axis.axhline(np.log(2), color="gray", linestyle=":")
axis.text(40, np.log(2), "guessing", va="bottom", ha="right", color="gray")
axis.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, 0.8))
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
plt.show()
