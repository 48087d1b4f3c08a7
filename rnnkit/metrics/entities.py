"""Scores of whole entities, spelt by labels per step in one of the field's schemes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnkit.metrics.reading import aligned
from rnnkit.schemes import Scheme, scheme_of
from rnnkit.sequences.numbers import is_missing

__all__ = ["entity_f1", "entity_report"]


def entity_f1(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "iob2",
    average: str | None = "micro",
    lengths: Any = None,
) -> float | dict[str, float]:
    """Return the F1 score of whole entities, read strictly.

    A predicted entity is right only if type, beginning and end are. Labels that do not spell an
    entity as the scheme has it belong to none: in IOB2 an I without a B of its type before it,
    in IOBES a B whose entity has no E.

    Parameters
    ----------
    y_true : array of shape (n, T), list or object array of n label sequences
    y_pred : array of shape (n, T), list or object array of n label sequences
        A 2-D array may be longer than the sequences in `y_true`; the rest is padding. At a
        step that `y_true` does not label (None or NaN) both sequences are cut in two.
    scheme : {"iob2", "iobes", "bilou", "iob1"}, default="iob2"
        How labels spell entities. ``O`` is outside, and where -type follows: "iob2" has B for
        the first step and I for others; "iobes" also E for the last step and S for an entity of
        one, "bilou" calls these L and U; "iob1" has I, and B only between two entities of a
        type that touch. "bio" is "iob2", "bioes" is "iobes". The type may be missing everywhere.
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
        If a label is not in the scheme, `scheme` or `average` is unknown, or the numbers of
        sequences or of steps do not fit.

    Examples
    --------
    >>> from rnnkit.metrics import entity_f1
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"]]
    >>> entity_f1(y_true, [["B-PER", "I-PER", "O", "O"]])
    0.6666666666666666
    >>> entity_f1(y_true, [["B-PER", "O", "O", "B-LOC"]], average=None)
    {'LOC': 1.0, 'PER': 0.0}
    >>> entity_f1([["B", "E", "O"]], [["B", "E", "S"]], scheme="iobes")
    0.6666666666666666
    """
    if average not in ("micro", "macro", "weighted", None):
        raise ValueError(f"average must be micro, macro, weighted or None, got {average!r}")
    counts = _counts(y_true, y_pred, scheme, lengths)
    if average is None:
        return {kind: _scores(*of_kind)["f1-score"] for kind, of_kind in counts.items()}
    return _averages(counts)[f"{average} avg"]["f1-score"]


def entity_report(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "iob2",
    lengths: Any = None,
    digits: int = 3,
    output_dict: bool = False,
) -> str | dict[str, dict[str, float]]:
    """Report precision, recall and F1 of whole entities, read strictly, by their type.

    Parameters
    ----------
    y_true, y_pred, scheme, lengths
        As in `entity_f1`.
    digits : int, default=3
        Decimals of the text.
    output_dict : bool, default=False
        Whether to return numbers in place of a text.

    Returns
    -------
    str, or dict of type to dict
        "precision", "recall", "f1-score" and "support" (how many there are in `y_true`) of each
        type, of all entities ("micro avg") and as the mean over types, plain ("macro avg") and
        by support ("weighted avg").

    Raises
    ------
    ValueError
        As `entity_f1`.

    Examples
    --------
    >>> from rnnkit.metrics import entity_report
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"]]
    >>> print(entity_report(y_true, [["B-PER", "I-PER", "O", "O"]], digits=2))
                  precision  recall  f1-score  support
             LOC       0.00    0.00      0.00        1
             PER       1.00    1.00      1.00        1
       micro avg       1.00    0.50      0.67        2
       macro avg       0.50    0.50      0.50        2
    weighted avg       0.50    0.50      0.50        2
    """
    counts = _counts(y_true, y_pred, scheme, lengths)
    report = {kind: _scores(*of_kind) for kind, of_kind in counts.items()} | _averages(counts)
    if output_dict:
        return report
    width = max(map(len, report))
    lines = [f"{'':{width}}  precision  recall  f1-score  support"]
    for name, scores in report.items():
        precision, recall, f1, support = scores.values()
        lines.append(
            f"{name:>{width}}  {precision:9.{digits}f}  {recall:6.{digits}f}  {f1:8.{digits}f}"
            f"  {support:7.0f}"
        )
    return "\n".join(lines)


def _counts(y_true: Any, y_pred: Any, scheme: str, lengths: Any) -> dict[str, tuple[int, int, int]]:
    """Return by type how many entities are right, how many there are and how many predicted."""
    grammar = scheme_of(scheme)
    true, pred = aligned(y_true, y_pred, lengths)
    pieces = [piece for t, p in zip(true, pred) for piece in _labelled_pieces(t, p)]
    true_entities = set(_entities([t for t, _ in pieces], grammar))
    pred_entities = set(_entities([p for _, p in pieces], grammar))
    n_true = Counter(kind for kind, *_ in true_entities)
    n_pred = Counter(kind for kind, *_ in pred_entities)
    n_right = Counter(kind for kind, *_ in true_entities & pred_entities)
    kinds = sorted(n_true.keys() | n_pred.keys())
    return {kind: (n_right[kind], n_true[kind], n_pred[kind]) for kind in kinds}


def _labelled_pieces(true: np.ndarray, pred: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the parts of a sequence whose steps all have a true label."""
    cuts = np.flatnonzero(is_missing(true))
    for start, stop in zip([0, *(cuts + 1)], [*cuts, len(true)]):
        if stop > start:
            yield true[start:stop], pred[start:stop]


def _entities(pieces: list[np.ndarray], scheme: Scheme) -> Iterator[tuple[str, int, int, int]]:
    """Yield (type, piece, first step, step after the last) of each entity."""
    for i, labels in enumerate(pieces):
        for kind, start, stop in scheme.entities(labels.tolist()):
            yield kind, i, start, stop


def _scores(n_right: int, n_true: int, n_pred: int) -> dict[str, float]:
    return {
        "precision": n_right / n_pred if n_pred else 0.0,
        "recall": n_right / n_true if n_true else 0.0,
        "f1-score": 2 * n_right / (n_true + n_pred) if n_true + n_pred else 0.0,
        "support": n_true,
    }


def _averages(counts: dict[str, tuple[int, int, int]]) -> dict[str, dict[str, float]]:
    totals = np.array(list(counts.values()), int).reshape(-1, 3).sum(axis=0).tolist()
    by_kind = [_scores(*of_kind) for of_kind in counts.values()]
    averages = {"micro avg": _scores(*totals)}
    for name in ("macro avg", "weighted avg"):
        weights = [s["support"] if name == "weighted avg" else 1 for s in by_kind]
        averages[name] = {
            score: float(np.average([s[score] for s in by_kind], weights=weights))
            if sum(weights)
            else 0.0
            for score in ("precision", "recall", "f1-score")
        }
        averages[name]["support"] = totals[1]
    return averages
