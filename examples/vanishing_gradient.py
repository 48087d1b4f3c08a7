"""How far back a gradient reaches: an Elman network against LSTM, before any training.

The gradient of the last hidden state by the input d steps before it tells how much a
network can learn about that input. In an Elman network it shrinks by a factor per step. An
LSTM keeps as much of it as its forget gates stay open: with forget bias 1 for some tens of
steps, with chrono biases (Tallec & Ollivier 2018) for as long as the sequences are.
"""

import numpy as np

from rnnkit.functional import recurrent

N_SEQUENCES, N_STEPS, N_INPUTS, HIDDEN_SIZE = 16, 200, 4, 32
DISTANCES = [0, 1, 2, 5, 10, 20, 50, 100, 199]


def initial_weights(n_gates, rng):
    """Glorot input weights, orthogonal recurrent weights, no biases."""
    limit = np.sqrt(6 / (N_INPUTS + HIDDEN_SIZE))
    square = (HIDDEN_SIZE, HIDDEN_SIZE)
    return {
        "weight_ih_l0": rng.uniform(-limit, limit, (n_gates * HIDDEN_SIZE, N_INPUTS)),
        "weight_hh_l0": np.vstack(
            [np.linalg.qr(rng.normal(size=square))[0] for _ in range(n_gates)]
        ),
        "bias_ih_l0": np.zeros(n_gates * HIDDEN_SIZE),
    }


def networks(rng):
    """Return the three networks to compare: name -> (cell, weights)."""
    found = {"RNN": ("rnn", initial_weights(1, rng))}
    chrono = np.log(rng.uniform(1, N_STEPS - 1, HIDDEN_SIZE))
    for name, input_bias, forget_bias in [("LSTM", 0, 1), ("LSTM chrono", -chrono, chrono)]:
        weights = initial_weights(4, rng)
        input_gate, forget_gate = weights["bias_ih_l0"].reshape(4, HIDDEN_SIZE)[:2]
        input_gate[:], forget_gate[:] = input_bias, forget_bias
        found[name] = ("lstm", weights)
    return found


def gradient_by_distance(x, cell, weights):
    """Return the gradient's norm at each distance from the last step, relative to the first."""
    result = recurrent(x, weights, cell)
    dx = result.backward(dh_n=np.ones_like(result.h_n))["x"]
    norms = np.sqrt((dx**2).sum(axis=(0, 2)))[::-1]
    return norms / norms[0]


def plot(curves, path="vanishing_gradient.png"):
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("install matplotlib to see the plot")
        return
    figure, axes = plt.subplots()
    for name, curve in curves.items():
        axes.semilogy(curve, label=name)
    axes.set(xlabel="distance in steps", ylabel="gradient norm, relative", ylim=(1e-12, 2))
    axes.legend()
    figure.savefig(path)
    print(f"plotted in {path}")


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_SEQUENCES, N_STEPS, N_INPUTS))
    curves = {
        name: gradient_by_distance(x, cell, weights)
        for name, (cell, weights) in networks(rng).items()
    }
    print("distance" + "".join(f"{name:>13}" for name in curves))
    for distance in DISTANCES:
        print(f"{distance:8d}" + "".join(f"{curve[distance]:13.1e}" for curve in curves.values()))
    plot(curves)


if __name__ == "__main__":
    main()
