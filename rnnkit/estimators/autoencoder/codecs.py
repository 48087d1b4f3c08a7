"""What `fit` learnt about the sequences that an autoencoder gives back.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.estimators.codecs import Codec, Numbers
from rnnkit.sequences import Form, Sequences

__all__ = ["OwnSteps"]

KINDS = ("rows", "array", "list", "objects", "sequences")


@dataclass(frozen=True)
class OwnSteps(Numbers):
    """The steps of X themselves, in the form of the X of the first `fit`; scored by R².

    Parameters
    ----------
    n_outputs : int
        I.
    is_vector : bool
        True: a step has a dimension for its features.
    form : {"rows", "array", "list", "objects", "sequences"}
        As `Form.kind`.
    is_flat : bool
        As in `Form`.
    n_steps : int or None
        Steps of every sequence; None if they differed.
    """

    kind: ClassVar[str] = "own_steps"

    form: str
    is_flat: bool
    n_steps: int | None

    @classmethod
    def of(cls, sequences: Sequences, form: Form) -> OwnSteps:
        """Return the codec of sequences that were given in a form."""
        lengths = np.unique(sequences.lengths)
        n_steps = int(lengths[0]) if len(lengths) == 1 else None
        return cls(sequences.n_features, True, form.kind, form.is_flat, n_steps)

    def labelled(self, y: Any) -> None:
        """Return None: every step is known."""

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return the steps (ΣT, I) as float64."""
        return super().encode(np.asarray(y, np.float64), strict=strict)

    def restore(self, values: np.ndarray, lengths: np.ndarray) -> Any:
        """Return steps (ΣT, I) of sequences of some lengths (N,) in the form of `fit`."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        form = Form(self.form, int(lengths.max()), self.is_flat, Sequences)
        return form.restore_data(values, offsets)

    def _plain(self) -> dict[str, Any]:
        more = {"form": self.form, "is_flat": self.is_flat, "n_steps": self.n_steps}
        return {"n_outputs": self.n_outputs, **more}

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Codec:
        n_outputs, n_steps, form = plain["n_outputs"], plain["n_steps"], plain["form"]
        is_flat = plain["is_flat"]
        if type(n_outputs) is not int or n_outputs < 1 or form not in KINDS:
            raise ValueError(f"its steps have {n_outputs!r:.40} features in {form!r:.40}")
        if type(is_flat) is not bool or not (
            n_steps is None or (type(n_steps) is int and n_steps >= 1)
        ):
            raise ValueError(f"its sequences have {n_steps!r:.40} steps, {is_flat!r:.40}")
        return cls(n_outputs, True, form, is_flat, n_steps)
