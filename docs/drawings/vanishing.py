"""How much of a gradient is left after so many steps, by cell and forget bias."""

import matplotlib.pyplot as plt
import numpy as np

from rnnkit.functional import recurrent

N, T, H, n_inputs = 16, 150, 32, 4


def weights(n_gates, rng):
    square = [np.linalg.qr(rng.normal(size=(H, H)))[0] for _ in range(n_gates)]
    limit = np.sqrt(6 / (n_inputs + H))
    return {
        "weight_ih_l0": rng.uniform(-limit, limit, (n_gates * H, n_inputs)),
        "weight_hh_l0": np.vstack(square),
        "bias_ih_l0": np.zeros(n_gates * H),
    }


rng = np.random.RandomState(0)
x = rng.normal(size=(N, T, n_inputs))
figure, axes = plt.subplots(figsize=(6.4, 3.6))
for name, cell, gates, forget in [
    ("Elman", "rnn", 1, None),
    ("LSTM, forget bias 0", "lstm", 4, 0.0),
    ("LSTM, forget bias 1", "lstm", 4, 1.0),
    ("LSTM, forget bias 5", "lstm", 4, 5.0),
]:
    w = weights(gates, rng)
    if forget is not None:
        w["bias_ih_l0"][H : 2 * H] = forget
    result = recurrent(x, w, cell)
    dx = result.backward(dh_n=np.ones_like(result.h_n))["x"]
    norms = np.sqrt((dx**2).sum(axis=(0, 2)))[::-1]
    axes.semilogy(norms / norms[0], label=name)
axes.set(xlabel="distance in steps", ylabel="norm of the gradient, relative", ylim=(1e-12, 20))
axes.legend()
axes.grid(alpha=0.3)
