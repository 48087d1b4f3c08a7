"""
Gradients that vanish, in fitted networks
=========================================

How much does the last state depend on an input so many steps before? The gradient tells, and
:func:`rnnkit.functional.recurrent` computes it for any weights, those of a fitted estimator too.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import GRUClassifier, LSTMClassifier, RNNClassifier
from rnnkit.functional import recurrent
from rnnkit.persistence.pytorch import to_state_dict

warnings.simplefilter("ignore", ConvergenceWarning)

# %%
# The class is the sign of the first number; the networks are trained on lags of 5 to 30 steps.

rng = np.random.RandomState(0)
y = rng.randint(2, size=400)
X = [0.3 * rng.normal(size=(rng.randint(5, 31), 1)) for _ in y]
for sequence, label in zip(X, y):
    sequence[0] += 2 * label - 1

# %%
# ``to_state_dict`` gives the recurrent weights under PyTorch's names, which ``recurrent`` takes.
# A random gradient at the last state goes back through 80 steps. Where a curve is flat, something
# in the network neither grows nor fades: forget gates that stay open.

x = 0.3 * rng.normal(size=(20, 80, 1))
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
networks = {
    "RNN": RNNClassifier(16, max_iter=60, random_state=0),
    "GRU": GRUClassifier(16, max_iter=60, random_state=0),
    "LSTM": LSTMClassifier(16, max_iter=60, random_state=0),
    "LSTM, forget_bias=5": LSTMClassifier(16, forget_bias=5.0, max_iter=60, random_state=0),
}
for name, model in networks.items():
    model.fit(X, y)
    weights = to_state_dict(model, rnn="", head=None)
    result = recurrent(x, weights, name.split(",")[0].lower())
    gradients = result.backward(dh_n=rng.normal(size=result.h_n.shape))
    size = np.linalg.norm(gradients["x"], axis=2).mean(axis=0)[:-61:-1]
    axis.semilogy(size, label=f"{name}: accuracy {model.score(X, y):.2f}")
axis.set(xlabel="steps before the end", ylabel="mean size of the gradient by the input")
axis.legend()
plt.show()
