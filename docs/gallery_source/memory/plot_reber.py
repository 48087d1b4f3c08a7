"""
The embedded Reber grammar
==========================

Strings of a small grammar, read symbol by symbol; after each the network says what may follow.
For most steps the last few symbols are enough. The last but one symbol repeats the second, so
that one has to be remembered [1]_.

.. [1] Hochreiter, Schmidhuber (1997). Long short-term memory. Neural Computation 9,
       1735-1780.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import LSTMSequenceTagger
from rnnkit.datasets import make_embedded_reber

# %%
# ``y`` holds the symbol that followed; ``allowed`` all that the grammar would have let follow.

train = make_embedded_reber(n_samples=400, random_state=0)
test = make_embedded_reber(n_samples=200, random_state=1)
model = LSTMSequenceTagger(
    24, learning_rate_init=0.02, learning_rate="cosine", max_iter=40, random_state=0
).fit(train.X, train.y)

# %%
# A string is right if at every step the most probable symbols are just the allowed ones.

probabilities = model.predict_proba(test.X)
right = test.is_correct(probabilities)
print(f"{right.mean():.0%} of the strings are right at every step")

# %%
# One string: how probable the network holds each symbol. Boxes mark what the grammar allows. At
# the last but one step only the symbol that came second is allowed.

i = int(np.argmin(np.abs(test.X.lengths - 14)))
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
picture = axis.imshow(probabilities[i].T, vmin=0, vmax=1, cmap="Blues")
for step, symbol in np.argwhere(test.allowed[i]):
    axis.add_patch(
        plt.Rectangle((step - 0.5, symbol - 0.5), 1, 1, fill=False, edgecolor="C3", lw=1.5)
    )
axis.set_xticks(range(len(test.y[i])), test.strings[i][:-1])
axis.set_yticks(range(7), model.classes_)
axis.set(xlabel="the string, symbol by symbol", ylabel="what may follow")
figure.colorbar(picture, label="probability", shrink=0.7)
plt.show()
