"""
Entities with rules
===================

Persons and places in generated sentences, as labels in the scheme IOB2. An I-PER that follows an
O or a B-LOC is no entity; ``forbidden_transitions="bio"`` rules such labellings out, in training
and in prediction.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from rnnkit import GRUSequenceTagger
from rnnkit.metrics import entity_f1, entity_report
from rnnkit.preprocessing import TokenEncoder

# %%
# Family names and place names share words, as in life: "Paris" is a town or a Ms Paris.

rng = np.random.RandomState(0)
first = ["Ada", "Alan", "Grace", "Kurt", "Emmy", "Paris"]
family = ["Stone", "Hill", "Lake", "York", "Paris", "Wood"]
places = [["New", "York"], ["Lake", "Hill"], ["Paris"], ["Stone", "Wood"], ["York"]]
before = {"PER": ["says", "with", "and"], "LOC": ["in", "from", "near"]}
other = ["today", "they", "walk", "slowly", "because", "trains", "are", "late"]


def sentence():
    words, labels = [], []
    for _ in range(rng.randint(2, 5)):
        filler = list(rng.choice(other, rng.randint(1, 3)))
        kind = rng.choice(["PER", "LOC"])
        filler.append(rng.choice(before[kind]))
        if kind == "PER":
            name = [rng.choice(first), rng.choice(family)][: rng.randint(1, 3)]
        else:
            name = places[rng.randint(len(places))]
        words += [*filler, *name]
        labels += ["O"] * len(filler) + [f"B-{kind}"] + [f"I-{kind}"] * (len(name) - 1)
    return [str(word) for word in words], labels


train, test = [sentence() for _ in range(40)], [sentence() for _ in range(200)]
X, y = zip(*train)
X_test, y_test = zip(*test)


def tagger(**parameters):
    network = GRUSequenceTagger(
        16,
        bidirectional=True,
        embedding_dim=8,
        learning_rate_init=0.01,
        learning_rate="cosine",
        max_iter=30,
        random_state=0,
        **parameters,
    )
    return make_pipeline(TokenEncoder(("word", "shape")), network).fit(list(X), list(y))


models = {
    "step by step": tagger(),
    "CRF": tagger(output="crf"),
    "CRF with rules": tagger(output="crf", forbidden_transitions="bio"),
}


def breaks_a_rule(labels):
    pairs = zip(["O", *labels], labels)
    return any(b.startswith("I-") and a not in (b, "B" + b[1:]) for a, b in pairs)


found = {name: model.predict(list(X_test)) for name, model in models.items()}
print(entity_report(list(y_test), found["CRF with rules"], digits=2))

# %%
# Left the score of whole entities and the share of sentences that break a rule, right one
# sentence.

scores = [entity_f1(list(y_test), labels) for labels in found.values()]
broken = {name: [breaks_a_rule(labels) for labels in found[name]] for name in models}
shares = [np.mean(flags) for flags in broken.values()]
i = int(np.argmax(broken["step by step"]))
colours = {"O": "none", "PER": "#f4b183", "LOC": "#9dc3e6"}

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), width_ratios=(1, 1.5), layout="constrained"
)
height = np.arange(3)[::-1]
left.barh(height + 0.2, scores, 0.38, color="C2", label="F1 of entities")
left.barh(height - 0.2, shares, 0.38, color="C3", label="sentences that break a rule")
left.bar_label(left.containers[0], fmt="%.2f", padding=3)
left.bar_label(left.containers[1], fmt="%.2f", padding=3)
left.set_yticks(height, models)
left.set(xlim=(0, 1.18))
left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
right.set(xlim=(-0.2, 4.2), ylim=(len(X_test[i]), -1.2))
right.axis("off")
rows = [
    ("word", X_test[i]),
    ("true", y_test[i]),
    *((n, found[n][i]) for n in ("step by step", "CRF with rules")),
]
for column, (title, entries) in enumerate(rows):
    right.text(column, -0.8, title, ha="center", weight="bold")
    for step, entry in enumerate(entries):
        colour = colours[str(entry).split("-")[-1]] if column else "none"
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round"}
        right.text(column, step, entry, ha="center", va="center", bbox=box)
plt.show()
