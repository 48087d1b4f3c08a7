"""Evolution of a vector of genes, from the worth of one candidate at a time.

Letters: S candidates of a generation, U units of a network, m genes of a unit, n genes in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["EVOLUTIONS", "Best", "evolve"]

Worth = Callable[[np.ndarray], float]

PARENTS = 4  # one in so many of a generation has descendants
# Of differential evolution, in the names of SciPy: what did best of its strategies on sums of sines
# (benchmarks: papers/evolino.py --evolution differential).
DIFFERENTIAL = {"strategy": "currenttobest1bin", "mutation": (0.3, 0.8), "recombination": 0.3}
REACH = 2.0  # how far its genes may go; the first ones lie between -1 and 1


@dataclass
class Best:
    """The best candidate so far, and what it was worth after every generation.

    Parameters
    ----------
    worth : callable
        The error of a vector of genes, which is to be small; inf where there is none.
    n_candidates : int
        S.

    Attributes
    ----------
    genes : ndarray of shape (n,)
    curve : list of float
        The smallest error until the end of each generation.
    """

    worth: Worth
    n_candidates: int
    genes: np.ndarray = field(init=False)
    curve: list[float] = field(default_factory=list)
    _error: float = float("inf")
    _n_tried: int = 0

    def __call__(self, genes: np.ndarray) -> float:
        """Return the error of a candidate, and keep it if there was no better one."""
        error = self.worth(genes)
        if error < self._error or not self._n_tried:
            self._error, self.genes = error, genes.copy()
        self._n_tried += 1
        if self._n_tried % self.n_candidates == 0:
            self.curve.append(self._error)
        return error


def evolve(
    kind: str,
    worth: Worth,
    units: np.ndarray,
    *,
    population: int,
    generations: int,
    mutation: float,
    rng: np.random.RandomState,
) -> Best:
    """Return the best of all candidates; the first ones are uniform between -1 and 1.

    Parameters
    ----------
    kind : str
        A name from `EVOLUTIONS`.
    worth : callable
        As in `Best`.
    units : ndarray of shape (U, m), intp
        Which genes each unit has; each gene is one unit's.
    population, generations : int
        S, and how often S candidates are tried.
    mutation : float
        Scale of the noise of subpopulations.
    rng : numpy.random.RandomState

    Returns
    -------
    Best
    """
    best = Best(worth, population)
    EVOLUTIONS[kind](best, units, generations, mutation, rng)
    return best


def _subpopulations(
    best: Best, units: np.ndarray, generations: int, mutation: float, rng: np.random.RandomState
) -> None:
    """Evolve a population for each unit (Gomez & Miikkulainen 1997, enforced subpopulations).

    A candidate takes a member of each. After a generation the better quarter of each has
    descendants: genes up to some place of one parent, then of another, plus noise of a Cauchy
    distribution. They take the places of the worse half.
    """
    n_units, n_genes = units.shape
    size = best.n_candidates
    n_parents, n_new = max(2, size // PARENTS), size // 2
    members = rng.uniform(-1.0, 1.0, (n_units, size, n_genes))
    each = np.arange(n_units)
    errors, genes = np.empty((n_units, size)), np.empty(units.size)
    for generation in range(generations):
        for unit in each if generation else ():
            order = np.argsort(errors[unit], kind="stable")
            parents = members[unit, order[:n_parents]]
            first, second = rng.randint(n_parents, size=(2, n_new))
            cut = rng.randint(n_genes + 1, size=(n_new, 1))
            new = np.where(np.arange(n_genes) < cut, parents[first], parents[second])
            new += mutation * rng.standard_cauchy(new.shape)
            members[unit, order[size - n_new :]] = new
        chosen = np.array([rng.permutation(size) for _ in each])
        for place in chosen.T:
            genes[units] = members[each, place]
            errors[each, place] = best(genes)


def _differential(
    best: Best, units: np.ndarray, generations: int, mutation: float, rng: np.random.RandomState
) -> None:
    """Evolve whole candidates by differences of others (Storn & Price 1997), with SciPy."""
    from scipy.optimize import differential_evolution

    first = rng.uniform(-1.0, 1.0, (best.n_candidates, units.size))
    differential_evolution(
        best,
        [(-REACH, REACH)] * units.size,
        init=first,
        maxiter=generations - 1,
        tol=0,
        atol=-1,  # no generation is the last because all of it is alike
        polish=False,
        seed=rng,
        **DIFFERENTIAL,
    )


EVOLUTIONS = {"subpopulations": _subpopulations, "differential": _differential}
