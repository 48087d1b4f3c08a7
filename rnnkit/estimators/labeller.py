"""Sequence labellers: a sequence of labels, shorter than the input and not aligned with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from rnnkit.backends.interface import Array
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.codecs import Codec, LabelLists
from rnnkit.estimators.devices import answers
from rnnkit.estimators.label_learning import LabelLearning
from rnnkit.estimators.labels import check_label_values, find_classes
from rnnkit.estimators.parameters.checks import check_each_of
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import integer, parameter, parameters
from rnnkit.estimators.parameters.network import (
    GRUParameters,
    LSTMParameters,
    RNNParameters,
)
from rnnkit.estimators.targets import refuse_mixed_types, require_list, values_of
from rnnkit.network import CTC, BoundNetwork, Output
from rnnkit.sequences import Form, Plan, Sequences

__all__ = [
    "GRUSequenceLabeller",
    "LSTMSequenceLabeller",
    "RNNSequenceLabeller",
    "RecurrentSequenceLabeller",
]


@parameters
class RecurrentSequenceLabeller(LabelLearning):
    """What writes a label sequence for every sequence, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "y holds one list of labels per sequence, without saying at which steps they "
            "belong; a list is never longer than its sequence. `score` is one minus the "
            "edit distance per true label; in a search, leave `scoring` at None or pass "
            "`rnnkit.metrics.label_error_rate_scorer`."
        ),
        notes=(
            "the label scores of a step are an affine function of its state. Trained by "
            "connectionist temporal classification (Graves, Fernández, Gomez & Schmidhuber "
            "2006): the probability of a label list is summed over all ways to spread it over "
            "the steps with blanks between; the loss is its negative logarithm in nats per "
            "sequence."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> X = [np.repeat(np.eye(2)[word], 2, axis=0) for word in ([0, 1], [1, 0], [0], [1])]
>>> y = [["a", "b"], ["b", "a"], ["a"], ["b"]]
>>> labeller = {name}(8, learning_rate_init=0.05, random_state=0).fit(X, y)
>>> labeller.predict(X)[0].tolist()
['a', 'b']
""",
    )
    _per_step: ClassVar[bool] = True

    beam_width: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        "Label sequences kept at every step of a beam search for the most probable one; "
        "None reads the labels from the best class of every step. May be changed after "
        "`fit`.",
    )

    @answers
    def predict_proba(self, X: Any, lengths: Any = None) -> Any:
        """Return the probability of every class, and of the blank, at every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T, K + 1), or N arrays (T_i, K + 1) in the form of a ragged X
            In the order of `classes_`, the blank last; zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        return form.restore(self._probabilities(sequences), sequences.offsets)

    def _output_type(self) -> type[Output]:
        return CTC

    def _make_output(self, codec: Codec) -> Output:
        return CTC(codec.width, self.beam_width)

    def _decision(self, bound: BoundNetwork, plan: Plan, scores: Array) -> Array:
        """Decode with the beam width the estimator has now."""
        check_each_of(self, ["beam_width"])
        output: Any = bound.output
        output = replace(output, beam_width=self.beam_width)
        return output.decision(scores, bound.context(plan))

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> list[np.ndarray]:
        require_list(y, "y", "labels")
        check_consistent_length(sequences.offsets[1:], y)
        pieces = [values_of(labels) for labels in y]
        for i, piece in enumerate(pieces):
            if piece.ndim != 1:
                raise ValueError(
                    f"y must hold a list of labels for every sequence; y[{i}] has "
                    f"{piece.ndim} dimensions"
                )
        refuse_mixed_types(pieces, "y")
        check_label_values(_joined(pieces))
        return pieces

    def _learn_codec(self, targets: list[np.ndarray], classes: Any) -> Codec:
        return LabelLists(find_classes(_joined(targets), self, classes, at_least=1))


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([piece for piece in pieces if len(piece)] or pieces)


@recurrent_estimator
class RNNSequenceLabeller(RNNParameters, RecurrentSequenceLabeller):
    """Write a sequence of labels for a sequence with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMSequenceLabeller(LSTMParameters, RecurrentSequenceLabeller):
    """Write a sequence of labels for a sequence with a long short-term memory network."""


@recurrent_estimator
class GRUSequenceLabeller(GRUParameters, RecurrentSequenceLabeller):
    """Write a sequence of labels for a sequence with gated recurrent units."""
