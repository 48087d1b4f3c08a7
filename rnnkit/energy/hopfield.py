"""Hopfield networks: patterns that are stored, and recalled from a part or from noise.

Letters: N stored patterns, n states that are asked about, F features, which are the units.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from rnnkit.energy.patterns import (
    by_hebb,
    by_projection,
    levels_of,
    read_thresholds,
    refuse_too_large,
    signs_of,
)
from rnnkit.energy.rows import RowEstimator
from rnnkit.estimators.telling import tell
from rnnkit.estimators.transaction import at_this_moment, learning
from rnnkit.preprocessing.watching import watched

__all__ = ["HopfieldNetwork"]


class HopfieldNetwork(OneToOneFeatureMixin, TransformerMixin, RowEstimator):
    """Store patterns, and recall the one that a damaged state comes from.

    The network is a state of F units and an energy of it that has a valley at each pattern, as
    long as there are not too many; recall goes downhill.

    Parameters
    ----------
    rule : {"hebb", "pseudo-inverse", "softmax"}, default="hebb"
        How patterns are stored. "hebb" [1]_ and "pseudo-inverse" [2]_ have units of -1 or +1 and
        a weight between any two. "softmax" is the modern network of continuous units [3]_, which
        keeps the patterns themselves: one step of it is the attention of a transformer.
    beta : float, default=1.0
        For "softmax": how sharply it decides between patterns. Small: it settles at means of
        many.
    update : {"auto", "asynchronous", "synchronous"}, default="auto"
        Whether units change one after another, in an order drawn for each sweep, or all at once.
        "auto": all at once for "softmax", one after another for the others.
    max_iter : int, default=100
        Most sweeps over all units.
    tol : float, default=1e-4
        For "softmax": a state has settled once no unit moves by more than `tol` times the
        largest magnitude in the patterns. The other rules settle exactly.
    binarize : float, default=0.0
        For "hebb" and "pseudo-inverse": values above are +1, others -1.
    thresholds : float or array-like of shape (F,), default=0.0
        For "hebb" and "pseudo-inverse": θ, the field above which a unit is +1.
    random_state : int, RandomState instance or None, default=None
        The order of units in asynchronous sweeps. All states that are asked about at once have
        the same.

    Attributes
    ----------
    patterns_ : ndarray of shape (N, F)
        What was stored: -1 and +1, or with "softmax" the numbers of X.
    weights_ : ndarray of shape (F, F)
        W, symmetric; not with "softmax".
    levels_ : ndarray of shape (2,)
        What -1 and +1 are called in results: the two values of the X that was stored if it had no
        others, such as 0 and 1, and `binarize` parts them; else -1 and +1. Not with "softmax".
    stable_ : ndarray of shape (N,), bool
        Which patterns stay where they are; with "softmax", which settle nearer to themselves than
        to any other.
    converged_ : ndarray of shape (N,), bool
        From which patterns recall settled within `max_iter`.
    n_iter_ : int
        Sweeps until recall from the patterns themselves had settled, the last without a change.
    n_features_in_ : int
        F.
    feature_names_in_ : ndarray of shape (F,)
        The columns' names, where X is a frame.

    Notes
    -----
    With "hebb", ``W = Σ x xᵀ / F`` with a diagonal of zeros; with "pseudo-inverse", W is the
    projection onto the span of the patterns, ``X⁺ X``, of which each pattern is a fixed point.
    A unit becomes the sign of its field, ``s_i = sign(Σ_j W_ij s_j - θ_i)``, and keeps its state
    where that is 0 (within rounding). The energy is ``E = -½ sᵀ W s + θᵀ s``. One unit at a time
    never raises it, as no diagonal is negative. All at once may end in two states in turn with
    "hebb", which recall notices; with "pseudo-inverse", whose W has no negative eigenvalue, the
    energy falls in this way too.

    With "softmax" the state becomes ``ξ = Xᵀ softmax(β X ξ)`` and the energy is
    ``E = -lse(β, X ξ) + ½ ξᵀ ξ + log(N) / β + ½ M²``, where ``lse(β, z) = log(Σ exp(β z)) / β``
    and M is the largest norm of a pattern. Both ways of updating lower it. Long patterns draw more
    than short ones: bring them to one length before, as `sklearn.preprocessing.Normalizer` does.

    The rule of Hebb recalls random patterns with few errors up to about ``N = 0.138 F`` [4]_,
    beyond which nearly nothing is recalled; the projection stores up to F that are independent,
    with valleys that shrink; "softmax" stores exponentially many in F.

    References
    ----------
    .. [1] J. J. Hopfield, "Neural networks and physical systems with emergent collective
       computational abilities", PNAS 79, 1982.
    .. [2] L. Personnaz, I. Guyon and G. Dreyfus, "Collective computational properties of neural
       networks: new learning mechanisms", Physical Review A 34, 1986.
    .. [3] H. Ramsauer et al., "Hopfield networks is all you need", 2020.
    .. [4] D. J. Amit, H. Gutfreund and H. Sompolinsky, "Storing infinite numbers of patterns in a
       spin-glass model of neural networks", Physical Review Letters 55, 1985.

    Examples
    --------
    >>> from rnnkit.energy import HopfieldNetwork
    >>> letters = [[1, 1, 1, 1, 0, 0, 1, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0, 1]]
    >>> network = HopfieldNetwork("pseudo-inverse", random_state=0).fit(letters)
    >>> network.recall([[1, 1, 1, 0, 0, 0, 1, 0, 0]])
    array([[1., 1., 1., 1., 0., 0., 1., 0., 0.]])
    >>> network.predict([[1, 1, 1, 0, 0, 0, 1, 0, 0]])
    array([0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "rule": [StrOptions({"hebb", "pseudo-inverse", "softmax"})],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "update": [StrOptions({"auto", "asynchronous", "synchronous"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "binarize": [Interval(Real, None, None, closed="neither")],
        "thresholds": [Interval(Real, None, None, closed="neither"), "array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        rule: str = "hebb",
        *,
        beta: float = 1.0,
        update: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-4,
        binarize: float = 0.0,
        thresholds: Any = 0.0,
        random_state: Any = None,
    ) -> None:
        self.rule = rule
        self.beta = beta
        self.update = update
        self.max_iter = max_iter
        self.tol = tol
        self.binarize = binarize
        self.thresholds = thresholds
        self.random_state = random_state

    @watched
    def fit(self, X: Any, y: Any = None) -> HopfieldNetwork:
        """Store patterns in place of those that were stored.

        Parameters
        ----------
        X : array-like of shape (N, F)
            The patterns, dense; float32 stays so, other dtypes become float64.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted; nothing has changed then.
        """
        self._validate_params()
        with learning(self) as draft:
            rows = draft._read_rows(X, reset=True)
            thresholds = read_thresholds(draft.thresholds, draft.rule, rows)
            for name in ("weights_", "levels_", "_fitted"):
                vars(draft).pop(name, None)
            if draft.rule == "softmax":
                refuse_too_large(rows, float(draft.beta))
                draft.patterns_ = rows.copy()
            else:
                draft.levels_ = levels_of(rows, draft.binarize)
                draft.patterns_ = signs_of(rows, draft.binarize)
                self._tell_of_one_sign(rows, draft.patterns_)
                store = by_hebb if draft.rule == "hebb" else by_projection
                draft.weights_ = store(draft.patterns_)
            draft._fitted = draft.rule, float(draft.beta), float(draft.binarize), thresholds
            states, n_iter, converged, _ = draft._settle(draft.patterns_)
            if draft.rule == "softmax":
                draft.stable_ = draft._nearest(states) == np.arange(len(rows))
            else:
                draft.stable_ = np.all(states == draft.patterns_, axis=1)
            draft.converged_, draft.n_iter_ = converged, int(n_iter.max())
        return self

    def recall(self, X: Any, *, return_n_iter: bool = False) -> Any:
        """Return the states in which the network settles.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Where it begins.
        return_n_iter : bool, default=False
            Whether to return as well how many sweeps each state took and whether it settled.

        Returns
        -------
        states : ndarray of shape (n, F)
            Of the two values `levels_`, or with "softmax" numbers on the scale of the patterns.
        n_iter : ndarray of shape (n,), integer, with `return_n_iter`
            Sweeps, the one without a change included.
        converged : ndarray of shape (n,), bool, with `return_n_iter`

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.

        Warns
        -----
        ConvergenceWarning
            If a state does not settle within `max_iter` sweeps, or synchronous updates go back
            and forth between two states; it is returned as it was last.
        """
        now = self._now()
        states, n_iter, converged = now._recalled(X)
        if now._fitted[0] != "softmax":
            low, high = now.levels_
            states = np.where(states > 0, high, low)
        return (states, n_iter, converged) if return_n_iter else states

    def transform(self, X: Any) -> np.ndarray:
        """Return the states in which the network settles, as `recall` does.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Where it begins.

        Returns
        -------
        ndarray of shape (n, F)

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        states: np.ndarray = self.recall(X)
        return states

    def predict(self, X: Any) -> np.ndarray:
        """Return which stored pattern is nearest to the state in which the network settles.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Where it begins.

        Returns
        -------
        ndarray of shape (n,), integer
            Rows of `patterns_`; the first of several that are as near.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now = self._now()
        return now._nearest(now._recalled(X)[0])  # type: ignore[no-any-return]

    def energy(self, X: Any) -> np.ndarray:
        """Return the energy of states.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Read as -1 and +1 as by `fit`, or with "softmax" as they are.

        Returns
        -------
        ndarray of shape (n,)
            See the notes of the class.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now = self._now()
        return now._energy(now._begin(X))  # type: ignore[no-any-return]

    def _now(self) -> Any:
        check_is_fitted(self, "patterns_")
        self._validate_params()
        return at_this_moment(self)

    def _tell_of_one_sign(self, rows: np.ndarray, patterns: np.ndarray) -> None:
        """Warn if different values have all become the same."""
        low, high = rows.min(), rows.max()
        if low < high and patterns.min() == patterns.max():
            tell(
                f"X of {type(self).__name__} has values from {low:.3g} to {high:.3g}, all of which "
                f"are {patterns[0, 0]:+.0f} with binarize={self.binarize!r}: set binarize to a "
                "number between them",
                UserWarning,
                subject="values on one side of binarize",
            )

    def _begin(self, X: Any) -> np.ndarray:
        """Read states."""
        rows = self._read_rows(X, reset=False)
        rule, beta, binarize, _ = self._fitted
        if rule != "softmax":
            return signs_of(rows, binarize)
        refuse_too_large(rows, beta)
        return rows

    def _energy(self, states: np.ndarray) -> np.ndarray:
        rule, beta, _, thresholds = self._fitted
        if rule != "softmax":
            fields = states @ self.weights_
            energies: np.ndarray = states @ thresholds - np.einsum("nf,nf->n", fields, states) / 2
            return energies
        patterns = self.patterns_
        deepest = logsumexp(beta * (states @ patterns.T), axis=1) / beta
        constant = np.log(len(patterns)) / beta + np.square(patterns).sum(axis=1).max() / 2
        energies = np.square(states).sum(axis=1) / 2 - deepest + constant
        return energies.astype(states.dtype, copy=False)

    def _nearest(self, states: np.ndarray) -> np.ndarray:
        """Return the row of the nearest pattern to each state."""
        patterns = self.patterns_
        closeness = states @ patterns.T - np.square(patterns).sum(axis=1) / 2
        nearest: np.ndarray = closeness.argmax(axis=1)
        return nearest

    def _recalled(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return settled states, their sweeps and whether they settled; warn of those not."""
        states, n_iter, converged, alternates = self._settle(self._begin(X))
        n, n_open, n_alternating = len(states), int((~converged).sum()), int(alternates.sum())
        if n_alternating:
            tell(
                f"{n_alternating} of {n} states go back and forth between two with "
                "update='synchronous'; update='asynchronous' always settles",
                ConvergenceWarning,
                subject="states in turn",
            )
        if n_open > n_alternating:
            tell(
                f"{n_open - n_alternating} of {n} states have not settled after "
                f"max_iter={self.max_iter} sweeps",
                ConvergenceWarning,
                subject="states that have not settled",
            )
        return states, n_iter, converged

    def _settle(self, begin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Go downhill from states (n, F), each until it has settled.

        Returns
        -------
        states : ndarray of shape (n, F)
        n_iter : ndarray of shape (n,), integer
        converged : ndarray of shape (n,), bool
        alternates : ndarray of shape (n,), bool
            Which go back and forth between two states.
        """
        rule = self._fitted[0]
        at_once = self.update == "synchronous" or (self.update == "auto" and rule == "softmax")
        random = check_random_state(self.random_state)
        n, n_units = begin.shape
        states, before = begin.copy(), np.full_like(begin, np.nan)
        n_iter = np.zeros(n, dtype=np.intp)
        converged, alternates = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        least = self.tol * np.abs(self.patterns_).max() if rule == "softmax" else 0
        going = np.arange(n)
        for _ in range(self.max_iter):
            order = None if at_once else random.permutation(n_units)
            old = states[going]
            sweep = self._sweep_softmax if rule == "softmax" else self._sweep_signs
            new = sweep(old, order)
            n_iter[going] += 1
            settled = np.abs(new - old).max(axis=1) <= least
            # A softmax's steps shorten, and signs in turn never turn back.
            turns = at_once & (rule != "softmax") & ~settled & np.all(new == before[going], axis=1)
            before[going], states[going] = old, new
            converged[going], alternates[going] = settled, turns
            going = going[~settled & ~turns]
            if not len(going):
                break
        return states, n_iter, converged, alternates

    def _sweep_signs(self, states: np.ndarray, order: np.ndarray | None) -> np.ndarray:
        """Let all units follow their fields once: in an order, or all at once."""
        thresholds, weights = self._fitted[3], self.weights_
        fields = states @ weights - thresholds
        # Fields as small as their rounding are ties, in which a unit keeps its state.
        largest = max(float(np.abs(weights).max()), float(np.abs(thresholds).max()))
        tie = 8 * np.finfo(states.dtype).eps * np.sqrt(len(weights)) * largest
        if order is None:
            signs: np.ndarray = np.where(np.abs(fields) <= tie, states, np.sign(fields))
            return signs
        states = states.copy()
        for i in order:
            flips = np.flatnonzero(fields[:, i] * states[:, i] < -tie)
            if len(flips):
                states[flips, i] *= -1
                fields[flips] += 2 * states[flips, i, None] * weights[i]
        return states

    def _sweep_softmax(self, states: np.ndarray, order: np.ndarray | None) -> np.ndarray:
        """Move all units to the mean of the patterns by their weights of now."""
        beta, patterns = self._fitted[1], self.patterns_
        overlaps = states @ patterns.T
        if order is None:
            means: np.ndarray = softmax(beta * overlaps, axis=1) @ patterns
            return means
        states = states.copy()
        for i in order:
            moved = softmax(beta * overlaps, axis=1) @ patterns[:, i]
            overlaps += (moved - states[:, i])[:, None] * patterns[:, i]
            states[:, i] = moved
        return states
