"""Attention of a decoder's steps to the steps that an encoder read, applied behind the recurrence.

Luong, Pham & Manning (2015): the decoder's states are computed first, without what they attend to,
so that all steps of a minibatch are one call of each operation; then each state attends, and state
and context together make the state that scores are computed from.

Letters: P steps written, R steps read, H hidden units of the decoder, W width of the states read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.layers import Binding

__all__ = ["ATTENTIONS", "Attention", "AttentionReader"]

ATTENTIONS = ("dot", "additive")
KEY, KEY_BIAS = "attention.key.weight", "attention.key.bias"
QUERY, SCORER = "attention.query.weight", "attention.scorer"
COMBINE, COMBINE_BIAS = "attention.combine.weight", "attention.combine.bias"


class Attention:
    """How the states h (P, H) of a decoder attend to the states s (R, W) of an encoder, as data.

    Parameters
    ----------
    kind : {"dot", "additive"}
        How a state of the one is compared with a state of the other.
    hidden_size : int
        H, also the width in which the two are compared.
    width : int
        W.

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Notes
    -----
    "dot": ``e = h · (K s)``, the general form of Luong, Pham & Manning (2015). "additive":
    ``e = w · tanh(Q h + K s + b)`` (Bahdanau, Cho & Bengio 2015). Then ``a = softmax(e)`` over the
    steps read, ``c = Σ a s``, and ``tanh(C [c, h] + d)`` (P, H) is what the head takes.
    """

    def __init__(self, kind: str, hidden_size: int, width: int) -> None:
        if kind not in ATTENTIONS:
            raise ValueError(f"attention must be 'dot' or 'additive', got {kind!r}")
        self.kind = kind
        self.hidden_size = hidden_size
        self.width = width

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        h, w = self.hidden_size, self.width
        shapes: dict[str, tuple[int, ...]] = {KEY: (h, w)}
        if self.kind == "additive":
            shapes |= {KEY_BIAS: (h,), QUERY: (h, h), SCORER: (h,)}
        return {**shapes, COMBINE: (h, w + h), COMBINE_BIAS: (h,)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw the matrices from Glorot's uniform; the biases are zero."""
        for name, shape in self.parameter_shapes().items():
            if name in (KEY_BIAS, COMBINE_BIAS):
                parameters[name][...] = 0.0
            else:
                rows = shape[0] if len(shape) == 2 else 1
                parameters[name][...] = glorot_uniform((rows, shape[-1]), rng).reshape(shape)


class AttentionReader:
    """Attention bound to a backend: what was read once, and then any number of steps written.

    Parameters
    ----------
    attention : Attention
    binding : Binding

    Raises
    ------
    ValueError
        If the backend has none.
    """

    def __init__(self, attention: Attention, binding: Binding) -> None:
        h, w = attention.hidden_size, attention.width
        backend = binding.backend
        self._width = w
        self._additive = attention.kind == "additive"
        self._xp = backend.xp
        self._parameters, self._gradients = binding.parameters, binding.gradients
        self._attend = backend.attention()
        self._key_dense = binding.dense(w, h)
        self._query_dense = binding.dense(h, h)
        self._combine_dense = binding.dense(w + h, h)
        self._no_bias = self._xp.zeros(h, binding.dtype)
        self._unused = self._xp.zeros(h, binding.dtype)

    def read(self, plan: PackedPlan, states: Array) -> None:
        """Take what the encoder read: its states (R, W) after each step."""
        p = self._parameters
        self._read_plan, self._states = plan, states
        bias = p[KEY_BIAS] if self._additive else self._no_bias
        self._keys = self._key_dense.forward(states, p[KEY], bias)

    def forward(self, plan: PackedPlan, source: np.ndarray, h: Array) -> Array:
        """Return what the head takes (P, H) for the states h (P, H) of the decoder.

        source names, for each sequence of the plan, the sequence read that it is written from.
        """
        p = self._parameters
        queries, scorer = h, None
        if self._additive:
            queries = self._query_dense.forward(h, p[QUERY], self._no_bias)
            scorer = p[SCORER]
        self._h = h
        contexts = self._attend.forward(
            plan, self._read_plan, source, queries, self._keys, self._states, scorer
        )
        self._both = self._xp.concatenate([contexts, h], axis=1)
        combined = self._combine_dense.forward(self._both, p[COMBINE], p[COMBINE_BIAS])
        self._combined = self._xp.tanh(combined)
        return self._combined

    @property
    def weights(self) -> Array:
        """The weights of all pairs of the last forward call; see `AttentionOperation`."""
        return self._attend.weights

    def backward(self, dcombined: Array) -> tuple[Array, Array]:
        """Add to the gradients; return those by the states written (P, H) and read (R, W)."""
        p, g = self._parameters, self._gradients
        dboth = self._combine_dense.backward(
            self._both,
            dcombined * (1 - self._combined * self._combined),
            p[COMBINE],
            g[COMBINE],
            g[COMBINE_BIAS],
        )
        contiguous = self._xp.ascontiguousarray
        dcontexts, dh = (contiguous(part) for part in self._xp.split(dboth, [self._width], axis=1))
        dscorer = g[SCORER] if self._additive else None
        dqueries, dkeys, dstates = self._attend.backward(dcontexts, dscorer)
        if self._additive:
            dh += self._query_dense.backward(self._h, dqueries, p[QUERY], g[QUERY], self._unused)
        else:
            dh += dqueries
        dkey_bias = g[KEY_BIAS] if self._additive else self._unused
        dstates += self._key_dense.backward(self._states, dkeys, p[KEY], g[KEY], dkey_bias)
        return dh, dstates
