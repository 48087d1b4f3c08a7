"""Named entities with rules: a random field that never predicts an illegal label.

Sentences are drawn from a small grammar: words of which many may be a person, a place or a firm,
which only their neighbours tell. Labels are IOBES: B begins an entity, I is inside, E ends it, S is
one of a single word, O is outside. The same network is trained with and without
`forbidden_transitions="iobes"` on few sentences, for three seeds; F1 counts whole entities.
"""

import itertools
import random
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from rnnkit import LSTMSequenceTagger
from rnnkit.metrics import entity_f1, entity_report
from rnnkit.preprocessing import TokenEncoder

N_TRAIN, N_TEST, SEEDS = 100, 500, range(3)
FIRST = ["Ann", "Berta", "Carl", "Dora", "Emil", "Paris", "Victoria", "Sydney", "Chester"]
LAST = ["Stone", "Hill", "Ford", "Bell", "Lake", "York", "London", "Berlin", "Wells"]
PLACES = ["York", "London", "Berlin", "Paris", "Sydney", "Victoria", "Wells", "Chester"]
ENDINGS = ["& Sons", "and Partners", "Ltd", "Group"]
FRAMES = [
    "yesterday {PER} met {PER} in {LOC}",
    "{ORG} opened a shop in {LOC}",
    "{PER} of {ORG} spoke",
    "{LOC} and {LOC} are towns",
    "the head of {ORG} , {PER} , left {LOC}",
    "{ORG} sued {ORG}",
    "the {LOC} office of {ORG} hired {PER}",
    "nobody saw the lake on the hill",
]


def entity(kind, rng):
    """The words of a random entity."""
    if kind == "PER":
        return rng.choices(FIRST, k=rng.choice([0, 1, 1, 2])) + [rng.choice(LAST)]
    if kind == "LOC":
        return rng.choice([["New"], [], [], []]) + [rng.choice(PLACES)]
    return [rng.choice(LAST), *rng.choice(ENDINGS).split()]


def sentence(rng):
    """Words and their labels."""
    words, labels = [], []
    for word in rng.choice(FRAMES).split():
        if not word.startswith("{"):
            words.append(word)
            labels.append("O")
            continue
        kind = word.strip("{}")
        found = entity(kind, rng)
        inside = ["I"] * (len(found) - 2)
        letters = ["S"] if len(found) == 1 else ["B", *inside, "E"]
        words += found
        labels += [f"{letter}-{kind}" for letter in letters]
    return words, labels


def n_illegal(sentences):
    """Count the pairs of neighbours, and beginnings and ends, that IOBES does not allow."""
    count = 0
    for labels in sentences:
        for before, after in itertools.pairwise(["O", *labels, "O"]):
            goes_on = after[0] in "IE"
            is_open = before[0] in "BI"
            count += goes_on != is_open or (is_open and before[2:] != after[2:])
    return count


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = random.Random(0)
    X, y = zip(*(sentence(rng) for _ in range(N_TRAIN + N_TEST)))
    X_train, X_test, y_train, y_test = X[:N_TRAIN], X[N_TRAIN:], y[:N_TRAIN], y[N_TRAIN:]
    print("rules    seed   illegal labels   entity F1")
    for rules, seed in itertools.product((None, "iobes"), SEEDS):
        tagger = LSTMSequenceTagger(
            hidden_size=16,
            embedding_dim=12,
            output="crf",
            forbidden_transitions=rules,
            learning_rate_init=1e-2,
            max_iter=20,
            token_dropout=0.5,
            random_state=seed,
        )
        model = make_pipeline(TokenEncoder(), tagger).fit(X_train, y_train)
        predicted = model.predict(X_test)
        f1 = entity_f1(y_test, predicted, scheme="iobes")
        print(f"{rules or 'none':8} {seed:4d}   {n_illegal(predicted):14d}   {f1:9.3f}", flush=True)
    print("\nwith rules, the last seed:")
    print(entity_report(y_test, predicted, scheme="iobes"))


if __name__ == "__main__":
    main()
