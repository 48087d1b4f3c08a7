"""
What a network knows of words
=============================

A tagger of parts of speech looks every word up in a table of vectors, which it learns along the
way. Drawn in the plane, words that are used alike lie together.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from rnnkit import GRUSequenceTagger
from rnnkit.preprocessing import TokenEncoder

# %%
# Sentences from a small grammar.

rng = np.random.RandomState(0)
lexicon = {
    "determiner": ["the", "a", "every", "some"],
    "adjective": ["small", "old", "green", "quiet"],
    "noun": ["cat", "river", "teacher", "train", "garden"],
    "verb": ["sees", "likes", "paints", "follows"],
    "adverb": ["often", "slowly", "never"],
}


def phrase():
    kinds = ["determiner", "noun"]
    return kinds if rng.random_sample() < 0.5 else ["determiner", "adjective", "noun"]


X, y = [], []
for _ in range(200):
    kinds = phrase() + (["adverb"] if rng.random_sample() < 0.5 else []) + ["verb"] + phrase()
    X.append([str(rng.choice(lexicon[kind])) for kind in kinds])
    y.append(kinds)

encoder = TokenEncoder()
tagger = GRUSequenceTagger(
    16,
    embedding_dim=8,
    alpha=0.001,
    learning_rate_init=0.02,
    learning_rate="cosine",
    max_iter=40,
    random_state=0,
)
model = make_pipeline(encoder, tagger).fit(X[:150], y[:150])
print(f"accuracy on other sentences: {model.score(X[150:], y[150:]):.3f}")

# %%
# The table has a row for every id; row 0 is for words that training did not see. Eight numbers a
# word are projected on the two directions in which they vary most.

vocabulary = encoder.vocabularies_[0]
plane = PCA(2).fit_transform(tagger.weights_["embedding.weight_0"][1:])
figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
for colour, (kind, words) in enumerate(lexicon.items()):
    at = plane[[vocabulary[word] - 1 for word in words]]
    axis.plot(*at.T, "o", color=f"C{colour}", label=kind)
    for i, (word, place) in enumerate(zip(words, at)):
        beside = (6, (-14, -5, 4, 10, -17)[i])
        axis.annotate(word, place, xytext=beside, textcoords="offset points", color=f"C{colour}")
axis.set(xlabel="first component", ylabel="second component")
axis.margins(0.12)
axis.legend()
plt.show()
