"""Label sequences as users give them, aligned one by one; steps without a label left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.sequences.columns import column_names
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.numbers import is_missing, label_array, refuse_complex, text_and_other
from rnnkit.sequences.reading import check_lengths, refuse_masked

__all__ = [
    "aligned",
    "as_float64",
    "check_weights",
    "label_sequences",
    "paired",
    "refuse_mixed",
    "refuse_string",
    "sequence_weights",
    "step_weights",
    "steps_with_labels",
    "uncut",
]


def steps_with_labels(
    y_true: Any, y_pred: Any, lengths: Any, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return true and predicted label, and weight, of each real step that has a true label.

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit, or there is no such step.
    """
    refuse_other_ids(y_true, sample_weight, "sample_weight", "y_true", "y_true.ids")
    true, pred = aligned(y_true, y_pred, lengths)
    weights = step_weights(sample_weight, true)
    labels, predictions = np.concatenate(true), np.concatenate(pred)
    if labels.dtype.kind not in "fO" and len(labels):
        return labels, predictions, check_weights(weights)
    known = ~is_missing(labels)
    if not known.any():
        raise ValueError("y_true must hold at least one label, got none")
    if not known.all():
        labels, predictions = labels[known], predictions[known]
        weights = None if weights is None else weights[known]
    labels = np.array(labels.tolist())
    if labels.dtype.kind == "f" and predictions.dtype.kind in "iu":
        whole = labels.astype(predictions.dtype)  # beside NaN, whole numbers were kept as floats
        labels = whole if np.array_equal(whole, labels) else labels
    return labels, predictions, check_weights(weights)


def label_sequences(y: Any, name: str, lengths: Any) -> list[np.ndarray]:
    """Return each sequence's labels (T_i,), cut to `lengths` where given."""
    if y is None or isinstance(y, (str, bytes, dict)) or not hasattr(y, "__len__"):
        raise TypeError(f"{name} must be an array or a list of label sequences, got {y!r}")
    refuse_masked(y, name)
    if column_names(y) and len(y.shape) == 2:
        y = np.asarray(y)  # a frame's rows are the sequences, where its columns would be listed
    items = y if isinstance(y, list) else list(y)
    for i, labels in enumerate(items):
        refuse_string(labels, f"{name}[{i}]")
    sequences = [label_array(labels) for labels in items]
    if not sequences:
        raise ValueError(f"{name} must hold at least one sequence, got none")
    for i, labels in enumerate(sequences):
        if labels.ndim == 2 and labels.shape[1] == 1:
            sequences[i] = labels[:, 0]
        elif labels.ndim != 1:
            raise ValueError(f"{name}[{i}] must be a sequence of labels, got shape {labels.shape}")
    if lengths is None:
        return sequences
    steps = check_lengths(lengths, len(sequences), np.array([len(s) for s in sequences]))
    return [labels[:length] for labels, length in zip(sequences, steps)]


def refuse_string(labels: Any, name: str) -> None:
    """Raise ValueError if labels are a string, whose characters would be taken for labels."""
    if isinstance(labels, (str, bytes)):
        raise ValueError(
            f"{name} must be a sequence of labels, got the string {labels[:40]!r}; give "
            f"list({labels[:10]!r}) if every character is one"
        )


def refuse_mixed(sequences: list[np.ndarray], name: str) -> None:
    """Raise ValueError if some labels are text and others are not; NumPy makes text of all."""
    found = text_and_other(sequences)
    if len(found) == 2:
        raise ValueError(
            f"{name} must hold labels of one kind, text or numbers, got "
            f"{found[True]!r} and {found[False]!r}"
        )


def uncut(y_true: Any, y_pred: Any, lengths: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return as many true as predicted label sequences, these with what may be padding."""
    refuse_other_ids(y_true, y_pred, "y_pred", "y_true", "y_true.ids")
    true = label_sequences(y_true, "y_true", lengths)
    pred = label_sequences(y_pred, "y_pred", None)
    if len(true) != len(pred):
        raise ValueError(
            f"y_true and y_pred have inconsistent numbers of sequences: [{len(true)}, {len(pred)}]"
        )
    return true, pred


def paired(y_true: Any, y_pred: Any, lengths: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the label sequences; predictions in a padded array are cut to the true lengths."""
    true, pred = uncut(y_true, y_pred, lengths)
    if lengths is not None or getattr(y_pred, "ndim", 1) == 2:
        pred = [p[: len(t)] for t, p in zip(true, pred)]
    refuse_mixed(true, "y_true")
    refuse_mixed(pred, "y_pred")
    return true, pred


def aligned(y_true: Any, y_pred: Any, lengths: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the label sequences, equally long one by one."""
    true, pred = paired(y_true, y_pred, lengths)
    for i, (t, p) in enumerate(zip(true, pred)):
        if len(t) != len(p):
            raise ValueError(f"sequence {i} has {len(t)} labels in y_true but {len(p)} in y_pred")
    return true, pred


def as_float64(values: np.ndarray, name: str) -> np.ndarray:
    """Return values as float64, missing ones NaN; an error if others are no real numbers."""
    refuse_complex(values, name)
    if values.dtype.kind not in "biufO":
        raise TypeError(f"got dtype {values.dtype}")
    if values.dtype == object:
        values = np.where(is_missing(values), np.nan, values)
    return values.astype(np.float64)


def check_weights(weights: np.ndarray | None) -> np.ndarray | None:
    """Return the weights of what counts, in a unit in which they can be summed.

    Raises
    ------
    ValueError
        If one is not finite, or their sum is not above 0.
    """
    if weights is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        total = weights.sum()
        if not np.isfinite(total):  # of finite weights it is what overflowed
            weights = np.ldexp(weights, -64)
            total = weights.sum()
    if not (total > 0 and np.isfinite(total)):
        raise ValueError(
            "sample_weight must sum to more than 0 over what is labelled, and be finite, got "
            f"{total}"
        )
    return weights


def sequence_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Return the weight of each of n sequences, float64."""
    weights = _weights_of_numbers(sample_weight)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {weights.shape}")
    return weights


def step_weights(sample_weight: Any, true: list[np.ndarray]) -> np.ndarray | None:
    """Return the weight of each real step (ΣT,), or None."""
    if sample_weight is None:
        return None
    steps = [len(t) for t in true]
    if not hasattr(sample_weight, "__len__") or all(
        np.ndim(weight) == 0 for weight in sample_weight
    ):
        return np.repeat(sequence_weights(sample_weight, len(true)), steps)
    weights = label_sequences(sample_weight, "sample_weight", None)
    if len(weights) != len(true):
        raise ValueError(f"sample_weight must have {len(true)} sequences, got {len(weights)}")
    if getattr(sample_weight, "ndim", 1) == 2:
        weights = [w[:n] for w, n in zip(weights, steps)]
    for i, (w, n) in enumerate(zip(weights, steps)):
        if len(w) != n:
            raise ValueError(f"sample_weight[{i}] must have {n} steps, got {len(w)}")
    return _weights_of_numbers(np.concatenate(weights))


def _weights_of_numbers(sample_weight: Any) -> np.ndarray:
    refuse_masked(sample_weight, "sample_weight")
    try:
        return as_float64(np.asarray(sample_weight), "sample_weight")
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers: {error}") from None
