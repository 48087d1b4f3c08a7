"""Any scikit-learn transformer of rows, fitted over all real steps of all sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from rnnkit.preprocessing.stepwise import FormTransformer
from rnnkit.preprocessing.watching import watched, whole
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.columns import Places, column_names
from rnnkit.sequences.forms import split_steps
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.numbers import check_finite, convert_values
from rnnkit.sequences.tables import is_frame, named_rows, read_table

__all__ = ["SequenceScaler"]


# Classes of scikit-learn that take labels though their tags do not say so.
UNTAGGED = (
    "ColumnTransformer",
    "FeatureUnion",
    "FunctionTransformer",
    "MissingIndicator",
    "SimpleImputer",
)


def _can_invert(self: SequenceScaler) -> bool:
    return hasattr(getattr(self, "scaler_", self._scaler()), "inverse_transform")


class SequenceScaler(FormTransformer):
    """Transform the features of every step with one transformer fitted over all real steps.

    Parameters
    ----------
    scaler : transformer, default=None
        Fitted on the rows (ΣT, F) of all steps; any transformer or pipeline that maps rows to
        as many rows, such as an imputer, an encoder, `PCA` or a `ColumnTransformer`, which may
        change F. NaN and columns of labels reach it as they are, and it decides what to do with
        them. It gets a frame where X is a list of frames (of pandas or polars), so that it may
        name columns, and an array otherwise. What it returns as a sparse matrix becomes dense,
        what it returns as a frame becomes an array. None: `StandardScaler`.
    step_features : int, default=1
        Features F of a step where X is 2-D.

    Attributes
    ----------
    scaler_ : transformer
        The fitted transformer of steps.
    n_features_in_ : int
        Columns of a 2-D X, F for the other forms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The columns' names, where X is a frame, a list of frames, or `Sequences` of one.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import SequenceScaler
    >>> X = [np.array([[0.0], [2.0]]), np.array([[4.0]])]
    >>> SequenceScaler().fit_transform(X)[1]
    array([[1.22474487]])
    """

    _n_step_features: int
    _fitted: tuple[Any, ...]  # `step_features` at `fit`

    def __init__(self, scaler: Any = None, *, step_features: int = 1) -> None:
        self.scaler = scaler
        self.step_features = step_features

    @watched
    @whole
    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> SequenceScaler:
        """Fit the transformer on all real steps.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        y : array-like, default=None
            For a transformer that learns from targets: one per sequence, which each of its steps
            gets, or one per step. Anything else does not reach it.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Real steps of each sequence where X is a padded array; "nan": up to the last step
            that is not all NaN.

        Returns
        -------
        SequenceScaler
            This object.

        Raises
        ------
        TypeError, ValueError
            If X is not accepted, or the transformer refuses the steps or misses targets.
        """
        steps = self._read(X, lengths, reset=True)
        refuse_other_ids(X, y, "y")
        scaler = clone(self._scaler())
        targets = _targets_of_steps(y, steps.offsets)
        with steps.explained(scaler):
            self.scaler_ = scaler.fit(steps.rows, targets)
            first = _as_rows(self.scaler_.transform(steps.rows[:1]), 1, scaler)
        self._n_step_outputs = int(first.shape[1])
        self._fitted = (self.step_features,)
        return self

    def transform(self, X: Any, lengths: Any = None) -> Any:
        """Transform every real step.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            Any of the four forms of input.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Real steps of each sequence where X is a padded array; the rest becomes 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        check_is_fitted(self, "scaler_")
        steps = self._read(X, lengths, reset=False)
        n_steps = int(steps.offsets[-1])
        with steps.explained(self.scaler_):
            rows = _as_rows(self.scaler_.transform(steps.rows), n_steps, self.scaler_)
        return _restored(Form.of(X, self._step_features()), rows, steps.offsets)

    @available_if(_can_invert)
    def inverse_transform(self, X: Any, lengths: Any = None) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like, frame, list or Sequences
            What `transform` returned.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Real steps of each sequence where X is a padded array; the rest becomes 0.

        Returns
        -------
        ndarray, list, object array or Sequences
            In the form of X.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted.
        """
        check_is_fitted(self, "scaler_")
        n_outputs = self._n_step_outputs
        steps = Sequences.from_any(X, lengths, n_outputs, allow_nan=True)
        rows = self.scaler_.inverse_transform(_read_only(steps.values))
        rows = _as_rows(rows, len(steps.values), self.scaler_)
        return _restored(Form.of(X, n_outputs), rows, steps.offsets)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result: those of 2-D X, otherwise those of a step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns,), object
            What the transformer calls its columns. Of 2-D X whose rows are several steps the
            names of X's columns, or "sequencescaler0", ... where their number changes.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "scaler_")
        names: np.ndarray = _check_feature_names_in(self, input_features)
        if len(names) == self._n_step_features and hasattr(self.scaler_, "get_feature_names_out"):
            names = self.scaler_.get_feature_names_out(names)
        if self._n_step_outputs == self._n_step_features or len(names) == self._n_step_outputs:
            return names
        n_columns = self.n_features_in_ // self._n_step_features * self._n_step_outputs
        return np.array([f"sequencescaler{i}" for i in range(n_columns)], dtype=object)

    def _scaler(self) -> Any:
        return StandardScaler() if self.scaler is None else self.scaler

    def _step_features(self) -> Any:
        """Return the parameter as `fit` had it, which files of old do not tell."""
        return getattr(self, "_fitted", (self.step_features,))[-1]

    def _read(self, X: Any, lengths: Any, reset: bool) -> _Steps:
        """Return the steps of X; set or check its number of features."""
        numbers_only = not _takes_labels(self._scaler() if reset else self.scaler_)
        step_features = self.step_features if reset else self._step_features()
        steps = _read_steps(X, lengths, step_features, numbers_only)
        self._check_columns(X, steps.n_features, None if reset else self._n_step_features)
        if reset:
            self._n_step_features = steps.n_features
            self._empty_frame = steps.frame[:0] if steps.frame is not None else None
        steps.take_form_of(self._empty_frame)
        return steps

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._scaler())
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        if inner.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags


class _Steps:
    """The steps of an X, as the transformer takes them.

    Parameters
    ----------
    rows : ndarray of shape (ΣT, F) or frame
    offsets : ndarray of shape (n + 1,), intp
    names : tuple
        Names of the F columns, if there are any.
    frame : frame or None
        One of the frames that X consists of.
    refusal : Exception or None
        Why the steps could not be read as numbers; None if they were.
    """

    def __init__(
        self, rows: Any, offsets: np.ndarray, names: tuple[Any, ...], frame: Any, refusal: Any
    ) -> None:
        self.rows = rows
        self.offsets = offsets
        self.n_features = rows.shape[1]
        self.names = names
        self.frame = frame
        self._refusal = refusal
        self._values = rows if refusal is None else None

    def take_form_of(self, frame: Any) -> None:
        """Make the rows a frame of columns named as in one of `fit`; None: an array."""
        if frame is None:
            if is_frame(self.rows):
                self.rows = np.asarray(self.rows, dtype=object)
        elif not is_frame(self.rows):
            self.rows = named_rows(self.rows, column_names(frame), frame)

    @contextmanager
    def explained(self, transformer: Any) -> Iterator[None]:
        """Say which column holds no numbers if a transformer fails that takes only numbers."""
        try:
            yield
        except (TypeError, ValueError) as error:
            if self._refusal is None:
                if self._values is not None and "NaN" in str(error):
                    place = Places(self.offsets, self.n_features, self.names)
                    check_finite(self._values, "X", place, False)  # which tells where
                raise
            raise type(self._refusal)(
                f"{self._refusal}. {type(transformer).__name__} did not take the steps as they "
                f"are: {str(error).partition(chr(10))[0]}"
            ) from error


def _takes_labels(transformer: Any) -> bool:
    """Whether a transformer may be given other things than numbers.

    Those of scikit-learn read the text "1" as a number if they take none but numbers.
    """
    if hasattr(transformer, "steps"):
        steps = [step for _, step in transformer.steps if hasattr(step, "fit")]
        return not steps or _takes_labels(steps[0])
    tags = get_tags(transformer).input_tags if hasattr(transformer, "get_params") else None
    if tags is not None and (tags.categorical or tags.string):
        return True
    kind = type(transformer)
    return not kind.__module__.startswith("sklearn.") or kind.__name__ in UNTAGGED


def _read_steps(X: Any, lengths: Any, step_features: int, numbers_only: bool) -> _Steps:
    """Return the steps of X: as numbers if they are such, else as they are."""
    refusal = None
    try:
        steps = Sequences.from_any(X, lengths, step_features, allow_nan=True)
    except (TypeError, ValueError) as error:
        refusal = error
    if refusal is None:
        rows: Any = _read_only(steps.values)
        names, frame = _frame_of_steps(X, steps.n_features)
        return _Steps(rows, steps.offsets, names, frame, None)
    if numbers_only:
        raise refusal
    try:
        table = read_table(X, lengths, step_features, "X")
        only_numbers = not any(map(table.holds_no_numbers, range(table.n_features)))
    except (TypeError, ValueError):
        only_numbers = True
    if only_numbers:
        raise refusal
    rows = table.rows()
    return _Steps(rows, table.offsets, table.names, rows if is_frame(rows) else None, refusal)


def _frame_of_steps(X: Any, n_features: int) -> tuple[tuple[Any, ...], Any]:
    """Return the names of a step's columns and a frame that has them, if X consists of frames."""
    form = Form.of(X)
    frame = form.named(X) if form.kind != "sequences" else None
    if not is_frame(frame):
        return (), None
    names = column_names(frame)
    texts = len(names) == n_features and all(isinstance(name, str) for name in names)
    return (names, frame) if texts else ((), None)


