"""What `fit` learnt about y: how targets become numbers, and numbers predictions again.

A codec is plain data. It sees targets laid out flat, one entry per sequence, or per step of all
sequences where the estimator answers per step.

Letters: n targets, K classes or outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import r2_score

from rnnkit.estimators.labels import encode_labels
from rnnkit.estimators.unlabelled import labelled_entries
from rnnkit.metrics import edit_distance
from rnnkit.sequences import split_steps
from rnnkit.sequences.numbers import exponents_of

__all__ = ["Codec", "Indicators", "LabelLists", "Labels", "Numbers", "codec_from_dict", "squarable"]


AT_ONCE = 2**16  # numbers of some outputs that are scored at once
SMALLEST_SQUARES, LARGEST_SQUARES = 2.0**-600, 2.0**600  # sums that are added up as they are

_KINDS: dict[str, type[Codec]] = {}  # by the name that a file knows


class Codec(ABC):
    """Between what users call their targets and what an output object is trained on."""

    kind: ClassVar[str]
    ignore_label: Any = None  # what says that a target is not known, beside NaN and None

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            _KINDS[cls.kind] = cls

    @property
    @abstractmethod
    def width(self) -> int:
        """K, the number of classes or outputs."""

    @abstractmethod
    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return targets as the output object takes them, (n, ...).

        Raises
        ------
        ValueError
            If y is not like the y of `fit`; with `strict`, also if it holds a label that was
            not there. Without, such a label is one that no prediction equals.
        """

    def labelled(self, y: Any) -> np.ndarray | None:
        """Return which targets are known, in the shape of y; None if all are."""
        return labelled_entries(y, self.ignore_label)

    @abstractmethod
    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Turn decisions of the output object into what the user predicts."""

    @abstractmethod
    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Score decisions against encoded targets; larger is better."""

    def strata(self, targets: np.ndarray) -> np.ndarray | None:
        """Return what a split of the data should hold in equal shares, or None."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as numbers, strings and lists, as JSON has them."""
        return {"kind": self.kind, **self._plain()}

    @abstractmethod
    def _plain(self) -> dict[str, Any]:
        """Return what `_restore` takes."""

    @classmethod
    @abstractmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        """Return the codec that `_plain` told of."""


@dataclass(frozen=True, eq=False)
class _OfClasses(Codec):
    """Base of the codecs that know K classes."""

    classes: np.ndarray  # (K,), sorted

    @property
    def width(self) -> int:
        """K, the number of classes."""
        return len(self.classes)

    def _plain(self) -> dict[str, Any]:
        return {"classes": self.classes.tolist(), "dtype": self.classes.dtype.str}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        return cls(np.array(plain["classes"], np.dtype(plain["dtype"])))


@dataclass(frozen=True, eq=False)
class Labels(_OfClasses):
    """One label of K classes for each; scored by accuracy.

    Parameters
    ----------
    classes : ndarray of shape (K,)
        Sorted.
    ignore_label : label, default=None
        What says that a target is not known, beside NaN and None.
    """

    kind: ClassVar[str] = "labels"

    ignore_label: Any = None

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return the class index of every label, (n,) intp."""
        if y.ndim != 1:
            raise ValueError(f"y must hold one label for each, got an array of shape {y.shape}")
        return encode_labels(y, self.classes, strict=strict)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the label of every class index."""
        labels: np.ndarray = self.classes[decisions]
        return labels

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return the share of right labels."""
        return float(np.average(targets == decisions, weights=weights))

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Return the class indices."""
        return targets

    def _plain(self) -> dict[str, Any]:
        return {**super()._plain(), **_ignored(self)}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        classes = np.array(plain["classes"], np.dtype(plain["dtype"]))
        return cls(classes, plain.get("ignore_label"))


class LabelLists(_OfClasses):
    """A list of labels of K classes for each; scored by edit distance."""

    kind = "label_lists"

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return the class indices of lists of labels, an object array of n arrays."""
        labels = np.concatenate([piece for piece in y if len(piece)] or list(y))
        offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in y])])
        return split_steps(encode_labels(labels, self.classes, strict=strict), offsets)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the labels of lists of class indices."""
        predictions = np.empty(len(decisions), dtype=object)
        for i, codes in enumerate(decisions):
            predictions[i] = self.classes[codes]
        return predictions

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return one minus the edit distance per true label."""
        distances = np.array([edit_distance(t, d) for t, d in zip(targets, decisions)])
        n_labels = np.array([len(t) for t in targets])
        weights = np.ones(len(targets)) if weights is None else weights
        n_true = weights @ n_labels or weights.max()  # without a true label as if there were one
        return float(1 - (weights @ distances) / n_true)


@dataclass(frozen=True)
class Indicators(Codec):
    """K yes-or-no labels for each, given as 0 and 1.

    Scored as scikit-learn scores several labels, by rows that are right as a whole, for sequences;
    for steps, of which hardly one is right as a whole, by single labels.

    Parameters
    ----------
    n_labels : int
        K.
    noun : str
        What has the K labels, for error messages.
    ignore_label : label, default=None
        What says that a target is not known, beside NaN and None.
    """

    kind: ClassVar[str] = "indicators"

    n_labels: int
    noun: str
    ignore_label: Any = None

    @property
    def width(self) -> int:
        """K, the number of labels."""
        return self.n_labels

    @classmethod
    def of(cls, n_labels: int, noun: str, given: Any, ignore_label: Any = None) -> Indicators:
        """Return the codec, if the classes that a user may have given are its own.

        Raises
        ------
        ValueError
            If they are given and others than 0, 1, ... K - 1.
        """
        if given is not None and np.unique(np.asarray(given)).tolist() != list(range(n_labels)):
            raise ValueError(
                f"classes must be 0 to {n_labels - 1} where y has {n_labels} columns of "
                f"yes-or-no labels, got {given!r}"
            )
        return cls(n_labels, noun, ignore_label)

    @property
    def classes(self) -> np.ndarray:
        """The numbers of the labels, (K,)."""
        return np.arange(self.n_labels)

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return 0.0 and 1.0, (n, K)."""
        if y.ndim != 2 or y.shape[1] != self.n_labels or not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"y must hold {self.n_labels} times 0 or 1 for every {self.noun}, got an array "
                f"of shape {y.shape} that holds {np.unique(y)[:5].tolist()}"
            )
        return np.asarray(y, np.float64)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return 0 and 1, (n, K) intp."""
        return decisions.astype(np.intp)

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return the share of rows all of whose labels are right, or for steps of right labels."""
        right = targets == decisions
        if weights is not None and weights.ndim == 2:
            return float(np.average(right, weights=weights))
        by_row = right.mean(axis=1) if self.noun == "step" else right.all(axis=1)
        return float(np.average(by_row, weights=weights))

    def _plain(self) -> dict[str, Any]:
        return {"n_labels": self.n_labels, "noun": self.noun, **_ignored(self)}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        return cls(plain["n_labels"], plain["noun"], plain.get("ignore_label"))


