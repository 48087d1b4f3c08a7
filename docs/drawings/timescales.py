"""A forget gate held at a value is a memory of that length: how a pulse fades."""

import matplotlib.pyplot as plt
import numpy as np

t = np.arange(200)
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for bias in [0, 1, 3, 5]:
    gate = 1 / (1 + np.exp(-bias))
    axes.plot(t, gate**t, label=f"bias {bias}: gate {gate:.3f}, about {1 / (1 - gate):.0f} steps")
axes.set(xlabel="steps after the pulse", ylabel="what is left of it", xlim=(0, 200))
axes.legend(loc="upper right")
axes.grid(alpha=0.3)
