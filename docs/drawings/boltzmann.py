"""A round of notes, and what a recurrent Boltzmann machine continues it with."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit.energy import RecurrentRBM

rng = np.random.RandomState(0)
SCALE = np.array(
    [[0, 4], [2, 5], [4, 7], [5, 9], [7, 11], [5, 9], [4, 7], [2, 5]]
)  # thirds, up and down
steps = np.zeros((8, 12))
steps[np.arange(8)[:, None], SCALE] = 1
X = [steps[(start + np.arange(32)) % 8] for start in rng.randint(8, size=80)]
model = RecurrentRBM(32, n_components=24, learning_rate_init=0.02, random_state=0).fit(X)
made = np.reshape(model.sample(24, prompt=X[0][:8], random_state=0), (-1, 12))

figure, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True)
for ax, (name, roll) in zip(
    axes, {"a melody": X[0], "its first 8 steps, continued": np.vstack([X[0][:8], made])}.items(),
    strict=True,
):  # fmt: skip
    ax.imshow(roll.T, cmap="Blues", origin="lower", aspect="auto")
    ax.set(title=name, ylabel="key", yticks=[])
axes[1].axvline(7.5, color="C3", lw=1)
axes[1].set_xlabel("step")
