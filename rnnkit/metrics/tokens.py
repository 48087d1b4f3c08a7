"""Scores for predictions per step, per entity and per label sequence; padding never counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, make_scorer

from rnnkit.sequences.columns import column_names
from rnnkit.sequences.reading import refuse_masked

__all__ = [
    "edit_distance",
    "entity_f1",
    "entity_f1_scorer",
    "label_error_rate",
    "label_error_rate_scorer",
    "sequence_accuracy",
    "sequence_accuracy_scorer",
    "token_accuracy",
    "token_accuracy_scorer",
    "token_f1",
    "token_f1_scorer",
]


def token_accuracy(
    y_true: Any, y_pred: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the fraction of real steps whose label is right.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_accuracy
    >>> token_accuracy([["DET", "NOUN"], ["VERB"]], [["DET", "VERB"], ["VERB"]])
    0.6666666666666666
    """
    true, pred = _aligned(y_true, y_pred, lengths)
    weights = _step_weights(sample_weight, true)
    right = np.concatenate(true) == np.concatenate(pred)
    return float(np.average(right, weights=weights))


def token_f1(
    y_true: Any,
    y_pred: Any,
    *,
    average: str | None = "macro",
    labels: Any = None,
    lengths: Any = None,
    sample_weight: Any = None,
    zero_division: Any = 0.0,
) -> float | np.ndarray:
    """Return the F1 score of the labels of all real steps.

    ``F1 = 2 TP / (2 TP + FP + FN)`` per label, averaged.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
    average : {"macro", "micro", "weighted"} or None, default="macro"
        How the labels' scores become one; None returns them all.
    labels : array-like, default=None
        The labels that count; None: all that occur.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), or per step in the form of `y_true`, default=None
        The weight of each sequence's steps, or of each step.
    zero_division : 0.0, 1.0 or nan, default=0.0
        The score of a label that neither occurs nor is predicted.

    Returns
    -------
    float, or ndarray of shape (n_labels,) if `average` is None

    Raises
    ------
    ValueError
        If the numbers of sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import token_f1
    >>> token_f1([["A", "B"], ["A"]], [["A", "A"], ["A"]], average="micro")
    0.6666666666666666
    """
    true, pred = _aligned(y_true, y_pred, lengths)
    score: float | np.ndarray = f1_score(
        np.concatenate(true),
        np.concatenate(pred),
        average=average,
        labels=labels,
        sample_weight=_step_weights(sample_weight, true),
        zero_division=zero_division,
    )
    return score


