"""
Dates into one notation, and what was looked at
===============================================

People write dates in many ways. An encoder-decoder learns from pairs to write them in one, and its
attention shows from where each digit was taken.
"""

from datetime import date, timedelta

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRUEncoderDecoder
from rnnkit.inspection import AttentionDisplay

# %%
# Days of two centuries, in one of three ways each. A sequence is a string: its characters.

rng = np.random.default_rng(0)
texts, iso = [], []
for _ in range(4000):
    day = date(1900, 1, 1) + timedelta(days=int(rng.integers(0, 73049)))
    forms = (
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day}/{day.month}/{day.year}",
        f"{day:%a} {day.day} {day:%b} {day.year}",
    )
    texts.append(forms[rng.integers(3)])
    iso.append(day.isoformat())
print(*texts[:4], sep="\n")

# %%
# A few epochs suffice. ``score`` is the share of dates that are right from the first digit to the
# last.

model = GRUEncoderDecoder(max_iter=12, learning_rate="cosine", random_state=0)
model.fit(texts[:3600], iso[:3600])
print(f"{model.score(texts[3600:], iso[3600:]):.3f} of the held-out dates are right")
print(model.predict(["July 4, 1976", "9/11/1989", "Mon 5 Aug 2019"]))

# %%
# Each row is a character that was written, each column one that was read. The year is copied from
# the end; month and day come from where they stand in that notation.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=[5, 4])
for ax, text in zip(axes, ("November 9, 1989", "9/11/1989")):
    AttentionDisplay.from_estimator(model, [text], ax=ax)
plt.show()
