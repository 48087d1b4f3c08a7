"""
Categories beside numbers
=========================

A shop's sales depend on the weather and on the weekday. The weekday is a category: ``embedding_dim`` gives each
a learned vector, and weekdays that act alike get vectors that lie together.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rnnkit import GRUSequenceRegressor, Sequences

# %%
# A long table with a row for each day of each shop. On weekdays rain keeps people away, on Saturday and Sunday
# it drives them in; on Sunday half as many come.

rng = np.random.RandomState(0)
days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
n_shops, n_days = 60, 42
table = pd.DataFrame({"shop": np.repeat(np.arange(n_shops), n_days)})
table["day"] = np.tile(np.arange(n_days), n_shops)
table["weekday"] = pd.Categorical([days[day % 7] for day in table["day"]], categories=days)
table["rain"] = rng.normal(size=len(table))
weekend = table["weekday"].isin(["Sat", "Sun"])
table["sales"] = 100 + np.where(weekend, 15, -15) * table["rain"] + 3 * rng.normal(size=len(table))
table.loc[table["weekday"] == "Sun", "sales"] -= 50

X, y = Sequences.from_frame(
    table, group="shop", sort="day", columns=["weekday", "rain"], target="sales", target_per="step"
)
model = GRUSequenceRegressor(
    16,
    embedding_dim=2,
    categorical_features="from_dtype",
    learning_rate_init=0.02,
    learning_rate="cosine",
    max_iter=60,
    random_state=0,
).fit(X[:45], y[:45])
print(f"R² on fifteen other shops: {model.score(X[45:], y[45:]):.3f}")

# %%
# Row 0 of the table of vectors is for categories that training did not see; the others come in the order of
# the categories.

vectors = model.weights_["embedding.weight_0"][1:]
labels = X.categories[0]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(1, 1.5), layout="constrained")
for label, (a, b) in zip(labels, vectors):
    colour = "C1" if label in ("Sat", "Sun") else "C0"
    left.plot(a, b, "o", color=colour)
    left.annotate(label, (a, b), xytext=(5, 4), textcoords="offset points")
left.set(title="the vectors of the weekdays", xlabel="first number", ylabel="second number")
left.margins(0.2)
shop = X[45:46]
right.plot(y[45], "k.", label="true")
right.plot(model.predict(shop)[0], color="C2", label="predicted from rain and weekday")
right.set(title="a shop that training did not see", xlabel="day", ylabel="sales")
right.legend(loc="lower left")
plt.show()
