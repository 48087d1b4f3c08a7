"""
Categories beside numbers
=========================

How many come to a fair depends on the weather and on the weekday. The weekday is a category:
``embedding_dim`` gives each a learned vector, and weekdays that act alike get vectors that lie
together.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rnnkit import GRUSequenceRegressor, Sequences

# %%
# A long table with a row for each stop of a fair that travels, now on this weekday and now on
# that. Sun draws people from Monday to Friday and keeps them away on Saturday and Sunday; on
# Sunday fewer come.

rng = np.random.RandomState(0)
days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
n_fairs, n_stops = 60, 30
table = pd.DataFrame({"fair": np.repeat(np.arange(n_fairs), n_stops)})
table["stop"] = np.tile(np.arange(n_stops), n_fairs)
table["weekday"] = pd.Categorical(rng.choice(days, len(table)), categories=days)
table["sun"] = rng.normal(size=len(table))
weekend = table["weekday"].isin(["Sat", "Sun"])
table["visitors"] = (
    100 + np.where(weekend, -15, 15) * table["sun"] + 3 * rng.normal(size=len(table))
)
table.loc[table["weekday"] == "Sun", "visitors"] -= 40

X, y = Sequences.from_frame(
    table,
    group="fair",
    sort="stop",
    columns=["weekday", "sun"],
    target="visitors",
    target_per="step",
)
model = GRUSequenceRegressor(
    16,
    embedding_init={"weekday": 0.1 * rng.normal(size=(8, 2))},
    categorical_features="from_dtype",
    learning_rate_init=0.02,
    learning_rate="cosine",
    max_iter=150,
    random_state=0,
).fit(X[:45], y[:45])
print(f"R² on fifteen other fairs: {model.score(X[45:], y[45:]):.3f}")

# %%
# The vectors begin near zero, so that where they lie in the end is what was learnt. Row 0 of the
# table of vectors is for categories that training did not see; the others come in the order of
# the categories.

vectors = model.weights_["embedding.weight_0"][1:]
labels = X.categories[0]
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=(1, 1.5), layout="constrained"
)
for label, (a, b) in zip(labels, vectors):
    colour = "C1" if label in ("Sat", "Sun") else "C0"
    left.plot(a, b, "o", color=colour)
    beside = (7, -4) if label in ("Sat", "Sun") else (-34, 18 - 11 * days.index(label))
    left.annotate(label, (a, b), xytext=beside, textcoords="offset points")
left.set(title="the vectors of the weekdays", xlabel="first number", ylabel="second number")
left.margins(0.2)
fair = X[45:46]
right.plot(y[45], "k.", label="true")
right.plot(model.predict(fair)[0], color="C2", label="predicted from sun and weekday")
right.set(title="a fair that training did not see", xlabel="stop", ylabel="visitors")
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
plt.show()
