"""
Which came first
================

Two symbols, X or Y each, are hidden among letters without meaning, and the class is their order:
XX, XY, YX or YY. Both can be far from the end, so the network has to notice them, keep them and
keep their order. The task is a shorter one of the kind of the temporal order problem [1]_
(:func:`rnnkit.datasets.make_temporal_order`).

.. [1] Hochreiter, Schmidhuber (1997). Long short-term memory. Neural Computation 9,
       1735-1780.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUClassifier

rng = np.random.RandomState(0)


def draw(n_samples):
    X, y = [], []
    for _ in range(n_samples):
        steps = rng.randint(4, size=rng.randint(30, 41))
        first, second = rng.randint(3, 8), rng.randint(15, 21)
        pair = rng.randint(2, size=2)
        steps[[first, second]] = 4 + pair
        X.append(np.eye(6)[steps])
        y.append("".join("XY"[k] for k in pair))
    return X, y


# %%
# Half of the training sequences are cut short, so that the network learns how sure it may be on
# the way.

X, y = draw(2000)
cut = [x[: rng.randint(1, len(x))] if rng.random_sample() < 0.5 else x for x in X]
model = GRUClassifier(
    24,
    gate_bias="chrono",
    learning_rate_init=0.01,
    learning_rate="cosine",
    max_iter=25,
    random_state=0,
).fit(cut, y)
X_test, y_test = draw(300)
print(f"accuracy on other sequences, whole: {model.score(X_test, y_test):.3f}")

# %%
# A stream says what the network believes after every step: each class about a quarter before the
# first symbol, two classes about a half after it, one class after the second.

figure, axes = plt.subplots(2, 2, figsize=(8, 5), sharey=True, layout="constrained")
for axis, label in zip(axes.flat, model.classes_):
    sequence = X_test[y_test.index(label)]
    stream = model.stream()
    believed = []
    for x in sequence:
        stream.step(x)
        believed.append(stream.predict_proba())
    axis.plot(believed, label=model.classes_)
    for step in np.flatnonzero(sequence[:, 4:].any(axis=1)):
        axis.axvline(step, color="gray", linestyle=":")
        axis.text(step, 1.02, "XY"[int(sequence[step, 5])], ha="center", va="bottom")
    axis.set(xlabel="step", ylabel="probability", ylim=(0, 1.12))
    axis.set_title(f"class {label}", loc="left")
axes[0, 0].legend(loc="center right")
plt.show()