def sequence_accuracy(
    y_true: Any, y_pred: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the fraction of sequences that are right at every step.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding. A list
        or object array may hold sequences of another length, which are wrong.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), default=None
        The weight of each sequence.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import sequence_accuracy
    >>> sequence_accuracy([[1, 2], [3]], [[1, 1], [3]])
    0.5
    """
    true, pred = _paired(y_true, y_pred, lengths)
    right = [np.array_equal(t, p) for t, p in zip(true, pred)]
    if sample_weight is not None:
        sample_weight = _sequence_weights(sample_weight, len(true))
    return float(np.average(right, weights=sample_weight))


def entity_f1(
    y_true: Any, y_pred: Any, *, average: str | None = "micro", lengths: Any = None
) -> float | dict[str, float]:
    """Return the F1 score of whole entities in strict IOB2 labels.

    The labels are ``O``, ``B-type`` where an entity begins and ``I-type`` where it goes on.
    An entity is a B and the I of the same type right after it; an I without such a
    beginning belongs to no entity. A predicted entity is right only if type, beginning and
    end are.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding.
    average : {"micro", "macro", "weighted"} or None, default="micro"
        Over all entities, or the mean of the types' scores, plain or weighted by how often
        the type occurs in `y_true`; None returns a dict from type to score.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.

    Returns
    -------
    float or dict
        0.0 where there is no entity at all.

    Raises
    ------
    ValueError
        If a label is not in IOB2, `average` is unknown, or the numbers of sequences or of
        steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import entity_f1
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"]]
    >>> entity_f1(y_true, [["B-PER", "I-PER", "O", "O"]])
    0.6666666666666666
    >>> entity_f1(y_true, [["B-PER", "O", "O", "B-LOC"]], average=None)
    {'LOC': 1.0, 'PER': 0.0}
    """
    if average not in ("micro", "macro", "weighted", None):
        raise ValueError(f"average must be micro, macro, weighted or None, got {average!r}")
    true, pred = _aligned(y_true, y_pred, lengths)
    true_entities, pred_entities = set(_entities(true)), set(_entities(pred))
    n_true = Counter(kind for kind, *_ in true_entities)
    n_pred = Counter(kind for kind, *_ in pred_entities)
    n_right = Counter(kind for kind, *_ in true_entities & pred_entities)
    if average == "micro":
        return _f1(n_right.total(), n_true.total(), n_pred.total())
    kinds = sorted(n_true.keys() | n_pred.keys())
    scores = {kind: _f1(n_right[kind], n_true[kind], n_pred[kind]) for kind in kinds}
    if average is None:
        return scores
    weights = [n_true[kind] if average == "weighted" else 1 for kind in kinds]
    if not sum(weights):
        return 0.0
    return float(np.average(list(scores.values()), weights=weights))


def label_error_rate(y_true: Any, y_pred: Any) -> float:
    """Return the edit distance to the true label sequences per true label.

    ``sum_i d(y_true_i, y_pred_i) / sum_i len(y_true_i)`` with the Levenshtein distance d; the
    measure of Graves et al. (2006) for sequences whose labels are not aligned to steps. May
    exceed 1.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : list or object array of n label sequences
        Of any length.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of sequences differ or `y_true` holds no label.

    Examples
    --------
    >>> from rnnkit.metrics import label_error_rate
    >>> label_error_rate([list("kitten"), list("ab")], [list("sitting"), list("ab")])
    0.375
    """
    true = _label_sequences(y_true, "y_true", None)
    pred = _label_sequences(y_pred, "y_pred", None)
    _check_same_number(true, pred)
    n_labels = sum(len(t) for t in true)
    if n_labels == 0:
        raise ValueError("y_true must hold at least one label, got none")
    return sum(edit_distance(t, p) for t, p in zip(true, pred)) / n_labels


def edit_distance(a: Any, b: Any) -> int:
    """Return the Levenshtein distance of two label sequences.

    Parameters
    ----------
    a, b : array-like of shape (n_labels,)

    Returns
    -------
    int
        The fewest insertions, deletions and substitutions that make one the other.

    Raises
    ------
    ValueError
        If one is a string.

    Examples
    --------
    >>> from rnnkit.metrics import edit_distance
    >>> edit_distance(list("kitten"), list("sitting"))
    3
    """
    _refuse_string(a, "a")
    _refuse_string(b, "b")
    a, b = np.asarray(a), np.asarray(b)
    columns = np.arange(len(b) + 1)
    distances = columns
    for i, label in enumerate(a):
        row = distances + 1
        np.minimum(row[1:], distances[:-1] + (b != label), out=row[1:])
        row[0] = i + 1
        # An insertion costs 1 per column: the running minimum of row - column finds the best.
        distances = np.minimum.accumulate(row - columns) + columns
    return int(distances[-1])


def _f1(n_right: int, n_true: int, n_pred: int) -> float:
    return 2 * n_right / (n_true + n_pred) if n_true + n_pred else 0.0


def _entities(sequences: list[np.ndarray]) -> Iterator[tuple[str, int, int, int]]:
    """Yield (type, sequence, first step, step after the last) of each entity."""
    for i, labels in enumerate(sequences):
        kind, start = None, 0
        for t, label in enumerate([*labels, "O"]):
            prefix, _, label_kind = str(label).partition("-")
            if prefix not in ("O", "B", "I") or (prefix == "O") != (label_kind == ""):
                raise ValueError(f"labels must be O, B-type or I-type, got {label!r}")
            if kind is not None and not (prefix == "I" and label_kind == kind):
                yield kind, i, start, t
                kind = None
            if prefix == "B":
                kind, start = label_kind, t


def _label_sequences(y: Any, name: str, lengths: Any) -> list[np.ndarray]:
    """Return each sequence's labels (T_i,), cut to `lengths` where given."""
    if y is None or isinstance(y, (str, bytes, dict)) or not hasattr(y, "__len__"):
        raise TypeError(f"{name} must be an array or a list of label sequences, got {y!r}")
    refuse_masked(y, name)
    if column_names(y) and len(y.shape) == 2:
        y = np.asarray(y)  # a frame's rows are the sequences, where its columns would be listed
    items = y if isinstance(y, list) else list(y)
    for i, labels in enumerate(items):
        _refuse_string(labels, f"{name}[{i}]")
    sequences = [np.asarray(labels) for labels in items]
    if not sequences:
        raise ValueError(f"{name} must hold at least one sequence, got none")
    for i, labels in enumerate(sequences):
        if labels.ndim == 2 and labels.shape[1] == 1:
            sequences[i] = labels[:, 0]
        elif labels.ndim != 1:
            raise ValueError(f"{name}[{i}] must be a sequence of labels, got shape {labels.shape}")
    if lengths is None:
        return sequences
    lengths = np.asarray(lengths)
    if lengths.shape != (len(sequences),):
        raise ValueError(f"lengths must have shape ({len(sequences)},), got {lengths.shape}")
    for i, (labels, length) in enumerate(zip(sequences, lengths)):
        if not 0 <= length <= len(labels):
            raise ValueError(f"lengths[{i}] must be between 0 and {len(labels)}, got {length}")
    return [labels[:length] for labels, length in zip(sequences, lengths)]