@dataclass(frozen=True)
class Numbers(Codec):
    """A number for each, or a vector of K; scored by R².

    Parameters
    ----------
    n_outputs : int
        K.
    is_vector : bool
        Whether y was given with a dimension for the outputs.
    """

    kind: ClassVar[str] = "numbers"

    n_outputs: int
    is_vector: bool

    @property
    def width(self) -> int:
        """K, the numbers of a target."""
        return self.n_outputs

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return the numbers, (n, K) float64."""
        numbers: np.ndarray = y.reshape(len(y), -1)
        n_outputs = numbers.shape[1]
        if n_outputs != self.n_outputs:
            raise ValueError(f"y has {n_outputs} outputs, expected {self.n_outputs} as in fit")
        return numbers

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the numbers, (n,) or (n, K); (n, Q) or (n, K, Q) of several quantiles."""
        numbers: np.ndarray = decisions if self.is_vector else decisions[:, 0]
        return numbers

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return R², NaN where a prediction is not finite or there are fewer than two targets.

        Where each output has weights of its own, the mean of those that have two targets.
        """
        if len(targets) < 2 or not np.isfinite(decisions).all():
            return float("nan")
        targets, decisions = squarable(targets, decisions)
        if weights is None:
            return float(r2_score(targets, decisions))
        n_weighed = np.count_nonzero(weights, axis=0)
        if weights.ndim == 1:
            score = r2_score(targets, decisions, sample_weight=weights)
            return float(score) if n_weighed > 1 else float("nan")
        scores = _weighted_r2(targets, decisions, weights, np.flatnonzero(n_weighed > 1))
        return float(np.mean(scores)) if scores else float("nan")

    def _plain(self) -> dict[str, Any]:
        return {"n_outputs": self.n_outputs, "is_vector": self.is_vector}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        return cls(plain["n_outputs"], plain["is_vector"])


def squarable(targets: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers (n, K) in a unit, a power of two, in which their squares are floats."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.einsum("nk,nk->k", targets, targets)
    if np.all((squares > SMALLEST_SQUARES) & (squares < LARGEST_SQUARES)):
        return targets, decisions
    exponents = exponents_of(targets, decisions)
    return np.ldexp(targets, -exponents), np.ldexp(decisions, -exponents)


def _weighted_r2(
    true: np.ndarray, said: np.ndarray, weights: np.ndarray, columns: np.ndarray
) -> list[float]:
    """Return what `r2_score` does for some outputs, each with weights of its own.

    Without its checks, and several outputs at once, since there may be many.
    """
    dtype = np.result_type(true, said, weights)
    n_at_once = max(1, AT_ONCE // len(true))
    scores: list[float] = []
    for first in range(0, len(columns), n_at_once):
        some = columns[first : first + n_at_once]
        # An output's numbers side by side: each sum is the very one of this output alone.
        t, s, w = (np.ascontiguousarray(a[:, some].T, dtype) for a in (true, said, weights))
        unexplained = (w * (t - s) ** 2).sum(axis=1)
        mean = (t * w).sum(axis=1) / w.sum(axis=1)
        spread = (w * (t - mean[:, None]) ** 2).sum(axis=1)
        shares = 1 - unexplained / np.where(spread > 0, spread, 1)
        shares[spread == 0] = 0.0
        shares[unexplained == 0] = 1.0
        scores += shares.tolist()
    return scores


def _ignored(codec: Codec) -> dict[str, Any]:
    """Return the label of a codec that says nothing, as plain data; nothing if there is none."""
    label = codec.ignore_label
    if label is None:
        return {}
    return {"ignore_label": label.item() if isinstance(label, np.generic) else label}


def codec_from_dict(plain: Mapping[str, Any]) -> Codec:
    """Return the codec that `Codec.to_dict` told of."""
    return _KINDS[plain["kind"]]._restore(plain)
