"""Whether what was learnt fits together, where compiled code of others relies on it unseen.

`OneHotEncoder` makes a sparse matrix whose column numbers SciPy writes to without a look: with
wrong ones it would write outside its memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError

__all__ = ["check_consistency"]


def check_consistency(name: str, value: Any, hidden: dict[str, Any]) -> None:
    """Raise FormatError if an object that was restored would have others write at random.

    Parameters
    ----------
    name : str
        What files call its class.
    value : object
    hidden : dict
        What it keeps under names of its own, by the file's name.
    """
    if name in _CHECKS and hasattr(value, "categories_"):
        _CHECKS[name](value, hidden)


def _check_one_hot(encoder: Any, hidden: dict[str, Any]) -> None:
    """Compare the columns of the result with the categories that they come from."""
    categories = encoder.categories_
    n = encoder.n_features_in_
    _require_each("categories", categories, n)
    for labels in categories:
        _require_sorted(labels)
    sizes = [len(labels) for labels in categories]
    if type(hidden.get("has_infrequent")) is not bool:
        raise FormatError("an encoder does not say whether it has infrequent categories")
    if hidden["has_infrequent"]:
        rare: Any = hidden.get("infrequent")
        mappings: Any = hidden.get("infrequent_mappings")
        _require_each("infrequent", rare, n)
        _require_each("infrequent_mappings", mappings, n)
        for i, (places, mapping) in enumerate(zip(rare, mappings)):
            if (places is None) != (mapping is None):
                raise FormatError("an encoder has infrequent categories that go nowhere")
            if places is None:
                continue
            _require_places("infrequent", places, sizes[i])
            grouped = sizes[i] - len(places) + 1
            _require_places("infrequent_mappings", mapping, grouped)
            if len(mapping) != sizes[i]:
                raise FormatError("an encoder has a mapping of other categories than its own")
            sizes[i] = grouped
    dropped = hidden.get("dropped")
    if dropped is not None:
        _require_each("dropped", dropped, n)
        for i, place in enumerate(dropped):
            if place is None:
                continue
            if not isinstance(place, (int, np.integer)) or not 0 <= place < sizes[i]:
                raise FormatError(f"an encoder drops the category {place!r:.100} of {sizes[i]}")
            sizes[i] -= 1
    if hidden.get("n_columns_out") != sizes:
        raise FormatError(f"an encoder gives {hidden.get('n_columns_out')!r:.100} columns")


def _require_each(part: str, values: Any, n: Any) -> None:
    if not isinstance(values, (list, np.ndarray)) or type(n) is not int or len(values) != n:
        raise FormatError(f"{part} of an encoder must be one for each of {n!r:.100} columns")


def _require_places(part: str, places: Any, n: int) -> None:
    if not (
        isinstance(places, np.ndarray)
        and places.ndim == 1
        and places.dtype.kind in "iu"
        and np.all((places >= 0) & (places < n))
    ):
        raise FormatError(f"{part} of an encoder are no places of {n} categories")


def _require_sorted(labels: Any) -> None:
    """Raise FormatError unless numbers increase, so that a search ends inside them."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 1:
        raise FormatError("the categories of an encoder are no vector")
    if labels.dtype.kind in "biufmM":
        numbers = labels[~np.isnan(labels)] if labels.dtype.kind in "fmM" else labels
        is_last = len(numbers) == len(labels) or np.isnan(labels[len(numbers) :]).all()
        if not is_last or not np.all(numbers[:-1] < numbers[1:]):
            raise FormatError("the categories of an encoder are not sorted")


_CHECKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "sklearn.preprocessing.OneHotEncoder": _check_one_hot,
}