def _refuse_string(labels: Any, name: str) -> None:
    if isinstance(labels, (str, bytes)):
        raise ValueError(
            f"{name} must be a sequence of labels, got the string {labels[:40]!r}; give "
            f"list({labels[:10]!r}) if every character is one"
        )


def _check_same_number(true: list[np.ndarray], pred: list[np.ndarray]) -> None:
    if len(true) != len(pred):
        raise ValueError(
            f"y_true and y_pred have inconsistent numbers of sequences: [{len(true)}, {len(pred)}]"
        )


def _paired(y_true: Any, y_pred: Any, lengths: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the label sequences; predictions in a padded array are cut to the true lengths."""
    true = _label_sequences(y_true, "y_true", lengths)
    pred = _label_sequences(y_pred, "y_pred", None)
    _check_same_number(true, pred)
    if lengths is not None or getattr(y_pred, "ndim", 1) == 2:
        pred = [p[: len(t)] for t, p in zip(true, pred)]
    return true, pred


def _aligned(y_true: Any, y_pred: Any, lengths: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the label sequences, equally long one by one."""
    true, pred = _paired(y_true, y_pred, lengths)
    for i, (t, p) in enumerate(zip(true, pred)):
        if len(t) != len(p):
            raise ValueError(f"sequence {i} has {len(t)} labels in y_true but {len(p)} in y_pred")
    return true, pred


def _sequence_weights(sample_weight: Any, n: int) -> np.ndarray:
    refuse_masked(sample_weight, "sample_weight")
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {weights.shape}")
    return weights


def _step_weights(sample_weight: Any, true: list[np.ndarray]) -> np.ndarray | None:
    """Return the weight of each real step (ΣT,), or None."""
    if sample_weight is None:
        return None
    steps = [len(t) for t in true]
    if all(np.ndim(weight) == 0 for weight in sample_weight):
        return np.repeat(_sequence_weights(sample_weight, len(true)), steps)
    weights = _label_sequences(sample_weight, "sample_weight", None)
    if len(weights) != len(true):
        raise ValueError(f"sample_weight must have {len(true)} sequences, got {len(weights)}")
    if getattr(sample_weight, "ndim", 1) == 2:
        weights = [w[:n] for w, n in zip(weights, steps)]
    for i, (w, n) in enumerate(zip(weights, steps)):
        if len(w) != n:
            raise ValueError(f"sample_weight[{i}] must have {n} steps, got {len(w)}")
    return np.concatenate(weights).astype(np.float64)


token_accuracy_scorer = make_scorer(token_accuracy)
token_f1_scorer = make_scorer(token_f1)
sequence_accuracy_scorer = make_scorer(sequence_accuracy)
entity_f1_scorer = make_scorer(entity_f1)
label_error_rate_scorer = make_scorer(label_error_rate, greater_is_better=False)
