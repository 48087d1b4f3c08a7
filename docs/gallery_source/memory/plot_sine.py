"""
A sine wave, learnt and continued
=================================

A network that has learnt to say the next value can go on by itself: ``forecast`` feeds its
answers back as inputs.
"""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import LSTMSequenceRegressor
from rnnkit.datasets import make_sine_waves

# %%
# Twenty waves of one frequency with random phases. The target of a step is the value of the next
# one.

waves = make_sine_waves(n_samples=20, n_steps=200, scale=8.0, random_state=0)
X, y = waves[:, :-1], waves[:, 1:]
model = LSTMSequenceRegressor(
    32, learning_rate_init=0.01, learning_rate="cosine", max_iter=150, random_state=0
).fit(X, y)

# %%
# The network sees sixty steps of a wave that it does not know, and continues it for two hundred.

unknown = np.sin((np.arange(260) + 3.3) / 8)
future = model.forecast(unknown[None, :60], 200)[0]
error = np.sqrt(np.mean((future - unknown[60:]) ** 2))
print(f"root mean square error over 200 steps of its own: {error:.3f}")

figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
axis.plot(unknown, color="lightgray", linewidth=4, label="true")
axis.plot(unknown[:60], color="black", label="seen")
axis.plot(np.arange(60, 260), future, color="C1", label="continued")
axis.axvline(59.5, color="gray", linestyle=":")
axis.set(xlabel="step", ylim=(-1.2, 1.7))
axis.legend(ncols=3, loc="upper right")
plt.show()
