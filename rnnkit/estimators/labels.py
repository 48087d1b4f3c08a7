"""Labels as class indices: what the classifier, the tagger and the labeller share."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from rnnkit.estimators.targets import refuse_mixed_types
from rnnkit.sequences.numbers import DATES, is_missing, label_array, refuse_complex

__all__ = [
    "check_classes",
    "check_label_values",
    "encode_labels",
    "find_classes",
    "refuse_dates",
    "refuse_missing",
    "weights_by_class",
    "without_objects",
]

UNSEEN = -1  # the index of a label that is not among the classes


def find_classes(
    labels: np.ndarray, estimator: Any, given: Any = None, at_least: int = 2
) -> np.ndarray:
    """Return the sorted classes of flat labels, or the classes given, which `check_classes` knows.

    Raises
    ------
    ValueError
        If there are fewer than `at_least`, or a given class comes twice.
    """
    classes = np.unique(labels if given is None else label_array(given))
    if given is not None and len(classes) != len(given):
        raise ValueError(f"classes must name every class once, got {given!r}")
    if len(classes) < at_least:
        noun = "class" if at_least == 1 else "classes"
        raise ValueError(
            f"{type(estimator).__name__} needs at least {at_least} {noun} in y, got "
            f"{len(classes)} class: {classes.tolist()}"
        )
    return classes


def check_classes(given: Any) -> None:
    """Raise ValueError unless given classes are a list of labels of one kind, none missing."""
    if isinstance(given, (str, bytes)):
        raise ValueError(f"classes must be a list of labels, got the string {given!r}")
    labels = label_array(given)
    if labels.ndim != 1:
        raise ValueError(f"classes must be a list of labels, got {given!r}")
    if is_missing(labels).any():
        raise ValueError(f"classes must be a list of labels without NaN or None, got {given!r}")
    refuse_mixed_types([labels], "classes")


def check_label_values(labels: np.ndarray) -> None:
    """Raise ValueError if flat labels are no labels: missing, no whole numbers, or dates."""
    refuse_missing(labels)
    labels = without_objects(labels)
    refuse_dates(labels)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
        if np.any(labels != np.round(labels)):
            raise ValueError(
                "Unknown label type: y holds numbers that are not whole, "
                f"such as {labels[labels != np.round(labels)][0]}"
            )
    refuse_complex(labels, "y")


def refuse_missing(labels: np.ndarray) -> None:
    """Raise ValueError if objects among labels stand for no value."""
    if labels.dtype == object and is_missing(labels).any():
        raise ValueError("Input y contains NaN.")


def refuse_dates(labels: np.ndarray) -> None:
    """Raise ValueError if flat labels are dates or times."""
    kind = labels.dtype.kind
    if kind in "mM" or (kind == "O" and len(labels) and isinstance(labels[0], DATES)):
        raise ValueError(
            f"Unknown label type: y holds dates or times, such as {labels[0]}; give the labels "
            "as text or whole numbers, or learn numbers with a regressor"
        )


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


def weights_by_class(class_weight: Mapping[Any, float], classes: np.ndarray) -> np.ndarray:
    """Return the weight of each class, (K,), as a dict gives it; 1 for those it does not name.

    Raises
    ------
    ValueError
        If it names something that is no class, or a weight is negative or not finite.
    """
    weights = np.ones(len(classes))
    for label, weight in class_weight.items():
        place = np.flatnonzero(classes == label)
        if len(place) == 0:
            raise ValueError(
                f"class_weight names {label!r}, which is not among the classes: "
                f"{classes[:10].tolist()}"
            )
        if not (isinstance(weight, Real) and weight >= 0 and isfinite(weight)):
            raise ValueError(
                f"class_weight must hold finite weights of at least 0, got {weight!r} "
                f"for the class {label!r}"
            )
        weights[place[0]] = weight
    return weights
