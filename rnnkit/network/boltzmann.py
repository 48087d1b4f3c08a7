"""Restricted Boltzmann machines of binary units, one for each row, which share their weights.

Letters: P rows, F visible units, M hidden units, S states of the smaller of the two layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.interface import Backend

__all__ = ["MOST_ENUMERATED", "Boltzmann", "Expectations", "sigmoid"]

MOST_ENUMERATED = 14  # units of a layer all of whose states are gone through
_BLOCK = 2**18  # numbers that are computed at once where P rows meet all units or states
_LARGEST_LOGARITHM = 600.0  # of a product of float64 numbers that is surely finite


class Expectations(NamedTuple):
    """What a machine expects of its units, row by row.

    Parameters
    ----------
    log_partition : ndarray of shape (P,), float64
        log Z.
    visible : ndarray of shape (P, F)
        ``E[v]``.
    hidden : ndarray of shape (P, M)
        ``E[h]``.
    products : ndarray of shape (M, F)
        The weighted sum over the rows of ``E[h vᵀ]``.
    """

    log_partition: np.ndarray
    visible: np.ndarray
    hidden: np.ndarray
    products: np.ndarray


class Boltzmann:
    """The energy ``-(b · v + c · h + h · W v)`` of a visible and a hidden layer of 0 and 1.

    The biases b (P, F) and c (P, M) are those of each row. The products are the backend's, so
    that no row depends on those beside it, nor on the number of threads.

    Parameters
    ----------
    weight : ndarray of shape (M, F)
        W, on the host.
    backend : Backend
        Of the host.
    """

    def __init__(self, weight: np.ndarray, backend: Backend) -> None:
        self.n_hidden, self.n_visible = weight.shape
        self.dtype = weight.dtype
        self._up = backend.dense(self.n_visible, self.n_hidden, self.dtype)
        self._down = backend.dense(self.n_hidden, self.n_visible, self.dtype)
        self._weight = weight
        self._transposed = np.ascontiguousarray(weight.T)
        self._no_hidden = np.zeros(self.n_hidden, self.dtype)
        self._no_visible = np.zeros(self.n_visible, self.dtype)

    def hidden_inputs(self, v: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return ``W v + c`` (P, M), a new array."""
        inputs: Any = self._up.forward(v, self._weight, self._no_hidden)
        inputs += c
        return np.asarray(inputs)

    def visible_inputs(self, h: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return ``Wᵀ h + b`` (P, F), a new array."""
        inputs: Any = self._down.forward(h, self._transposed, self._no_visible)
        inputs += b
        return np.asarray(inputs)

    def hidden_means(self, v: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return ``P(h = 1 | v)`` (P, M)."""
        return sigmoid(self.hidden_inputs(v, c))

    def free_energy(self, v: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return ``F(v) = -b · v - Σ_j log(1 + exp((W v + c)_j))`` (P,), float64."""
        inputs = self.hidden_inputs(v, c).astype(np.float64)
        energy = np.einsum("pf,pf->p", v, b, dtype=np.float64)
        energy += np.logaddexp(0.0, inputs).sum(axis=1)
        return np.asarray(-energy)

    def gibbs(
        self, v: np.ndarray, b: np.ndarray, c: np.ndarray, n_steps: int, noise: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sample hidden and visible units in turn.

        Parameters
        ----------
        v : ndarray of shape (P, F)
            Where the chains begin; left as it is.
        b, c : ndarray of shape (P, F), (P, M)
        n_steps : int
            How often each layer is sampled, at least once.
        noise : numpy.random.Generator

        Returns
        -------
        v : ndarray of shape (P, F)
            Where they end, 0 and 1.
        means : ndarray of shape (P, F)
            What those were drawn with: ``P(v = 1 | h)`` of the last h.
        """
        for _ in range(n_steps):
            h = self._drawn(self.hidden_means(v, c), noise)
            means = sigmoid(self.visible_inputs(h, b))
            v = self._drawn(means, noise)
        return v, means

    def _drawn(self, means: np.ndarray, noise: Any) -> np.ndarray:
        below = noise.random(means.shape, dtype=np.float32) < means
        return np.asarray(below.astype(self.dtype))

    def pseudo_losses(self, v: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return the negative pseudo-log-likelihood (P,) in nats, float64.

        It is ``-Σ_i log P(v_i | all other v)``; where W is zero, ``-log P(v)`` itself.

        Notes
        -----
        ``P(v_i | others) = σ(F(v with the other v_i) - F(v))``, and with d = 1 - 2 v_i, the change
        of v_i, that difference of free energies is
        ``-d b_i - Σ_j log(1 + p_j (exp(d W_ji) - 1))``, ``p = P(h = 1 | v)``.
        """
        inputs = self.hidden_inputs(v, c).astype(np.float64)
        weight = self._weight.astype(np.float64)
        largest = float(np.abs(weight).max(initial=0.0))
        if not np.isfinite(largest):
            return np.full(len(v), np.inf)
        changes = _changes_in_logarithms if largest > _LARGEST_LOGARITHM else _changes_in_products
        losses = np.empty(len(v))
        n_rows = max(1, _BLOCK // (8 * self.n_visible))
        for start in range(0, len(v), n_rows):
            rows = slice(start, start + n_rows)
            is_on = v[rows] > 0.5
            logits = (1.0 - 2.0 * is_on) * b[rows]
            logits += changes(inputs[rows], weight, is_on, largest)
            losses[rows] = np.logaddexp(0.0, logits).sum(axis=1)
        return losses

    def expectations(
        self, b: np.ndarray, c: np.ndarray, weights: np.ndarray | None = None
    ) -> Expectations:
        """Return log Z and the expectations, of all states of the smaller layer one by one.

        Parameters
        ----------
        b, c : ndarray of shape (P, F), (P, M)
        weights : ndarray of shape (P,), default=None
            Of the rows in the sum of products; None means ones.
        """
        weight = self._weight.astype(np.float64)
        if self.n_hidden <= self.n_visible:
            log_z, hidden, visible, products = _enumerated(weight, c, b, weights)
            return Expectations(log_z, visible, hidden, products)
        log_z, visible, hidden, products = _enumerated(weight.T, b, c, weights)
        return Expectations(log_z, visible, hidden, products.T)


def _changes_in_products(
    inputs: np.ndarray, weight: np.ndarray, is_on: np.ndarray, largest: float
) -> np.ndarray:
    """Return ``Σ_j log(1 + p_j (exp(d W_ji) - 1))`` (P, F), a logarithm for many factors."""
    n_factors = int(min(_LARGEST_LOGARITHM / max(largest, 1e-30), 64))
    p, q = sigmoid(inputs.copy()), sigmoid(-inputs)
    on, off = np.exp(weight), np.exp(-weight)  # by which a unit's coming and going counts
    total, product = np.zeros(is_on.shape), np.ones(is_on.shape)
    for j in range(len(weight)):
        factor = np.where(is_on, off[j], on[j])
        factor *= p[:, j, None]
        factor += q[:, j, None]
        product *= factor
        if (j + 1) % n_factors == 0 or j == len(weight) - 1:
            total += np.log(product)
            product[...] = 1.0
    return total


def _changes_in_logarithms(
    inputs: np.ndarray, weight: np.ndarray, is_on: np.ndarray, largest: float
) -> np.ndarray:
    """Return the same for weights so large that their exponentials are not finite."""
    log_p, log_q = -np.logaddexp(0.0, -inputs), -np.logaddexp(0.0, inputs)
    total = np.zeros(is_on.shape)
    for j in range(len(weight)):
        change = np.where(is_on, -weight[j], weight[j])
        total += np.logaddexp(log_q[:, j, None], log_p[:, j, None] + change)
    return total


def _enumerated(
    weight: np.ndarray, few: np.ndarray, many: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return log Z, what is expected of the smaller layer, of the larger and of their products.

    W is (smaller, larger). Sums run in one order whatever the number of threads.
    """
    n_few, n_many = weight.shape
    states = (np.arange(2**n_few)[:, None] >> np.arange(n_few) & 1).astype(np.float64)
    inputs = np.einsum("sj,ji->si", states, weight)
    log_z, means = np.empty(len(few)), np.empty(few.shape)
    others, products = np.empty(many.shape), np.zeros(weight.shape)
    n_rows = max(1, _BLOCK // (len(states) * n_many))
    for start in range(0, len(few), n_rows):
        rows = slice(start, start + n_rows)
        fields = inputs + many[rows, None, :]
        terms = np.einsum("sj,pj->ps", states, few[rows], dtype=np.float64)
        terms += np.logaddexp(0.0, fields).sum(axis=2)
        largest = terms.max(axis=1, keepdims=True)
        shares = np.exp(terms - largest)
        totals = shares.sum(axis=1, keepdims=True)
        shares /= totals
        log_z[rows] = (largest + np.log(totals))[:, 0]
        joint = sigmoid(fields)
        joint *= shares[:, :, None]
        means[rows] = np.einsum("ps,sj->pj", shares, states)
        others[rows] = joint.sum(axis=1)
        if weights is not None:
            joint *= weights[rows, None, None]
        products += np.einsum("sj,si->ji", states, joint.sum(axis=0))
    return log_z, means, others, products


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-x))``, in place of x."""
    np.negative(x, out=x)
    with np.errstate(over="ignore"):
        np.exp(x, out=x)
    x += 1.0
    return np.asarray(np.reciprocal(x, out=x))
