"""Layers of binary units joined to the next: fields, means, samples, and what a state weighs.

A state is a list of L + 1 arrays, layer 0 the visible units; weights[l] joins layers l and l + 1.
``-E = Σ_l h_l W_l h_(l+1) + Σ_l b_l h_l``. Layers of the same parity are independent given the
others. Letters: n rows, L hidden layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.special import expit, logsumexp, xlogy

__all__ = ["LayeredUnits"]

MOST_COUNTED = 12  # units whose states are counted out: 4096 of them


class LayeredUnits:
    """A Boltzmann machine whose units lie in layers.

    Parameters
    ----------
    weights : sequence of L ndarray of shape (units of layer l, units of layer l + 1)
    biases : sequence of L + 1 ndarray
    """

    def __init__(self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
        self.weights = list(weights)
        self.biases = list(biases)
        self.n_layers = len(self.biases)

    def of_parity(self, parity: int) -> range:
        """Return the layers of even (0) or odd (1) number."""
        return range(parity, self.n_layers, 2)

    def from_neighbours(self, states: Sequence[np.ndarray], layer: int) -> np.ndarray:
        """Return what a layer is told by its neighbours (n, units), without its bias."""
        told = 0
        if layer > 0:
            told = states[layer - 1] @ self.weights[layer - 1]
        if layer + 1 < self.n_layers:
            told = told + states[layer + 1] @ self.weights[layer].T
        return told  # type: ignore[return-value]

    def mean_of(self, states: Sequence[np.ndarray], layer: int) -> np.ndarray:
        """Return the probabilities that the units of a layer are on, given its neighbours."""
        mean: np.ndarray = expit(self.from_neighbours(states, layer) + self.biases[layer])
        return mean

    def mean_field(self, visible: np.ndarray, n_steps: int) -> list[np.ndarray]:
        """Return the means of all layers given the visible units, by mean field.

        It begins with a pass upwards in which what a layer is told from below stands in for what
        it is not yet told from above, twice its weight. One hidden layer needs no more: its means
        are exact.
        """
        means = [visible]
        for layer in range(1, self.n_layers):
            is_last = layer + 1 == self.n_layers
            told = means[-1] @ self.weights[layer - 1]
            means.append(expit((told if is_last else 2 * told) + self.biases[layer]))
        for _ in range(n_steps if self.n_layers > 2 else 0):
            for layer in range(1, self.n_layers):
                means[layer] = self.mean_of(means, layer)
        return means

    def sample(self, states: list[np.ndarray], parity: int, random: np.random.RandomState) -> None:
        """Draw all layers of a parity anew, given the others, in place of what they were."""
        for layer in self.of_parity(parity):
            mean = self.mean_of(states, layer)
            states[layer] = (random.uniform(size=mean.shape) < mean).astype(mean.dtype)

    def bound(self, means: Sequence[np.ndarray]) -> np.ndarray:
        """Return a bound from below of ``log Σ_h exp(-E)`` of visible units (n,).

        It is ``E_q[-E] + H(q)`` of a q under which hidden units are independent with these means,
        and exact where that is their true distribution, as with one hidden layer.
        """
        total = means[0] @ self.biases[0]
        for layer in range(1, self.n_layers):
            mean = means[layer]
            told = means[layer - 1] @ self.weights[layer - 1] + self.biases[layer]
            entropy = -xlogy(mean, mean) - xlogy(1 - mean, 1 - mean)
            total = total + (told * mean + entropy).sum(axis=1)
        return total  # type: ignore[no-any-return]

    def log_marginal(
        self, states: Sequence[np.ndarray], parity: int, scale: float = 1.0
    ) -> np.ndarray:
        """Return ``log Σ exp(-E)`` over the layers of the other parity (n,).

        Weights count `scale` times, biases once.
        """
        own = sum(states[layer] @ self.biases[layer] for layer in self.of_parity(parity))
        for layer in self.of_parity(1 - parity):
            told = scale * self.from_neighbours(states, layer) + self.biases[layer]
            own = own + np.logaddexp(0, told).sum(axis=1)
        return own  # type: ignore[no-any-return]

    def log_partition(self, n_chains: int, n_steps: int, random: np.random.RandomState) -> float:
        """Return log Z: counted out where half of the layers have few units, else estimated.

        The estimate is annealed importance sampling, from independent units with the same biases
        to the machine in `n_steps` equal steps: R. Salakhutdinov and I. Murray, "On the
        quantitative analysis of deep belief networks", ICML 2008.
        """
        sizes = [len(bias) for bias in self.biases]
        by_parity = [sum(sizes[parity::2]) for parity in (0, 1)]
        fewest = int(by_parity[1] < by_parity[0])
        if by_parity[fewest] <= MOST_COUNTED:
            return self._counted(fewest, by_parity[fewest])
        return self._annealed(n_chains, n_steps, random)

    def _counted(self, parity: int, n_units: int) -> float:
        """Sum over all states of the layers of a parity."""
        numbers = np.arange(2**n_units)[:, None]
        units = (numbers >> np.arange(n_units) & 1).astype(np.float64)
        states = [np.empty(0)] * self.n_layers
        first = 0
        for layer in self.of_parity(parity):
            states[layer] = units[:, first : first + len(self.biases[layer])]
            first += len(self.biases[layer])
        return float(logsumexp(self.log_marginal(states, parity)))

    def _annealed(self, n_chains: int, n_steps: int, random: np.random.RandomState) -> float:
        """Estimate log Z by chains over the layers of even number."""
        states = [np.empty(0)] * self.n_layers
        for layer in self.of_parity(0):
            mean = expit(self.biases[layer])
            states[layer] = (random.uniform(size=(n_chains, len(mean))) < mean).astype(np.float64)
        log_weights = np.zeros(n_chains)
        scales = np.linspace(0, 1, n_steps + 1)
        for before, scale in pairwise(scales):
            for parity in (1, 0):
                for layer in self.of_parity(parity):
                    told, bias = self.from_neighbours(states, layer), self.biases[layer]
                    if parity:  # what these layers, summed out, weigh more by than before
                        more = np.logaddexp(0, scale * told + bias)
                        log_weights += (more - np.logaddexp(0, before * told + bias)).sum(axis=1)
                    mean = expit(scale * told + bias)
                    drawn = random.uniform(size=mean.shape) < mean
                    states[layer] = drawn.astype(np.float64)
        independent = sum(float(np.logaddexp(0, bias).sum()) for bias in self.biases)
        return independent + float(logsumexp(log_weights) - np.log(n_chains))
