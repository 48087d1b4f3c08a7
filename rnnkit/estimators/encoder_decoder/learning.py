"""What an encoder-decoder is constructed with, and how it learns.

Letters: N sequences, T steps read, U steps written, K labels, or numbers of a step.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import HasMethods, StrOptions

from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.encoder_decoder.codecs import WrittenLabelLists, WrittenNumberLists
from rnnkit.estimators.encoder_decoder.reading import (
    WrittenTargets,
    holds_tokens,
    read_targets,
    spelled,
)
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.label_learning import LabelLearning
from rnnkit.estimators.labels import find_classes
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    RATE,
    Number,
    entries_of,
    fixed,
    integer,
    parameter,
    parameters,
)
from rnnkit.estimators.parameters.training import SCHEDULE_NAMES
from rnnkit.estimators.reader import Reader
from rnnkit.network import Network, Output, WrittenLabels, WrittenNumbers
from rnnkit.network.attention import ATTENTIONS
from rnnkit.network.composing import build_encoder_decoder
from rnnkit.network.layers import Layer
from rnnkit.sequences import Form, Sequences
from rnnkit.training import LBFGS, make_solver
from rnnkit.training.schedules import SCHEDULES

__all__ = ["OF_SEARCH", "EncoderDecoderLearning"]

# How labels are searched for, as the parameters are when it is asked.
OF_SEARCH = ("beam_width", "length_penalty", "max_target_length")
# What numbers that are written have no use for.
OF_LABELS = ("label_smoothing", *OF_SEARCH)


@parameters
@fixed(
    categorical_features=None,
    n_tokens=None,
    static="steps",
    static_features=None,
    spelling_columns=0,
    character_dim=16,
    character_hidden_size=32,
    convolution_join="before",
    bptt_steps=None,
    validation_split="random",
)
class EncoderDecoderLearning(LabelLearning):
    """What learns to write sequences from sequences: its parameters and its training."""

    _per_step: ClassVar[bool] = True

    hidden_size: int = parameter(
        64,
        [integer(1)],
        "int",
        "Hidden units H of every layer and direction of the encoder, and of every layer of the "
        "decoder, which begins from its states.",
        part="network",
        positional=True,
    )
    bidirectional: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether every layer of the encoder also reads the sequence backwards. A learned map of "
        "the last states of both directions then makes the first states of the decoder; otherwise "
        "it takes the encoder's as they are. The decoder has as many layers, of as many units.",
        part="network",
    )
    attention: str | None = parameter(
        "dot",
        [StrOptions(set(ATTENTIONS)), None],
        '{"dot", "additive"} or None',
        "How the states of the decoder attend to those of the encoder: by products "
        '(Luong, Pham & Manning 2015), or with "additive" by a layer of their sums (Bahdanau, Cho '
        "& Bengio 2015), both behind the recurrence. None: what is read reaches the decoder by its "
        "first states alone.",
        part="network",
    )
    inputs: str = parameter(
        "auto",
        [StrOptions({"auto", "tokens", "numbers"})],
        '{"auto", "tokens", "numbers"}',
        'What X holds: tokens, each looked up in a table, or numbers. "auto": text, truth values '
        "and whole numbers (an integer dtype) are tokens. A string is a sequence of its "
        "characters. Text that `fit` did not see is the unknown; whole numbers are ids, from 0 on.",
        part="reader",
    )
    targets: str = parameter(
        "auto",
        [StrOptions({"auto", "labels", "numbers"})],
        '{"auto", "labels", "numbers"}',
        'What y holds: labels of any type, or numbers. "auto": floating-point numbers are numbers, '
        "anything else is labels.",
        part="reader",
    )
    embedding_dim: int = parameter(
        64,
        [integer(1)],
        "int",
        "Width of the tables in which the tokens of X, and the labels written before, are looked "
        "up. Where X holds tokens the arithmetic is done in float32.",
        part="reader",
    )
    teacher_forcing: Any = parameter(
        1.0,
        [Number(Real, 0, 1, closed="both"), tuple],
        "float or tuple (first, last, n)",
        "Share of what the decoder reads in training that is the true sequence. The rest is what "
        "it would have written itself, drawn for each step (scheduled sampling, Bengio et al. "
        "2015), as a first pass over the true sequence tells (Mihaylova & Martins 2019). A tuple: "
        "the share falls evenly from the first to the last over n updates. With a solver that "
        "trains in minibatches.",
        part="network",
    )
    label_smoothing: float = parameter(
        0.0,
        [RATE],
        "float",
        "Share of the target distribution of a step that is spread evenly over the labels and the "
        "end. For labels alone.",
    )
    beam_width: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        "Beginnings kept of every sequence in a search for the likeliest one; None, like 1, takes "
        "the likeliest label of every step. For labels alone. May be changed after `fit`.",
    )
    length_penalty: float = parameter(
        1.0,
        [NON_NEGATIVE],
        "float",
        "α of a search with `beam_width`, which compares log-probabilities divided by "
        "((5 + n) / 6)^α for n labels, the end among them (Wu et al. 2016). 0 compares them as "
        "they are, which favours short sequences. May be changed after `fit`.",
    )
    max_target_length: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        "Labels at most of a sequence that is predicted. None: twice as many as the longest of the "
        "first `fit` has, and 10 more. May be changed after `fit`.",
    )
    learning_rate: Any = parameter(
        "adaptive",
        [StrOptions(set(SCHEDULES)), HasMethods(["get_params", "set_params"])],
        f"{SCHEDULE_NAMES} or schedule object",
        "How the learning rate changes over the epochs. A sequence is right only if all of it is, "
        "and the last errors go when the rate falls.",
    )
    device: str = parameter(
        "cpu",
        [StrOptions({"cpu", "reference"})],
        '{"cpu", "reference"}',
        'Where the arithmetic is done; "reference" is a slow NumPy implementation to check the '
        "other against. There is no encoder-decoder on a GPU.",
    )

    def _build_layers(self, *arguments: Any, **options: Any) -> list[Layer]:
        return build_encoder_decoder(*arguments, target_embedding_dim=self.embedding_dim, **options)

    # Reading.

    def _read_training(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        first: bool,
        classes: Any = None,
    ) -> tuple[Reader, Codec, Output, Examples]:
        X = spelled(X)
        estimator = self._told_of(X) if first else self
        read: tuple[Reader, Codec, Output, Examples] = super(
            EncoderDecoderLearning, estimator
        )._read_training(X, y, sample_weight, lengths, first=first, classes=classes)
        return read

    def _told_of(self, X: Any) -> EncoderDecoderLearning:
        """Return the estimator with parameters that say whether X holds tokens or numbers."""
        told = copy(self)
        is_text = self.inputs == "tokens" or (self.inputs == "auto" and holds_tokens(X))
        if is_text:
            told.categorical_features = "from_dtype" if _may_hold_labels(X) else None
            return told
        for name, usual in (("embedding_init", None), ("embedding_trainable", True)):
            value = getattr(self, name)
            if value is not usual:
                raise ValueError(
                    f"{name} must be {usual!r} where X holds numbers, got {value!r:.60}"
                )
        told.embedding_dim = None  # type: ignore[assignment]
        return told

    def _read_examples(
        self,
        reader: Reader,
        codec: Codec,
        output: Output,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        strict: bool = True,
    ) -> Examples:
        estimator = self
        if reader is getattr(self, "_reader", None):  # after the fit that learnt it
            estimator = copy(self)
            estimator.targets = self._built_with["targets"]
        examples: Examples = super(EncoderDecoderLearning, estimator)._read_examples(
            reader, codec, output, spelled(X), y, sample_weight, lengths, strict=strict
        )
        return examples

    def _read_new(self, X: Any, lengths: Any) -> tuple[Sequences, Form]:
        return super()._read_new(spelled(X), lengths)

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> WrittenTargets:
        return read_targets(y, len(sequences), self.targets)

    def _learn_codec(self, targets: WrittenTargets, classes: Any) -> Codec:
        pieces = targets.pieces
        lengths = [len(piece) for piece in pieces]
        if targets.are_numbers:
            widths = {piece.shape[1:] for piece in pieces}
            width = widths.pop() if widths else ()
            n_steps = lengths[0] if len(set(lengths)) == 1 else None
            return WrittenNumberLists(
                int(width[0]) if width else 1, bool(width), targets.is_dense, n_steps
            )
        whole = np.concatenate([piece for piece in pieces if len(piece)] or pieces)
        given = None if classes is None else list(classes)
        found = find_classes(whole, self, given, at_least=1)
        return WrittenLabelLists(found, targets.as_text, max(lengths))

    def _make_output(self, codec: Codec) -> Output:
        if self.teacher_forcing != 1 and isinstance(make_solver(self.solver), LBFGS):
            raise ValueError(
                "teacher_forcing must be 1.0 with solver='lbfgs', which minimizes one function, "
                f"got {self.teacher_forcing!r}"
            )
        if isinstance(codec, WrittenLabelLists):
            return WrittenLabels(codec.width, self.label_smoothing)
        entries = entries_of(type(self))
        for name in OF_LABELS:
            usual = entries[name][0]
            if getattr(self, name) != usual:
                raise ValueError(
                    f"{name} must be {usual!r} where y holds numbers, got {getattr(self, name)!r}"
                )
        return WrittenNumbers(codec.width)

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        if not isinstance(output, WrittenNumbers):
            return output
        if isinstance(last, WrittenNumbers):
            return replace(output, center=last.center, scale=last.scale)
        standardized: Output = output.standardized(examples.targets, examples.weights)
        return standardized

    def _check_classes(self, y: Any, classes: Any, *, first: bool) -> None:
        if first:
            if y is None:  # which is refused for what it is
                return
            if read_targets(y, len(y), self.targets).are_numbers:
                if classes is not None:
                    raise ValueError(
                        f"classes must be None where y holds numbers, got {classes!r:.60}"
                    )
                return
        super()._check_classes(y, classes, first=first)

    @property
    def n_outputs_(self) -> int:
        """The labels, or the numbers of a step, K."""
        self._need_fit()
        return self._codec.width

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        n_steps = None
        if isinstance(codec, WrittenNumberLists):
            n_steps = max(map(len, examples.targets))
        decisions = self._written(network, reader, codec, examples.sequences, n_steps)
        return codec.score(examples.targets, decisions, examples.weights)

    def _written(
        self, network: Network, reader: Reader, codec: Codec, sequences: Sequences, n_steps: Any
    ) -> np.ndarray:
        """Return what a network writes for sequences, as codes or numbers."""
        raise NotImplementedError


def _may_hold_labels(X: Any) -> bool:
    """Whether X may hold text, whose labels `fit` learns; whole numbers alone are ids."""
    if isinstance(X, Sequences):
        return X.categories is not None
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.dtype.kind in "USb"
    if hasattr(X, "dtypes") or hasattr(X, "schema"):
        return True
    items = X if isinstance(X, (list, tuple, np.ndarray)) else list(X)
    return not all(np.asarray(item).dtype.kind in "iu" for item in items if not _is_empty(item))


def _is_empty(item: Any) -> bool:
    return hasattr(item, "__len__") and len(item) == 0
