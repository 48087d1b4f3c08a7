"""Sequence taggers: one label for every step."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.codecs import Codec, Indicators, Labels
from rnnkit.estimators.devices import answers
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.label_learning import LabelPrediction
from rnnkit.estimators.labels import check_label_values, find_classes, without_objects
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameter, parameters
from rnnkit.estimators.parameters.network import (
    GRUParameters,
    LSTMParameters,
    RNNParameters,
)
from rnnkit.estimators.targets import flatten_steps
from rnnkit.estimators.transitions import (
    TRANSITION_SCHEMES,
    describe_forbidden,
    forbidden_pairs,
)
from rnnkit.estimators.unlabelled import labelled_entries
from rnnkit.network import CRF, Output
from rnnkit.network.transitions import ForbiddenLabelsError
from rnnkit.sequences import Form, Sequences

__all__ = [
    "GRUSequenceTagger",
    "LSTMSequenceTagger",
    "RNNSequenceTagger",
    "RecurrentSequenceTagger",
]


@parameters
class RecurrentSequenceTagger(LabelPrediction):
    """What labels every step, whatever the cell.

    It is no `ClassifierMixin`: scikit-learn would take nested labels for many outputs.
    """

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "Labels may be of any type; several yes-or-no labels per step are given as 0 "
            'and 1. A conditional random field (``output="crf"``) scores the labels of a '
            "sequence as a whole, and knows rules (``forbidden_transitions``). In a search, leave "
            "`scoring` at None or pass a scorer of `rnnkit.metrics`, such as "
            "`token_accuracy_scorer`: scikit-learn's own, such as "
            '"accuracy", know no steps.'
        ),
        notes=(
            "the label scores of a step are an affine function of its state. The loss is "
            "the mean cross-entropy in nats per real step; with a CRF, the mean negative "
            "log-likelihood in nats per sequence."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> X = [np.array([1.0, -1, 1]), np.array([-1.0, 1]), np.array([1.0, 1, -1, -1])]
>>> y = [["up", "down", "up"], ["down", "up"], ["up", "up", "down", "down"]]
>>> tagger = {name}(4, learning_rate_init=0.1, max_iter=50, random_state=0)
>>> tagger.fit(X, y).predict([np.array([-1.0, -1, 1])])[0].tolist()
['down', 'down', 'up']
""",
    )
    _per_step: ClassVar[bool] = True

    output: str = parameter(
        "softmax",
        [StrOptions({"softmax", "crf"})],
        '{"softmax", "crf"}',
        "How the labels of a sequence are scored: every step by itself, or as a whole by "
        'a linear-chain conditional random field ("crf"; Lafferty et al. 2001).',
    )
    forbidden_transitions: Any = parameter(
        None,
        [StrOptions(set(TRANSITION_SCHEMES)), list, tuple, set, frozenset, None],
        '{"bio", "iobes", "bilou"}, pairs of labels or None',
        'With ``output="crf"``, labels that never follow one another: those that the named scheme '
        "of entity labels does not allow, or a list of pairs (before, after), with None for the "
        "beginning and the end of a sequence: ``[(None, 'I-PER'), ('O', 'I-PER')]``. A forbidden "
        "labelling has no probability, in training and in prediction, and is refused in y. "
        '"iob2" is "bio", "bioes" is "iobes"; "iob1" is known too.',
    )
    ignore_label: Any = parameter(
        None,
        [str, Real, None],
        "str, number or None",
        "A label in y that says that a step is not labelled, as NaN and None always do. Such a "
        "step counts for nothing: in losses, scores, class weights or classes. A CRF sums over "
        "all labels that it may have.",
        part="reader",
    )

    @answers
    def predict_proba(self, X: Any, lengths: Any = None) -> Any:
        """Return the probability of every class at every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T, K), or N arrays (T_i, K) in the form of a ragged X
            In the order of `classes_`; zero beyond a sequence's length. With ``output="crf"``
            the marginal probability over all labellings that are allowed: the likeliest label of
            each step by itself may break a rule that `predict` keeps.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        return form.restore(self._probabilities(sequences), sequences.offsets)

    @answers
    def predict_log_proba(self, X: Any, lengths: Any = None) -> Any:
        """Return the logarithm of the probability of every class at every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T, K), or N arrays (T_i, K) in the form of a ragged X
            In the order of `classes_`; zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        with np.errstate(divide="ignore"):
            logarithms = np.log(self._probabilities(sequences))
        return form.restore(logarithms, sequences.offsets)

    def _output_type(self) -> type[Output] | None:
        return CRF if self.output == "crf" else None

    def _make_output(self, codec: Codec) -> Output:
        if self.output != "crf":
            return self._scored_by_row(codec)
        if isinstance(codec, Indicators):
            raise ValueError("output='crf' needs one label per step, got several in y")
        classes = codec.classes if isinstance(codec, Labels) else np.arange(codec.width)
        return CRF(codec.width, forbidden_pairs(self.forbidden_transitions, classes))

    def _make_examples(self, codec: Codec, *data: Any, **options: Any) -> Examples:
        try:
            return super()._make_examples(codec, *data, **options)
        except ForbiddenLabelsError as error:
            assert isinstance(codec, Labels)
            rules = self.forbidden_transitions
            raise ValueError(describe_forbidden(error, rules, codec.classes)) from None

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> np.ndarray:
        labels = flatten_steps(y, sequences, form, ignore_label=ignore_label)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        labelled = labelled_entries(labels, ignore_label)
        if labels.ndim == 1:
            check_label_values(labels if labelled is None else labels[labelled])
        return labels

    def _learn_codec(self, targets: np.ndarray, classes: Any) -> Codec:
        ignore_label = self.ignore_label
        if targets.ndim == 2:
            return Indicators.of(targets.shape[1], "step", classes, ignore_label)
        labelled = labelled_entries(targets, ignore_label)
        if labelled is not None:
            targets = without_objects(targets[labelled])
        found = find_classes(targets, self, classes)
        if ignore_label is not None and ignore_label in found.tolist():
            raise ValueError(f"classes must not hold ignore_label={ignore_label!r}")
        return Labels(found, ignore_label)


@recurrent_estimator
class RNNSequenceTagger(RNNParameters, RecurrentSequenceTagger):
    """Label every step of a sequence with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMSequenceTagger(LSTMParameters, RecurrentSequenceTagger):
    """Label every step of a sequence with a long short-term memory (LSTM) network."""


@recurrent_estimator
class GRUSequenceTagger(GRUParameters, RecurrentSequenceTagger):
    """Label every step of a sequence with a network of gated recurrent units (GRU)."""
