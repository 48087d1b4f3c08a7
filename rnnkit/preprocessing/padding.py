"""Makes sequences of different lengths one array, for estimators that know no others."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.naming import check_feature_names
from rnnkit.preprocessing.watching import CallbackSupportMixin, watched, whole
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import convert_values

__all__ = ["Padder"]


class Padder(Documented, ChecksNames, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Fill sequences up to one length.

    The recurrent estimators need no padding; it serves what takes arrays only.

    Parameters
    ----------
    length : int, default=None
        Steps after padding; None: those of the longest sequence in `fit`.
    fill : float, default=0.0
        What stands in the padding.
    side : {"end", "start"}, default="end"
        Where the padding goes.
    overlong : {"error", "cut"}, default="error"
        What happens to a sequence longer than `length`: ValueError, or the steps on the
        padding's side are dropped.
    flatten : bool, default=False
        Whether to return one row of ``length * F`` columns per sequence.

    Attributes
    ----------
    length_ : int
        Steps after padding.
    n_features_in_ : int
        Features F of a step.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a list of frames, or `Sequences` of a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import Padder
    >>> Padder(flatten=True).fit_transform([[1.0, 2.0, 3.0], [4.0]])
    array([[1., 2., 3.],
           [4., 0., 0.]])
    """

    def __init__(
        self,
        length: int | None = None,
        *,
        fill: float = 0.0,
        side: str = "end",
        overlong: str = "error",
        flatten: bool = False,
    ) -> None:
        self.length = length
        self.fill = fill
        self.side = side
        self.overlong = overlong
        self.flatten = flatten

    _fitted: tuple[Any, ...]  # fill, side, overlong and flatten at `fit`

    @watched
    @whole
    def fit(self, X: Any, y: Any = None) -> Padder:
        """Find the length to pad to.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        y : ignored

        Returns
        -------
        Padder
            This object.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted.
        """
        self._check_parameters()
        steps = Sequences.from_any(X)
        self.length_ = int(steps.lengths.max()) if self.length is None else int(self.length)
        self.n_features_in_ = steps.n_features
        self._check_names(X, reset=True)
        self._fitted = self._settings()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Pad the sequences.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.

        Returns
        -------
        ndarray of shape (n, length, F), or (n, length * F) if `flatten`

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted, has another number of features, or holds a sequence longer
            than `length_` while `overlong="error"`.
        """
        check_is_fitted(self, "length_")
        settings = getattr(self, "_fitted", None)  # which files of old do not have
        fill, side, overlong, flatten = self._settings() if settings is None else settings
        steps = Sequences.from_any(X)
        if steps.n_features != self.n_features_in_:
            raise ValueError(
                f"X has {steps.n_features} features, but Padder is expecting "
                f"{self.n_features_in_} features as input"
            )
        self._check_names(X, reset=False)
        lengths = steps.lengths
        if overlong == "error" and lengths.max() > self.length_:
            i = int(np.argmax(lengths > self.length_))
            raise ValueError(
                f"X: sequence {i} has {lengths[i]} steps, more than the length {self.length_}; "
                'overlong="cut" drops the rest'
            )
        fill = convert_values(np.asarray(fill), "fill", steps.dtype)
        padded = np.full((len(steps), self.length_, steps.n_features), fill)
        for row, x in zip(padded, steps):
            if side == "end":
                row[: len(x)] = x[: self.length_]
            else:
                row[max(self.length_ - len(x), 0) :] = x[max(len(x) - self.length_, 0) :]
        return padded.reshape(len(padded), -1) if flatten else padded

    def _check_names(self, X: Any, reset: bool) -> None:
        """Learn or check the names of a list of frames; the columns of one frame are steps."""
        form = Form.of(X)
        if form.kind != "rows":
            check_feature_names(self, X, form, reset=reset)
        elif reset and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _settings(self) -> tuple[Any, ...]:
        """Return the parameters but `length`."""
        return self.fill, self.side, self.overlong, self.flatten

    def _check_parameters(self) -> None:
        if self.length is not None and (
            isinstance(self.length, bool) or not isinstance(self.length, Integral)
        ):
            raise TypeError(f"length must be an integer or None, got {self.length!r}")
        if self.length is not None and self.length < 1:
            raise ValueError(f"length must be at least 1, got {self.length!r}")
        if isinstance(self.fill, bool) or not isinstance(self.fill, Real):
            raise TypeError(f"fill must be a real number, got {self.fill!r}")
        for name, allowed in (("side", ("end", "start")), ("overlong", ("error", "cut"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
