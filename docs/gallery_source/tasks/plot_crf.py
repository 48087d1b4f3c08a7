"""
What a CRF learns of the order of labels
========================================

A machine is off, starting, running or stopping, always in this order, and a noisy sensor sees it.
A tagger that scores each step by itself makes jumps that the machine cannot make;
``output="crf"`` scores whole label sequences and learns which label follows which.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUSequenceTagger

rng = np.random.RandomState(0)
states = ["off", "starting", "running", "stopping"]
levels = dict(zip(states, (0.0, 0.5, 1.0, 0.5)))  # starting and stopping look the same


def record(n_samples):
    X, y = [], []
    for _ in range(n_samples):
        labels, state = [], rng.randint(4)
        while len(labels) < 40:
            labels += [states[state]] * rng.randint(2, 8)
            state = (state + 1) % 4
        X.append(
            np.array([levels[label] for label in labels]) + 0.35 * rng.normal(size=len(labels))
        )
        y.append(labels)
    return X, y


X, y = record(150)
X_test, y_test = record(60)
parameters = dict(
    learning_rate="cosine", hidden_size=12, learning_rate_init=0.03, max_iter=60, random_state=0
)
plain = GRUSequenceTagger(**parameters).fit(X, y)
crf = GRUSequenceTagger(output="crf", **parameters).fit(X, y)

# %%
# Which pairs of neighbours are possible is known here, so impossible ones can be counted.

possible = {(a, b) for i, a in enumerate(states) for b in (a, states[(i + 1) % 4])}


def impossible_jumps(labellings):
    pairs = [pair for labels in labellings for pair in itertools.pairwise(labels)]
    return np.mean([pair not in possible for pair in pairs])


for name, model in (("step by step", plain), ("CRF", crf)):
    jumps = impossible_jumps(model.predict(X_test))
    print(f"{name}: accuracy {model.score(X_test, y_test):.3f}, impossible jumps {jumps:.1%}")

# %%
# The learnt scores of the transitions, from the label of a row to that of a column. The four that
# the machine makes, and staying, score highest.

order = [crf.classes_.tolist().index(state) for state in states]
scores = crf.weights_["crf.transitions"][np.ix_(order, order)]
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=(1, 1.4), layout="constrained"
)
limit = np.abs(scores).max()
picture = left.imshow(scores, cmap="RdBu", vmin=-limit, vmax=limit)
left.set_xticks(range(4), states, rotation=30)
left.set_yticks(range(4), states)
left.set(xlabel="to", ylabel="from", title="transition scores")
figure.colorbar(picture, ax=left, shrink=0.8)
for height, (name, labels) in enumerate(
    (
        ("CRF", crf.predict(X_test[:1])[0]),
        ("step by step", plain.predict(X_test[:1])[0]),
        ("true", y_test[0]),
    )
):
    for step, label in enumerate(labels):
        right.barh(height, 1, left=step, color=f"C{states.index(label)}", height=0.7)
    right.text(-0.5, height, name, ha="right", va="center")
right.plot(np.arange(len(X_test[0])) + 0.5, 4 + X_test[0], ".-", color="gray")
right.text(-0.5, 4.4, "sensor", ha="right", va="center")
for i, state in enumerate(states):
    right.bar(0, 0, color=f"C{i}", label=state)
right.set(xlabel="step", yticks=[], xlim=(0, len(X_test[0])), ylim=(-0.5, 6))
right.legend(ncols=4, loc="upper center", frameon=False, fontsize="small")
right.spines[["left", "top", "right"]].set_visible(False)
plt.show()
