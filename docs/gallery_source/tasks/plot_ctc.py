"""
Labels without alignment
========================

A signal spells a word: every letter is held for some steps. Training says which letters came, not
when; connectionist temporal classification (CTC) finds that out.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUSequenceLabeller

rng = np.random.RandomState(0)
letters = np.array(list("abcd"))
tones = {"a": (1, 0), "b": (0, 1), "c": (-1, 0), "d": (0, -1)}


def spell(n_samples):
    X, y = [], []
    for _ in range(n_samples):
        word = rng.choice(letters, rng.randint(2, 6))
        steps = []
        for letter in word:
            steps += [(0, 0)] * rng.randint(1, 4) + [tones[letter]] * rng.randint(3, 7)
        X.append(np.array(steps) + 0.3 * rng.normal(size=(len(steps), 2)))
        y.append(word.tolist())
    return X, y


X, y = spell(200)
X_test, y_test = spell(100)
model = GRUSequenceLabeller(
    24,
    bidirectional=True,
    learning_rate_init=0.01,
    learning_rate="cosine",
    max_iter=40,
    random_state=0,
).fit(X, y)
print(f"one minus the label error rate, on other words: {model.score(X_test, y_test):.3f}")

# %%
# The probabilities of one word, step by step. Where no letter is being read the network says
# "blank", the dashed line. Reading the best class of every step, without repeats and blanks,
# gives the word.

i = int(np.argmax([len(set(word)) == 4 for word in y_test]))
probabilities = model.predict_proba(X_test[i : i + 1])[0]
figure, (above, below) = plt.subplots(2, sharex=True, figsize=(8, 5), layout="constrained")
above.plot(X_test[i], label=("first channel", "second channel"))
above.set(ylabel="signal", title=f"true: {' '.join(y_test[i])}", ylim=(-2, 3))
above.legend(ncols=2, loc="upper right")
for k, letter in enumerate(model.classes_):
    below.plot(probabilities[:, k], label=letter)
below.plot(probabilities[:, -1], "--", color="gray", label="blank")
below.set(xlabel="step", ylabel="probability", ylim=(0, 1.05))
below.set_title(f"read: {' '.join(model.predict(X_test[i : i + 1])[0])}")
below.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
