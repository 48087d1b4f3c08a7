"""What data look like, said where they can be read but will hardly be learnt from as they are.

Every hint is a UserWarning that names a remedy. Those about X come once, when a fit begins anew,
from shapes, names and sums alone; only that about missing `lengths` comes later too. That about
targets comes when a training goes on.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnkit.estimators.embeddings import looks_up_ids
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.telling import tell
from rnnkit.sequences import Form, Sequences, looks_channel_first
from rnnkit.sequences.columns import column_names

__all__ = [
    "hint_at_data",
    "hint_at_padding",
    "hint_at_targets",
    "hint_at_validation",
    "steps_in_names",
]

LARGE = 50.0  # where sums of inputs saturate gates, whose weights begin below about one
MANY_IDS = 20  # distinct whole numbers, from which on ids are likelier than a count or a grade
UNRELATED = 0.3  # a correlation of successive steps that is lower: hardly a measured quantity
ROWS_LOOKED_AT = 100_000
FAR = 10.0  # deviations of X between its mean and that of X_val
RATIO = 100.0  # between the deviations of X and X_val
OF_NUMBERS = ("numbers", "written_numbers")  # kinds of codecs
BEYOND = 100.0  # units of the first targets, within which those of heavy tails mostly lie


def hint_at_data(estimator: Any, X: Any, form: Form, sequences: Sequences, stacklevel: int) -> None:
    """Warn of an X that looks laid out or scaled in another way than it was read.

    Parameters
    ----------
    estimator : estimator
        Whose parameters said how X is read.
    X : array-like, frame, list or Sequences
        As the user gave it.
    form : Form
    sequences : Sequences
        What was read.
    stacklevel : int
        As of `warnings.warn`, seen from this function.
    """
    if looks_up_ids(estimator):
        return
    for hint in _hints(estimator, X, form, sequences):
        warnings.warn(hint, UserWarning, stacklevel=stacklevel)


def _hints(estimator: Any, X: Any, form: Form, sequences: Sequences) -> Iterator[str]:
    if looks_channel_first(X):
        yield (
            f"X of shape {tuple(X.shape)} was read as (sequences, steps, features), but looks like "
            "(sequences, channels, steps); if so, pass X.transpose(0, 2, 1)"
        )
    if form.kind == "rows" and estimator.step_features == 1:
        n_features, in_order = steps_in_names(column_names(X))
        if n_features > 1:
            order = "" if in_order else " and put the columns of every step beside each other"
            yield (
                f"The columns of X are named like steps of {n_features} features, but every "
                f"column was read as a step; if so, pass step_features={n_features}{order}"
            )
    reads_ids = "embedding_dim" not in getattr(estimator, "_fixed", {})
    if reads_ids and _looks_like_ids(X, form, sequences.values):
        yield (
            "X holds whole numbers that look like ids of words or characters, but they were read "
            "as quantities; if so, pass embedding_dim to look them up in a table"
        )
    elif not (estimator.layer_norm or estimator._scales_inside):
        yield from _hint_at_scale(X, form, sequences.values)


def steps_in_names(names: tuple[Any, ...]) -> tuple[int, bool]:
    """Find steps of several features in names such as t0_a, t0_b, t1_a, t1_b.

    Parameters
    ----------
    names : tuple
        Column names; only strings with one number in each tell something.

    Returns
    -------
    n_features : int
        Different names that are left without their numbers; 0 if they do not repeat for
        every number, in one order.
    in_order : bool
        Whether the columns of a step stand beside each other.

    Examples
    --------
    >>> from rnnkit.estimators.hints import steps_in_names
    >>> steps_in_names(("t0_a", "t0_b", "t1_a", "t1_b"))
    (2, True)
    >>> steps_in_names(("a_0", "a_1", "a_2", "b_0", "b_1", "b_2"))
    (2, False)
    """
    parts = [re.findall(r"\d+", name) if isinstance(name, str) else [] for name in names]
    if not names or any(len(numbers) != 1 for numbers in parts):
        return 0, False
    steps = np.array([int(numbers[0]) for numbers in parts])
    stems = np.array([re.sub(r"\d+", "#", name) for name in names])
    n_features = len(np.unique(stems))
    if len(names) % n_features or len(names) == n_features:
        return 0, False
    for in_order, shape in ((True, (-1, n_features)), (False, (n_features, -1))):
        table, texts = steps.reshape(shape), stems.reshape(shape)
        if not in_order:
            table, texts = table.T, texts.T
        changes = np.diff(table[:, 0])
        counts_on = bool(np.all(changes > 0) or np.all(changes < 0))
        if counts_on and np.all(table == table[:, :1]) and np.all(texts == texts[:1]):
            return n_features, in_order
    return 0, False


def _looks_like_ids(X: Any, form: Form, values: np.ndarray) -> bool:
    """Whether X is one column of many different whole numbers, each unrelated to the next."""
    if values.shape[1] != 1 or _dtype_of(X, form).kind not in "iu":
        return False
    ids = values[:ROWS_LOOKED_AT, 0]
    if ids.min() < 0 or len(np.unique(ids)) < MANY_IDS:
        return False
    return bool(abs(np.corrcoef(ids[:-1], ids[1:])[0, 1]) < UNRELATED)


def _dtype_of(X: Any, form: Form) -> np.dtype:
    """Return the dtype that X, or the first sequence of a list, was given in."""
    first = form.named(X)
    first = first.values if isinstance(first, Sequences) else first
    dtype = getattr(first, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else np.asarray(first).dtype


def _hint_at_scale(X: Any, form: Form, values: np.ndarray) -> Iterator[str]:
    means, deviations = _moments(values)
    large = np.flatnonzero((np.abs(means) > LARGE) | (deviations > LARGE))
    if len(large) == 0:
        return
    names = column_names(form.named(X))
    told = [
        (f"column {names[i]!r}" if len(names) == len(means) else f"feature {i}")
        + f" (mean {means[i]:.3g}, deviation {deviations[i]:.3g})"
        for i in large[:3]
    ]
    more = f" and {len(large) - 3} more" if len(large) > 3 else ""
    yield (
        f"X is so large that it saturates the network: {', '.join(told)}{more}; scale it, as in "
        "make_pipeline(rnnkit.preprocessing.SequenceScaler(), estimator)"
    )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every column, in passes that copy nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        n = max(len(values), 1)
        means = np.einsum("ij->j", values, dtype=np.float64) / n
        squares = np.einsum("ij,ij->j", values, values, dtype=np.float64) / n
        return means, np.sqrt(np.maximum(squares - means**2, 0.0))


def hint_at_validation(
    estimator: Any, sequences: Sequences, validation: Sequences, stacklevel: int
) -> None:
    """Warn of an X_val on quite another scale than X: most likely nobody transformed it.

    Parameters
    ----------
    estimator : estimator
    sequences, validation : Sequences
        What was read of X and X_val.
    stacklevel : int
        As of `warnings.warn`, seen from this function.
    """
    if looks_up_ids(estimator) or not sequences.n_features:  # whose steps are elsewhere
        return
    means, deviations = _moments(sequences.values)
    others, spreads = _moments(validation.values)
    known = deviations > 1e-6 * np.abs(means)
    wide = spreads > RATIO * deviations
    narrow = (spreads > 0) & (spreads * RATIO < deviations)
    far = np.abs(others - means) > FAR * deviations
    odd = np.flatnonzero(known & (wide | narrow | far))
    if len(odd):
        i = odd[0]
        warnings.warn(
            f"X_val is on another scale than X: feature {i} has mean {others[i]:.3g} and deviation "
            f"{spreads[i]:.3g}, in X {means[i]:.3g} and {deviations[i]:.3g}. A Pipeline transforms "
            'X alone; make it Pipeline(..., transform_input=["X_val"]) and pass X_val and y_val, '
            "or transform X_val first",
            UserWarning,
            stacklevel=stacklevel,
        )


def hint_at_targets(estimator: Any, codec: Any, output: Any, examples: Examples) -> None:
    """Warn of targets that mostly lie far outside of those whose center and scale are kept.

    Parameters
    ----------
    estimator : estimator
    codec : Codec
        What the targets are: numbers, or others, at which is not looked.
    output : Output
        Of the network that goes on to train.
    examples : Examples
        What it goes on with.
    """
    if codec.kind not in OF_NUMBERS or getattr(output, "scale", None) is None:
        return
    scores = output.to_scores(examples.targets)
    if scores.dtype == object:  # sequences of them
        scores = np.concatenate(list(scores))
    elif (weights := examples.weights_of_targets) is not None:
        scores = np.where(weights.reshape(len(weights), -1) > 0, scores, np.nan)
    sizes = np.abs(scores)
    some = np.flatnonzero((sizes > BEYOND).any(axis=0))
    odd = some[np.nanmedian(sizes[:, some], axis=0) > BEYOND] if len(some) else some
    if len(odd):
        k = odd[0]
        tell(
            f"y lies mostly more than {BEYOND:g} times {output.scale[k]:.3g} away from "
            f"{output.center[k]:.3g}, the scale and center that the y of the first training set "
            f"for {type(estimator).__name__}, which hardly learns so: begin anew with a y that "
            "spreads as later ones do",
            UserWarning,
            subject="targets far outside of the first",
        )


def hint_at_padding(padded_steps: int | None, form: Form, lengths: Any, stacklevel: int) -> None:
    """Warn of a dense X without `lengths`, where `fit` had them.

    Parameters
    ----------
    padded_steps : int or None
        Steps of the padded X of `fit`.
    form : Form
        The form of the X at hand.
    lengths : array-like or None
    stacklevel : int
        As of `warnings.warn`, seen from this function.
    """
    if padded_steps is None or lengths is not None or not form.is_dense:
        return
    if form.n_steps == padded_steps:
        warnings.warn(
            f"fit had lengths, but this X of {padded_steps} steps has none: its padding counts as "
            "steps. Pass lengths; where scikit-learn calls score or predict, route them with "
            "set_score_request(lengths=True), or give sequences as a list",
            UserWarning,
            stacklevel=stacklevel,
        )
