"""What machines with biases of each step expect, by sampling: log Z, and how often units are on.

Letters: T steps of a sequence, R chains, F visible units, M hidden units.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from rnnkit.network.boltzmann import Boltzmann, sigmoid

__all__ = ["annealed_log_partition", "expected_units", "generator_for"]

_FIELD_STEPS = 5  # of the mean field from which annealing starts
_ROWS_AT_ONCE = 2**13


def generator_for(entropy: int, v: np.ndarray) -> np.random.Generator:
    """Return a generator that follows from a seed and a sequence (T, F) of 0 and 1.

    So a sequence has the same draws whatever sequences it stands among, and different sequences
    have different ones.
    """
    digest = hashlib.blake2b(np.packbits(v > 0.5, axis=None).tobytes(), digest_size=16).digest()
    words = np.frombuffer(digest, "<u4").tolist()
    seed = np.random.SeedSequence([entropy, len(v), *words])
    return np.random.Generator(np.random.Philox(seed))


def annealed_log_partition(
    machine: Boltzmann,
    b: np.ndarray,
    c: np.ndarray,
    n_chains: int,
    n_temperatures: int,
    noise: np.random.Generator,
) -> np.ndarray:
    """Return an estimate of log Z (T,) of every step, float64, by annealed importance sampling.

    Parameters
    ----------
    machine : Boltzmann
    b, c : ndarray of shape (T, F), (T, M)
        Biases.
    n_chains : int
        R, over which the weights of a step are averaged.
    n_temperatures : int
        Steps from the machine without W, whose Z is known, to the machine.
    noise : numpy.random.Generator

    Notes
    -----
    Neal (2001), for these machines Salakhutdinov & Murray (2008):
    ``log p_β(v) = ((1 - β) a + β b) · v + Σ_j log(1 + exp(β (W v + c)_j))``, where the biases a of
    the start are those of a mean field. The mean of the weights has the expectation Z, so its
    logarithm is on average a little too small.
    """
    T = len(b)
    n_steps = max(1, _ROWS_AT_ONCE // n_chains)
    parts = [slice(t, t + n_steps) for t in range(0, T, n_steps)]
    return np.concatenate(
        [_annealed(machine, b[p], c[p], n_chains, n_temperatures, noise) for p in parts]
    )


def _annealed(
    machine: Boltzmann,
    b: np.ndarray,
    c: np.ndarray,
    n_chains: int,
    n_temperatures: int,
    noise: np.random.Generator,
) -> np.ndarray:
    a = _mean_field(machine, b, c)
    log_start = np.logaddexp(0.0, a.astype(np.float64)).sum(axis=1)
    log_start += machine.n_hidden * np.log(2.0)
    a, b, c = (np.repeat(biases, n_chains, axis=0) for biases in (a, b, c))
    difference = b - a
    log_weights = np.zeros(len(b))
    v = _drawn(sigmoid(a.copy()), noise)
    betas = np.linspace(0.0, 1.0, n_temperatures + 1).tolist()
    softplus = np.full(len(b), machine.n_hidden * np.log(2.0))
    for before, beta in pairwise(betas):
        inputs = machine.hidden_inputs(v, c)
        if before:
            softplus = _softplus_sum(inputs * before)
        inputs *= beta
        log_weights += _softplus_sum(inputs) - softplus
        log_weights += (beta - before) * np.einsum("rf,rf->r", v, difference, dtype=np.float64)
        if beta < 1.0:
            h = _drawn(sigmoid(inputs), noise)
            fields = machine.visible_inputs(h, difference)
            fields *= beta
            fields += a  # (1 - β) a + β (b + Wᵀ h)
            v = _drawn(sigmoid(fields), noise)
    of_step = log_weights.reshape(-1, n_chains)
    largest = of_step.max(axis=1, keepdims=True)
    mean = np.exp(of_step - largest).mean(axis=1)
    return np.asarray(log_start + largest[:, 0] + np.log(mean))


def _mean_field(machine: Boltzmann, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return visible biases (T, F) of independent units that are much like the machine's."""
    fields = b.copy()
    for _ in range(_FIELD_STEPS):
        on = machine.hidden_means(sigmoid(fields), c)
        fields = machine.visible_inputs(on, b)
    return fields


def _softplus_sum(inputs: np.ndarray) -> np.ndarray:
    """Return the sums (R,) of ``log(1 + exp(x))`` over each row, float64."""
    values = np.exp(-np.abs(inputs))
    np.log1p(values, out=values)
    values += np.maximum(inputs, 0.0)
    return np.asarray(values.sum(axis=1, dtype=np.float64))


def _drawn(means: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    below = noise.random(means.shape, dtype=np.float32) < means
    return np.asarray(below.astype(means.dtype))


def expected_units(
    machine: Boltzmann,
    b: np.ndarray,
    c: np.ndarray,
    v: np.ndarray,
    n_chains: int,
    n_gibbs: int,
    noise: np.random.Generator,
) -> np.ndarray:
    """Return how probable it is that each visible unit is on (T, F) at every step, by sampling.

    Parameters
    ----------
    machine : Boltzmann
    b, c : ndarray of shape (T, F), (T, M)
        Biases.
    v : ndarray of shape (T, F)
        Where the chains begin.
    n_chains, n_gibbs : int
        R chains of each step, and how often each samples both layers; the probabilities that the
        last h leaves are averaged over the chains.
    noise : numpy.random.Generator
    """
    n_steps = max(1, _ROWS_AT_ONCE // n_chains)
    means = np.empty_like(v)
    for t in range(0, len(v), n_steps):
        part = slice(t, t + n_steps)
        begun, of_v, of_h = (np.repeat(x[part], n_chains, axis=0) for x in (v, b, c))
        _, last = machine.gibbs(begun, of_v, of_h, n_gibbs, noise)
        means[part] = last.reshape(-1, n_chains, v.shape[1]).mean(axis=1)
    return means
