"""
Missing values
==============

From sequences of two sensors more and more values are lost. Three ways to fill the gaps are
compared with the score of the class that is to be found.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from rnnkit import GRUClassifier
from rnnkit.preprocessing import SequenceImputer

# %%
# The class: does the second sensor follow the first, or precede it? Values come in smooth waves,
# so a gap can be guessed from its neighbours.

rng = np.random.RandomState(0)


def sensors(n_samples):
    y = rng.choice(["follows", "precedes"], size=n_samples)
    X = []
    for label in y:
        t = np.arange(rng.randint(20, 41)) / 4 + rng.uniform(0, 6)
        lag = 0.3 if label == "follows" else -0.3
        X.append(np.column_stack([np.sin(t), np.sin(t - lag)]) + 0.1 * rng.normal(size=(len(t), 2)))
    return X, y


def lose(X, share):
    return [np.where(rng.random_sample(x.shape) < share, np.nan, x) for x in X]


complete, y = sensors(300)
complete_test, y_test = sensors(300)
shares = [0.0, 0.2, 0.4, 0.6, 0.8]
strategies = ["ffill", "interpolate", "mean"]
scores = {strategy: [] for strategy in strategies}
for share in shares:
    X, X_test = lose(complete, share), lose(complete_test, share)
    for strategy in strategies:
        model = make_pipeline(
            SequenceImputer(strategy, add_indicator=True),
            GRUClassifier(
                12, learning_rate_init=0.02, learning_rate="cosine", max_iter=60, random_state=0
            ),
        ).fit(X, y)
        scores[strategy].append(model.score(X_test, y_test))

# %%
# Left one sensor of which half is lost, and what each strategy makes of it; right the scores.

gaps = lose(complete_test[:1], 0.5)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(complete_test[0][:, 0], color="lightgray", linewidth=5, label="complete")
for strategy in strategies:
    filled = SequenceImputer(strategy).fit(X).transform(gaps)[0]
    left.plot(filled[:, 0], ".-", linewidth=1, label=strategy)
left.plot(gaps[0][:, 0], "ko", label="seen")
left.set(xlabel="step")
left.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
for strategy in strategies:
    right.plot(shares, scores[strategy], "o-", label=strategy)
right.axhline(0.5, color="gray", linestyle=":")
right.set(xlabel="share of values lost", ylabel="accuracy on other sequences", ylim=(0.45, 1.02))
right.legend()
plt.show()
