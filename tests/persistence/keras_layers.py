"""Keras' recurrent layers written down in NumPy, from the equations of its documentation.

Letters: N sequences, T steps, I inputs, H hidden units.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn(x, h, c, kernel, recurrent, bias, act):
    h = act(x @ kernel + h @ recurrent + bias)
    return h, c


def lstm(x, h, c, kernel, recurrent, bias, act):
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * act(g)
    return sigmoid(o) * act(c), c


def gru(x, h, c, kernel, recurrent, bias, act):
    units = h.shape[1]
    if bias.ndim == 2:  # reset_after=True
        xz, xr, xh = np.split(x @ kernel + bias[0], 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        candidate = act(xh + r * hh)
    else:
        xz, xr, xh = np.split(x @ kernel + bias, 3, axis=1)
        z = sigmoid(xz + h @ recurrent[:, :units])
        r = sigmoid(xr + h @ recurrent[:, units : 2 * units])
        candidate = act(xh + (r * h) @ recurrent[:, 2 * units :])
    return z * h + (1 - z) * candidate, c


CELLS = {"RNN": simple_rnn, "LSTM": lstm, "GRU": gru}


def run_layer(x, cell, weights, act=np.tanh, backwards=False):
    """Return the states (N, T, H) after every step and the last one (N, H)."""
    kernel, recurrent, bias = weights
    h = np.zeros((len(x), recurrent.shape[0]), x.dtype)
    c = np.zeros_like(h)
    states = np.empty((*x.shape[:2], h.shape[1]), x.dtype)
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        h, c = CELLS[cell](x[:, t], h, c, kernel, recurrent, bias, act)
        states[:, t] = h
    return states, h


def run_model(x, cell, weights, n_layers=1, both=False, act=np.tanh):
    """Return the scores of the last states, from the arrays of get_weights()."""
    weights = list(weights)
    for _ in range(n_layers):
        parts = []
        for backwards in (False, True)[: 1 + both]:
            parts.append(run_layer(x, cell, weights[:3], act, backwards))
            weights = weights[3:]
        x = np.concatenate([states for states, _ in parts], axis=2)
        last = np.concatenate([h for _, h in parts], axis=1)
    kernel, bias = weights
    return last @ kernel + bias
