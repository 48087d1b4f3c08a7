"""How a machine of layered binary units begins, and goes up the likelihood.

The positive phase is the data with means of the hidden units, the negative one particles that the
machine draws on and on (Tieleman 2008; Salakhutdinov & Hinton 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rnnkit.energy.layered import LayeredUnits

__all__ = ["drawn_machine", "train_once"]

Arrays = list[np.ndarray]


def drawn_machine(
    layers: Sequence[int], n_particles: int, dtype: np.dtype, random: np.random.RandomState
) -> tuple[Arrays, Arrays, Arrays]:
    """Return small weights, biases of zero, and particles of nothing but chance."""
    weights = [random.normal(0, 0.01, shape).astype(dtype) for shape in pairwise(layers)]
    biases = [np.zeros(size, dtype) for size in layers]
    particles = [random.randint(2, size=(n_particles, size)).astype(dtype) for size in layers]
    return weights, biases, particles


def train_once(
    units: LayeredUnits,
    rows: np.ndarray,
    particles: Arrays,
    rates: Sequence[float],
    random: np.random.RandomState,
    *,
    batch_size: int,
    mean_field_steps: int,
    gibbs_steps: int,
    alpha: float,
) -> float:
    """Train on all rows once, in a minibatch for each learning rate.

    Returns
    -------
    float
        The squared error of what the means of the hidden units give back, per entry of `rows`.
    """
    order, total = random.permutation(len(rows)), 0.0
    for i, rate in enumerate(rates):
        batch = rows[order[i * batch_size : (i + 1) * batch_size]]
        means = units.mean_field(batch, mean_field_steps)
        total += float(np.square(batch - units.mean_of(means, 0)).sum())
        _step_up(units, means, particles, gibbs_steps, rate, alpha, random)
    return total / rows.size


def _step_up(
    units: LayeredUnits,
    means: Arrays,
    particles: Arrays,
    gibbs_steps: int,
    rate: float,
    alpha: float,
    random: np.random.RandomState,
) -> None:
    """Go on with the particles, and change weights and biases in place by one step.

    Parameters
    ----------
    units : LayeredUnits
    means : list of L + 1 ndarray
        A minibatch of data, and what mean field makes of the hidden units.
    particles : list of L + 1 ndarray
        States that the machine draws; changed in place.
    gibbs_steps : int
        How often all layers of the particles are drawn anew.
    rate : float
        The learning rate.
    alpha : float
        What weights are shrunk by.
    random : RandomState
    """
    for _ in range(gibbs_steps):
        units.sample(particles, 1, random)
        units.sample(particles, 0, random)
    believed = list(particles)
    for layer in units.of_parity(1):  # less noise than a sample of theirs, and as true
        believed[layer] = units.mean_of(particles, layer)
    for weight, data, machine in zip(units.weights, _products(means), _products(believed)):
        gradient = data - machine - alpha * weight
        weight += np.asarray(rate * gradient, dtype=weight.dtype)
    for layer, bias in enumerate(units.biases):
        difference = means[layer].mean(axis=0) - believed[layer].mean(axis=0)
        bias += np.asarray(rate * difference, dtype=bias.dtype)


def _products(states: Arrays) -> Arrays:
    """Return the mean over rows of the products of each layer's units with the next one's."""
    return [below.T @ above / len(below) for below, above in pairwise(states)]
