"""
Forget bias and long lags
=========================

The class is the sign of the first of a hundred numbers; all others are weak noise. A forget gate that starts
at σ(1) = 0.73 has lost the first number after some ten steps, one that starts at σ(5) = 0.99 has not.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import LSTMClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # some are meant not to learn it

rng = np.random.RandomState(0)
y = rng.randint(2, size=300)
X = 0.1 * rng.normal(size=(300, 100, 1))
X[:, 0, 0] += 2 * y - 1

# %%
# The same network four times; nothing differs but the biases at the start. ``gate_bias="chrono"`` draws them
# so that units remember on all scales up to the longest sequence.

runs = {
    "forget_bias=0": {"forget_bias": 0.0},
    "forget_bias=1, the default": {},
    "forget_bias=5": {"forget_bias": 5.0},
    'gate_bias="chrono"': {"gate_bias": "chrono"},
}
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for label, parameters in runs.items():
    model = LSTMClassifier(16, max_iter=40, tol=0, random_state=0, **parameters).fit(X, y)
    axis.plot(model.loss_curve_, label=f"{label}: accuracy {model.score(X, y):.2f}")
axis.axhline(np.log(2), color="gray", linestyle=":")
axis.text(40, np.log(2), "guessing", va="bottom", ha="right", color="gray")
axis.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, 0.8))
axis.legend(loc="center right")
plt.show()
