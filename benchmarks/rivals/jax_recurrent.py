"""A GRU or LSTM in JAX: the whole pass compiled once, the steps in lax.scan."""

import jax
import jax.numpy as jnp
import numpy as np


def lstm_step(w, carry, xw):
    """Take one LSTM step."""
    h, c = carry
    i, f, g, o = jnp.split(xw + h @ w["weight_hh"].T, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru_step(w, carry, xw):
    """Take one GRU step, the reset gate after the product."""
    (h,) = carry
    xr, xz, xn = jnp.split(xw, 3, axis=1)
    hr, hz, hn = jnp.split(h @ w["weight_hh"].T, 3, axis=1)
    z = jax.nn.sigmoid(xz + hz)
    n = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * (hn + w["bias_hn"]))
    h = (1 - z) * n + z * h
    return (h,), h


def rnn_step(w, carry, xw):
    """Take one Elman step."""
    h = jnp.tanh(xw + carry[0] @ w["weight_hh"].T)
    return (h,), h


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}


class JaxLayer:
    """One layer, time major, all input products in one matrix product before the scan."""

    def __init__(self, cell, x, weights, lengths):
        self.x = jnp.asarray(x.transpose(1, 0, 2))
        self.weights = {name: jnp.asarray(w) for name, w in weights.items()}
        self.real = np.arange(x.shape[1])[:, None] < lengths
        real = jnp.asarray(self.real[:, :, None], jnp.float32)
        zeros = jnp.zeros((x.shape[0], weights["weight_hh"].shape[1]), jnp.float32)
        state = (zeros, zeros) if cell == "lstm" else (zeros,)

        def run(w, x):
            projected = x @ w["weight_ih"].T + w["bias"]
            return jax.lax.scan(lambda s, row: STEPS[cell](w, s, row), state, projected)[1]

        self.run = jax.jit(run)
        self.gradient = jax.jit(jax.grad(lambda w, x: (run(w, x) * real).sum()))

    def forward(self):
        """Run the whole batch."""
        return jax.block_until_ready(self.run(self.weights, self.x))

    def train(self):
        """Run forward and backward to the gradients of all weights."""
        return jax.block_until_ready(self.gradient(self.weights, self.x))

    def rows(self):
        """Return the outputs as packed rows (P, H)."""
        return np.asarray(self.forward())[self.real]

    def weight_gradients(self):
        """Return the gradients of `train` by our names."""
        return {name: np.asarray(gradient) for name, gradient in self.train().items()}
