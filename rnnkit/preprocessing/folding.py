"""Makes several steps of a sequence one wide step, and one wide step several again.

Letters: n sequences, T steps, F features of a step, k steps that become one.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.preprocessing.stepwise import StepTransformer
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import convert_values

__all__ = ["Fold"]

REMAINDERS = ("pad_start", "pad_end", "drop")


class Fold(StepTransformer):
    """Fold k steps into one of k·F features: a shorter sequence, and shorter ways for gradients.

    A network that reads 1,000 steps of one value has to carry a memory over 1,000 steps. Folded by
    20 it reads 50 steps of 20 values, in about a twentieth of the time.

    Parameters
    ----------
    k : int, default=2
        How many steps become one.
    remainder : {"pad_start", "pad_end", "drop"}, default="pad_start"
        What happens where k does not divide T: steps are put before the first or after the last
        one, or the first T mod k steps are left out. "pad_start" and "drop" keep the end of a
        sequence at the end of a fold, which is what an answer after the last step needs.
    fill : float or "edge", default=0.0
        What stands in the padding: a number, or the first ("pad_start") or last step once more.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The columns' names, where X is a frame, a list of frames, or `Sequences` of one.

    Notes
    -----
    A sequence of T steps has ⌈T / k⌉ afterwards, ⌊T / k⌋ with "drop", which refuses one of less
    than k; with `lengths`, so do these.
    The steps of a fold stand one after the other, each with all its features. Targets for every
    step do not fit the shorter sequences: the transformer is for one target a sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import Fold
    >>> fold = Fold(2)
    >>> folded = fold.fit_transform([np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])])
    >>> folded
    [array([[0., 1.],
           [2., 3.]]), array([[4., 5.]])]
    >>> fold.inverse_transform(folded, lengths=[3, 2])
    [array([1., 2., 3.]), array([4., 5.])]
    """

    def __init__(
        self,
        k: int = 2,
        *,
        remainder: str = "pad_start",
        fill: float | str = 0.0,
        step_features: int = 1,
    ) -> None:
        self.k = k
        self.remainder = remainder
        self.fill = fill
        self.step_features = step_features

    def _settings(self) -> tuple[Any, ...]:
        self._check_parameters()
        return int(self.k), self.remainder, self.fill

    def _learn(self, X: Any, steps: Sequences, settings: tuple[Any, ...]) -> tuple[Any, ...]:
        return *settings, Form.of(X).is_flat

    def _transformed(self, steps: Sequences) -> tuple[np.ndarray, np.ndarray]:
        k, remainder, fill, _, _ = self._fitted
        if remainder == "drop" and steps.lengths.min() < k:
            i = int(np.argmax(steps.lengths < k))
            raise ValueError(
                f"X: sequence {i} has {steps.lengths[i]} steps, less than k={k}: nothing is left"
            )
        folds = self._steps_after(steps.lengths)
        offsets = np.concatenate([[0], np.cumsum(folds)])
        places, kept = self._places(steps.lengths, folds)
        number = 0.0 if fill == "edge" else fill
        filling = convert_values(np.asarray(number), "fill", steps.dtype)
        values = np.full((offsets[-1] * k, steps.n_features), filling)
        values[places] = steps.values[kept]
        if fill == "edge" and remainder != "drop":
            self._repeat_edges(values, steps, folds)
        return values.reshape(-1, k * steps.n_features), offsets

    def inverse_transform(self, X: Any, lengths: Any = None) -> Any:
        """Unfold: every step becomes k again.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            What `transform` returned, or a network's answer to it.
        lengths : array-like of shape (n,), default=None
            How many steps each sequence had; the padding is then left out. None: all k of every
            step stay.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X, with F features. With "drop" the first T mod k steps are not there.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features, or `lengths` do not fit it.
        """
        check_is_fitted(self, "_fitted")
        k, remainder, _, is_flat, _ = self._fitted
        width = k * self._n_step_features
        form = Form.of(X, width)
        lengths = None if lengths is None else self._checked(lengths, X)
        folds = None if lengths is None else self._steps_after(lengths)
        steps = Sequences.from_any(X, folds if form.is_dense else None, width, allow_nan=True)
        if steps.n_features != width:
            raise ValueError(
                f"X has {steps.n_features} features, but Fold gives {width} (k={k} steps of "
                f"{self._n_step_features})"
            )
        if folds is not None and not np.array_equal(folds, steps.lengths):
            i = int(np.argmax(folds != steps.lengths))
            raise ValueError(
                f"lengths: {lengths[i]} steps are folded into {folds[i]}, but sequence {i} of X "
                f"has {steps.lengths[i]}"
            )
        values = steps.values.reshape(-1, self._n_step_features)
        if lengths is None or remainder == "drop":
            lengths = steps.lengths * k
        else:
            values = values[self._places(lengths, steps.lengths)[0]]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if form.is_dense:
            form = Form(form.kind, form.n_steps * k)
        elif is_flat and self._n_step_features == 1:
            form = Form(form.kind, is_flat=True, container=form.container, ids=form.ids)
        return form.restore_data(values, offsets)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result: those of 2-D X, otherwise those of a step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            For 2-D X the names of its columns, with "fold0_pad0" and so on where there is padding;
            otherwise each name with the place in the fold, "x0_0", "x0_1", ...

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        names = self._step_names(input_features)
        k, remainder, _, _, _ = self._fitted
        if not self._fitted_on_rows:
            return np.array([f"{name}_{j}" for j in range(k) for name in names[0]], dtype=object)
        missing = -len(names) % k
        if remainder == "drop":
            return names[len(names) % k :].ravel()
        padding = np.array(
            [[f"pad{j}_{f}" for f in range(names.shape[1])] for j in range(missing)], dtype=object
        ).reshape(missing, names.shape[1])
        parts = [padding, names] if remainder == "pad_start" else [names, padding]
        columns: np.ndarray = np.concatenate(parts).ravel()
        return columns

    def _steps_after(self, lengths: Any) -> Any:
        """Return how many steps sequences have once folded."""
        k, remainder = self._fitted[:2]
        return lengths // k if remainder == "drop" else -(-lengths // k)

    def _places(self, lengths: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return where in the unfolded result each step goes, and which steps (a slice: all)."""
        k, remainder = self._fitted[:2]
        rows = np.arange(lengths.sum())
        begins = np.cumsum(folds) * k - folds * k  # of each sequence in the result
        shift = begins - (np.cumsum(lengths) - lengths)
        if remainder != "pad_end":
            shift = shift + folds * k - lengths
        places = rows + np.repeat(shift, lengths)
        if remainder != "drop":
            return places, slice(None)
        kept = places >= np.repeat(begins, lengths)
        return places[kept], kept

    def _repeat_edges(self, values: np.ndarray, steps: Sequences, folds: np.ndarray) -> None:
        k, remainder = self._fitted[:2]
        missing = folds * k - steps.lengths
        ends = np.cumsum(folds) * k
        first = ends - folds * k if remainder == "pad_start" else ends - missing
        edges = steps.offsets[:-1] if remainder == "pad_start" else steps.offsets[1:] - 1
        padding = np.arange(missing.sum()) + np.repeat(
            first - np.cumsum(missing) + missing, missing
        )
        values[padding] = steps.values[np.repeat(edges, missing)]

    def _checked(self, lengths: Any, X: Any) -> np.ndarray:
        found = np.asarray(lengths)
        if found.ndim != 1 or found.dtype.kind not in "iu" or (found < 1).any():
            raise ValueError(f"lengths must hold a positive integer per sequence, got {lengths!r}")
        if len(found) != len(X):
            raise ValueError(f"lengths has {len(found)} entries, but X has {len(X)} sequences")
        return found.astype(np.intp)

    def _check_parameters(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, Integral):
            raise TypeError(f"k must be an integer, got {self.k!r}")
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k!r}")
        if self.remainder not in REMAINDERS:
            raise ValueError(f"remainder must be one of {REMAINDERS}, got {self.remainder!r}")
        if isinstance(self.fill, str):
            if self.fill != "edge":
                raise ValueError(f'fill must be a number or "edge", got {self.fill!r}')
        elif isinstance(self.fill, bool) or not isinstance(self.fill, Real):
            raise TypeError(f'fill must be a number or "edge", got {self.fill!r}')
