"""The reference of attention: pair of sequences by pair, in the form of the equations.

Letters: P steps written, R steps read, U and T those of one pair of sequences, A numbers that are
compared, W numbers of a value, E pairs of a step written and a step read. A leading d means the
gradient of the loss by the variable named after it.
"""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan

__all__ = ["ReferenceAttention", "bounds_of_pairs"]


def bounds_of_pairs(written: PackedPlan, read: PackedPlan, source: np.ndarray) -> np.ndarray:
    """Return the first pair of each sequence written, and the number of all, (B + 1,) intp."""
    sizes = written.lengths * read.lengths[source]
    return np.concatenate([np.zeros(1, np.intp), np.cumsum(sizes)])


class ReferenceAttention:
    """``e = q · k`` or ``e = w · tanh(q + k)``; ``a = softmax(e)``; ``context = Σ_t a_t v_t``."""

    def forward(
        self,
        written: PackedPlan,
        read: PackedPlan,
        source: np.ndarray,
        queries: Array,
        keys: Array,
        values: Array,
        scorer: Array | None = None,
    ) -> Array:
        """Return the contexts (P, W)."""
        bounds = bounds_of_pairs(written, read, source)
        self._pairs = [
            (
                written.step_offsets[: written.lengths[d]] + d,
                read.step_offsets[: read.lengths[s]] + s,
                slice(bounds[d], bounds[d + 1]),
            )
            for d, s in enumerate(source.tolist())
        ]
        self._saved = queries, keys, values, scorer
        self.weights = np.empty(bounds[-1], queries.dtype)
        contexts = np.zeros((len(queries), values.shape[1]), queries.dtype)
        for rows, steps, place in self._pairs:
            q, k, v = queries[rows], keys[steps], values[steps]
            if scorer is None:
                energies = q @ k.T
            else:
                energies = np.tanh(q[:, None] + k) @ scorer
            e = np.exp(energies - energies.max(axis=1, keepdims=True, initial=-np.inf))
            a = e / e.sum(axis=1, keepdims=True)
            contexts[rows] = a @ v
            self.weights[place] = a.ravel()
        return contexts

    def backward(
        self, dcontexts: Array, dscorer: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Return the gradients by queries, keys and values; add to that by the scorer."""
        queries, keys, values, scorer = self._saved
        dqueries, dkeys, dvalues = (np.zeros_like(x) for x in (queries, keys, values))
        for rows, steps, place in self._pairs:
            q, k, v, dcontext = queries[rows], keys[steps], values[steps], dcontexts[rows]
            a = self.weights[place].reshape(len(rows), len(steps))
            da = dcontext @ v.T
            dvalues[steps] += a.T @ dcontext
            de = a * (da - (a * da).sum(axis=1, keepdims=True))
            if scorer is None or dscorer is None:
                dqueries[rows] = de @ k
                dkeys[steps] += de.T @ q
                continue
            inner = np.tanh(q[:, None] + k)
            dscorer += (de[:, :, None] * inner).sum(axis=(0, 1))
            dinner = de[:, :, None] * scorer * (1 - inner * inner)
            dqueries[rows] = dinner.sum(axis=1)
            dkeys[steps] += dinner.sum(axis=0)
        return dqueries, dkeys, dvalues
