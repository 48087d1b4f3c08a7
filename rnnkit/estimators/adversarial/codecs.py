"""What `fit` learnt about the sequences that are made: their form, conditions and lengths.

Letters: N sequences, n sequences made, ΣT steps of all sequences, I features of a step, C numbers
of a condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from rnnkit.estimators.autoencoder.codecs import OwnSteps
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.language.contexts import Contexts
from rnnkit.sequences import Form, Sequences

__all__ = ["MadeSteps"]


@dataclass(frozen=True)
class MadeSteps(OwnSteps):
    """Steps in the form of the X of the first `fit`, and what was known of its sequences.

    Parameters
    ----------
    n_outputs, is_vector, form, is_flat, n_steps
        As in `OwnSteps`.
    conditions : Contexts or None
        What y was like; None: there was none.
    seen : tuple of tuple (label, steps, weight)
        How often sequences of a label had so many steps: the place of the label in
        `conditions.labels` (0 without labels), whole numbers, and the sum of their weights.
    """

    kind: ClassVar[str] = "made_steps"

    conditions: Contexts | None = None
    seen: tuple[tuple[int, int, float], ...] = ()

    @classmethod
    def learn(cls, y: Any, sequences: Sequences, form: Form) -> MadeSteps:
        """Return the codec of sequences that were given in a form, and of their y."""
        own = OwnSteps.of(sequences, form)
        conditions = None if y is None else Contexts.learn(y, len(sequences), "y")
        shape = (own.n_outputs, own.is_vector, own.form, own.is_flat, own.n_steps)
        return cls(*shape, conditions)

    @property
    def n_conditions(self) -> int:
        """C; 0 without y."""
        return 0 if self.conditions is None else self.conditions.width

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """The labels, sorted; None if y was vectors or not there."""
        return None if self.conditions is None else self.conditions.labels

    def numbers(self, y: Any, n: int) -> np.ndarray:
        """Return the conditions (n, C) of n sequences, float64.

        Raises
        ------
        ValueError, TypeError
            If y is missing, is there although `fit` had none, or is not like that of `fit`.
        """
        if self.conditions is None:
            if y is not None:
                raise ValueError(f"y must be None as in fit, got {y!r:.80}")
            return np.zeros((n, 0))
        if y is None:
            known = f"{self.n_conditions} numbers for each sequence"
            if self.labels is not None:
                known = f"labels as {list(self.labels)!r:.80}"
            raise ValueError(f"y must be given as in fit, {known}, got None")
        return self.conditions.read(y, n, "y", "sequence")

    def seeing(
        self, lengths: np.ndarray, numbers: np.ndarray, weights: np.ndarray | None
    ) -> MadeSteps:
        """Return the codec that has seen these sequences too.

        Parameters
        ----------
        lengths : ndarray of shape (N,)
        numbers : ndarray of shape (N, C)
            Their conditions.
        weights : ndarray of shape (N,), default=None
        """
        counts = {(label, steps): weight for label, steps, weight in self.seen}
        labels = np.zeros(len(lengths), np.intp) if self.labels is None else numbers.argmax(axis=1)
        each = np.ones(len(lengths)) if weights is None else weights
        for label, steps, weight in zip(labels.tolist(), lengths.tolist(), each.tolist()):
            counts[label, steps] = counts.get((label, steps), 0.0) + weight
        return replace(self, seen=tuple((*key, counts[key]) for key in sorted(counts)))

    def label_weights(self) -> np.ndarray:
        """Return the share of each label among what was seen."""
        labels, _, weights = map(np.array, zip(*self.seen))
        sums = np.bincount(labels, weights, minlength=len(self.labels or ((),)))
        shares: np.ndarray = sums / sums.sum()
        return shares

    def draw_labels(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw n labels, as often as each was seen; an object array."""
        assert self.labels is not None
        places = rng.choice(len(self.labels), n, p=self.label_weights())
        drawn = np.empty(n, dtype=object)
        drawn[:] = [self.labels[place] for place in places.tolist()]
        return drawn

    def draw_lengths(self, numbers: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw the steps (n,) of sequences of some conditions (n, C), as often as they were seen.

        Of a label whose sequences all weighed nothing, any that was seen with it.
        """
        n = len(numbers)
        labels, steps, weights = map(np.array, zip(*self.seen))
        asked = np.zeros(n, np.intp) if self.labels is None else numbers.argmax(axis=1)
        places = rng.random_sample(n)
        drawn = np.empty(n, np.intp)
        for label in np.unique(asked).tolist():
            own = np.flatnonzero(labels == label)
            shares = weights[own] if weights[own].any() else np.ones(len(own))
            edges = np.cumsum(shares / shares.sum())
            of_label = asked == label
            found = np.searchsorted(edges, places[of_label], side="right")
            drawn[of_label] = steps[own[np.minimum(found, len(own) - 1)]]
        return drawn

    def _plain(self) -> dict[str, Any]:
        conditions = None if self.conditions is None else self.conditions.to_dict()
        return {**super()._plain(), "conditions": conditions, "seen": list(map(list, self.seen))}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        own: Any = super()._restore(plain)
        conditions = plain["conditions"]
        seen = tuple(tuple(entry) for entry in plain["seen"])
        made = replace(
            own, conditions=None if conditions is None else Contexts.from_dict(conditions)
        )
        n_labels = len(made.labels or ((),))
        for entry in seen:
            label, steps, weight = entry
            if not (
                (type(label), type(steps), type(weight)) == (int, int, float)
                and 0 <= label < n_labels
                and steps >= 1
                and 0 <= weight < float("inf")
            ):
                raise ValueError(f"it has seen {entry!r:.60}")
        if not any(weight > 0 for _, _, weight in seen):
            raise ValueError("it has seen no sequences")
        restored: Codec = replace(made, seen=seen)
        return restored
