"""Labels as class indices: what the classifier, the tagger and the labeller share."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight

__all__ = [
    "check_label_values",
    "encode_labels",
    "find_classes",
    "log_odds",
    "weigh_classes",
    "without_objects",
]

UNSEEN = -1  # the index of a label that is not among the classes


def find_classes(labels: np.ndarray, estimator: Any, given: Any = None) -> np.ndarray:
    """Return the sorted classes of flat labels, or the classes given.

    Raises
    ------
    ValueError
        If there are fewer than two, or a given class comes twice.
    """
    classes = np.unique(labels if given is None else np.asarray(given))
    if given is not None and len(classes) != len(given):
        raise ValueError(f"classes must name every class once, got {given!r}")
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes in y, got {len(classes)} class: "
            f"{classes.tolist()}"
        )
    return classes


def check_label_values(labels: np.ndarray) -> None:
    """Raise ValueError if flat labels are no labels: missing, infinite or no whole numbers."""
    labels = without_objects(labels)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
        if np.any(labels != np.round(labels)):
            raise ValueError(
                "Unknown label type: y holds numbers that are not whole, "
                f"such as {labels[labels != np.round(labels)][0]}"
            )
    elif labels.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: y has dtype {labels.dtype}")


def without_objects(labels: np.ndarray) -> np.ndarray:
    """Return labels held as objects in the dtype they have by themselves."""
    return np.array(labels.tolist()) if labels.dtype == object else labels


def encode_labels(labels: np.ndarray, classes: np.ndarray, *, strict: bool) -> np.ndarray:
    """Return the class index of every label, (n,) intp; UNSEEN if it is no class.

    Raises
    ------
    ValueError
        With `strict`, if a label is no class.
    """
    if _is_text(labels) != _is_text(classes):
        codes = np.full(len(labels), UNSEEN, np.intp)
    else:
        codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1).astype(np.intp)
        codes[np.asarray(classes[codes] != labels, bool)] = UNSEEN
    if strict and np.any(codes == UNSEEN):
        unseen = np.unique(labels[codes == UNSEEN]).tolist()
        raise ValueError(f"y has labels that are not among the classes: {unseen[:10]}")
    return codes


def _is_text(labels: np.ndarray) -> bool:
    if labels.dtype == object:
        return len(labels) > 0 and isinstance(labels[0], str)
    return labels.dtype.kind in "US"


def weigh_classes(class_weight: Any, classes: np.ndarray, codes: np.ndarray) -> np.ndarray | None:
    """Return the weight of every encoded label for `class_weight`, or None for ones."""
    if class_weight is None:
        return None
    present = np.unique(codes)
    weights: np.ndarray = np.ones(len(classes))
    if isinstance(class_weight, dict):
        weights = compute_class_weight(class_weight, classes=classes, y=classes)
    else:
        weights[present] = compute_class_weight(class_weight, classes=present, y=codes)
    weights = weights[codes]
    return weights


def log_odds(indicators: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the logarithm of how often each of K yes-or-no labels is yes to no, (K,).

    One half is added to both counts, so that a label that is never or always there has odds.
    """
    total = float(len(indicators)) if weights is None else float(weights.sum())
    yes = np.average(indicators, axis=0, weights=weights) * total
    return np.log((yes + 0.5) / (total - yes + 0.5))
