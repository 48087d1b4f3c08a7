"""A small tagger of names for two pictures."""

from sklearn.pipeline import make_pipeline

from rnnkit import GRUSequenceTagger
from rnnkit.preprocessing import TokenEncoder

NAMES = [["Anna", "Karenina"], ["Ivan", "Ilyich"], ["Natasha"], ["Prince", "Andrei", "Bolkonsky"]]
PLACES = [["Moscow"], ["Saint", "Petersburg"], ["Yasnaya", "Polyana"]]


def sentences():
    """Sentences and their labels."""
    X, y = [], []
    for name in NAMES:
        for place in PLACES:
            for between in (["took", "the", "train", "to"], ["never", "saw"], ["wrote", "from"]):
                X.append([*name, *between, *place, "."])
                y.append([*of("PER", name), *["O"] * len(between), *of("LOC", place), "O"])
    return X, y


def of(kind, words):
    """The labels of a name."""
    return [f"B-{kind}", *[f"I-{kind}"] * (len(words) - 1)]


def fitted():
    """Sentences, their labels and a tagger that has seen the most of them."""
    X, y = sentences()
    tagger = make_pipeline(
        TokenEncoder(),
        GRUSequenceTagger(
            16,
            output="crf",
            forbidden_transitions="bio",
            embedding_dim=8,
            learning_rate_init=0.02,
            max_iter=25,
            learning_rate="linear",
            random_state=0,
        ),
    )
    return tagger.fit(X[:-6], y[:-6]), X, y