def _targets_of_steps(y: Any, offsets: np.ndarray) -> np.ndarray | None:
    """Return a target for every step, that of its sequence or its own; None if y has neither."""
    lengths = np.diff(offsets)
    if y is None or not hasattr(y, "__len__") or len(y) != len(lengths):
        return None
    entries = list(np.asarray(y) if is_frame(y) else y)
    sizes = np.array([np.size(entry) for entry in entries])
    if np.all(sizes == 1):
        return np.repeat(np.array([np.ravel(entry)[0] for entry in entries]), lengths)
    if np.ndim(entries[0]) == 1 and np.all(sizes >= lengths):
        parts = [np.ravel(entry)[:length] for entry, length in zip(entries, lengths)]
        return np.concatenate(parts)
    return None


def _as_rows(result: Any, n_steps: int, transformer: Any) -> np.ndarray:
    """Return what a transformer made of the steps as a dense array of numbers or of objects."""
    name = type(transformer).__name__
    if hasattr(result, "toarray"):
        result = result.toarray()
    rows = np.asarray(result)
    if rows.ndim != 2 or len(rows) != n_steps:
        raise ValueError(
            f"{name} must return a row for each of {n_steps} steps, got shape {rows.shape}"
        )
    if rows.dtype == object and not any(isinstance(v, (str, bytes)) for v in rows.flat):
        rows = convert_values(rows, f"what {name} returns", allow_nan=True)
    if rows.dtype.kind in "US":
        rows = rows.astype(object)
    if rows.dtype.kind not in "biufO":
        raise ValueError(f"{name} must return numbers or labels, got dtype {rows.dtype}")
    return np.ascontiguousarray(rows)


def _restored(form: Form, rows: np.ndarray, offsets: np.ndarray) -> Any:
    """Give rows back in the form of X; labels do not fit into `Sequences`."""
    if rows.dtype == object and form.kind == "sequences":
        return list(split_steps(rows, offsets))
    return form.restore_data(rows, offsets)


def _read_only(values: np.ndarray) -> np.ndarray:
    """Return a view that a scaler with ``copy=False`` has to copy: the values may be the user's."""
    view = values.view()
    view.flags.writeable = False
    return view
