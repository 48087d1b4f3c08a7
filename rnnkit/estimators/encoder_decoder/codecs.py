"""What `fit` learnt about the sequences that an encoder-decoder writes.

Letters: n sequences, U steps of one of them, K labels, or numbers of a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import r2_score

from rnnkit.estimators.codecs import Codec, LabelLists, squarable
from rnnkit.estimators.encoder_decoder.reading import WrittenTargets

__all__ = ["WrittenLabelLists", "WrittenNumberLists"]


@dataclass(frozen=True, eq=False)
class WrittenLabelLists(LabelLists):
    """A sequence of labels of K classes for each; scored by those that are right as a whole.

    Parameters
    ----------
    classes : ndarray of shape (K,)
        Sorted.
    as_text : bool
        Whether y held strings.
    longest : int
        Labels of the longest in the first `fit`.
    """

    kind: ClassVar[str] = "written_labels"

    as_text: bool
    longest: int

    def encode(self, y: WrittenTargets, *, strict: bool) -> np.ndarray:
        """Return the class indices of lists of labels, an object array of n arrays."""
        if y.are_numbers:
            raise ValueError(
                "y must hold labels as in fit, got numbers that are not whole; give "
                "targets='labels' for labels of a floating-point dtype"
            )
        return super().encode(y.pieces, strict=strict)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return lists of labels, or strings, an object array (n,)."""
        predictions = super().decode(decisions)
        if self.as_text:
            for i, labels in enumerate(predictions):
                predictions[i] = "".join(labels.tolist())
        return predictions

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return the share of sequences all of whose labels are right."""
        right = [np.array_equal(target, found) for target, found in zip(targets, decisions)]
        return float(np.average(right, weights=weights))

    def _plain(self) -> dict[str, Any]:
        return {**super()._plain(), "as_text": self.as_text, "longest": self.longest}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        classes = np.array(plain["classes"], np.dtype(plain["dtype"]))
        as_text, longest = plain["as_text"], plain["longest"]
        if type(as_text) is not bool or type(longest) is not int or longest < 0:
            raise ValueError(f"its labels are {as_text!r:.40} text, {longest!r:.40} at most")
        if as_text and classes.dtype.kind != "U":
            raise ValueError(f"its labels of dtype {classes.dtype} make no text")
        return cls(classes, as_text, longest)


@dataclass(frozen=True)
class WrittenNumberLists(Codec):
    """A sequence of numbers, or of vectors of K, for each; scored by R² over all steps.

    Parameters
    ----------
    n_outputs : int
        K.
    is_vector : bool
        Whether y had a dimension for the outputs.
    is_dense : bool
        Whether y was one array.
    n_steps : int or None
        Steps of every sequence of the first `fit`; None if they differed.
    """

    kind: ClassVar[str] = "written_numbers"

    n_outputs: int
    is_vector: bool
    is_dense: bool
    n_steps: int | None

    @property
    def width(self) -> int:
        """K, the numbers of a step."""
        return self.n_outputs

    def encode(self, y: WrittenTargets, *, strict: bool) -> np.ndarray:
        """Return the numbers of each, an object array of n arrays (U_i, K) float64."""
        encoded = np.empty(len(y), dtype=object)
        for i, piece in enumerate(y.pieces):
            try:
                numbers = np.asarray(piece, np.float64)
            except (TypeError, ValueError):
                raise ValueError(
                    f"y must hold numbers as in fit, got {piece[:1].tolist()!r:.60}"
                ) from None
            encoded[i] = numbers.reshape(len(numbers), -1) if len(numbers) else np.empty((0, 1))
            if encoded[i].shape[1] != self.n_outputs:
                raise ValueError(
                    f"y has {encoded[i].shape[1]} outputs, expected {self.n_outputs} as in fit"
                )
        return encoded

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return n arrays (U_i,) or (U_i, K), or one array (n, U) or (n, U, K) if y was one."""
        predictions = np.empty(len(decisions), dtype=object)
        for i, numbers in enumerate(decisions):
            predictions[i] = numbers if self.is_vector else numbers[:, 0]
        if self.is_dense and len({len(numbers) for numbers in decisions}) == 1:
            return np.stack(predictions.tolist())
        return predictions

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return R² over the steps of all sequences, NaN where a prediction is not finite."""
        found = np.concatenate([d[: len(t)] for t, d in zip(targets, decisions)])
        steps = np.concatenate(list(targets))
        if len(steps) < 2 or not np.isfinite(found).all():
            return float("nan")
        if weights is not None:
            weights = np.repeat(weights, [len(target) for target in targets])
        return float(r2_score(*squarable(steps, found), sample_weight=weights))

    def _plain(self) -> dict[str, Any]:
        return {
            "n_outputs": self.n_outputs,
            "is_vector": self.is_vector,
            "is_dense": self.is_dense,
            "n_steps": self.n_steps,
        }

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        n_outputs, n_steps = plain["n_outputs"], plain["n_steps"]
        flags = plain["is_vector"], plain["is_dense"]
        if type(n_outputs) is not int or n_outputs < 1 or set(map(type, flags)) != {bool}:
            raise ValueError(f"its numbers are {n_outputs!r:.40} of a step, {flags!r:.40}")
        if n_steps is not None and (type(n_steps) is not int or n_steps < 1):
            raise ValueError(f"its numbers have {n_steps!r:.40} steps")
        return cls(n_outputs, *flags, n_steps)
