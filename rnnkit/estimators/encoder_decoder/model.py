"""Encoder-decoders: what they predict, how likely it is, and what they attended to.

Letters: N sequences, T steps read, U steps written, K labels, or numbers of a step.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.estimators.applying import apply, bounded_batches, refuse_long_sequences
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import answers
from rnnkit.estimators.encoder_decoder.codecs import WrittenLabelLists, WrittenNumberLists
from rnnkit.estimators.encoder_decoder.learning import OF_SEARCH, EncoderDecoderLearning
from rnnkit.estimators.parameters.checks import check_each_of
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameters
from rnnkit.estimators.parameters.network import GRUParameters, LSTMParameters, RNNParameters
from rnnkit.estimators.reader import Reader
from rnnkit.network import BoundEncoderDecoder, Network
from rnnkit.network.search import Search
from rnnkit.sequences import Plan, Sequences

__all__ = [
    "GRUEncoderDecoder",
    "LSTMEncoderDecoder",
    "RNNEncoderDecoder",
    "RecurrentEncoderDecoder",
]


@parameters
class RecurrentEncoderDecoder(EncoderDecoderLearning):
    """What writes a sequence of another length for every sequence, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "X and y hold numbers or tokens, as long as they like. y of labels may be lists, "
            "arrays, or strings, whose characters are the labels; `predict` gives strings where y "
            "held strings. `score` is the share of sequences that are right as a whole, or R² of "
            "numbers; in a search, leave `scoring` at None or pass "
            "`rnnkit.metrics.label_error_rate_scorer`."
        ),
        notes=(
            "an encoder of such layers reads X, and a decoder of as many, which begins with its "
            "last states, writes y step by step: what it wrote before is what it reads next. In "
            "training that is the true y (teacher forcing), so that all steps are computed in one "
            "call. With attention the state h behind the last layer is compared with all states "
            "of the encoder, ``c = Σ softmax(e) s``, and ``tanh(C [c, h] + d)`` is scored in its "
            "place (Luong, Pham & Manning 2015); what was attended to is not fed back. The loss "
            "is in nats per sequence of labels, its end among them, or half the squared error of "
            "standardized numbers, summed over the steps. How many numbers are written is as in "
            "`fit` where all sequences had equally many, and `n_steps` otherwise. Sutskever, "
            "Vinyals & Le (2014), Cho et al. (2014) and Bahdanau, Cho & Bengio (2015) introduced "
            "such networks."
        ),
        example="""
>>> from rnnkit import {name}
>>> X = ["ab", "ba", "aab", "bba", "a", "b"]
>>> y = [text[::-1] for text in X]
>>> model = {name}(16, learning_rate_init=0.02, max_iter=60, learning_rate="linear",
...                random_state=0).fit(X, y)
>>> model.predict(["aab", "b"]).tolist()
['baa', 'b']
""",
    )

    @answers
    def predict(self, X: Any, lengths: Any = None, n_steps: int | None = None) -> Any:
        """Write a sequence for every sequence.

        Parameters
        ----------
        X : array-like, data frame, list of arrays, lists or strings, or Sequences
            As in `fit`; T may differ.
        lengths : array-like of shape (N,), default=None
            As in `fit`.
        n_steps : int, default=None
            How many numbers are written, where y held numbers; None: as many as in `fit`, where
            all of its sequences had equally many.

        Returns
        -------
        ndarray of shape (N,), object
            Arrays of labels, or strings where y held strings; arrays (U,) or (U, K) of numbers.
            Where y was one array of numbers, so is what is returned: (N, U) or (N, U, K).

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or `n_steps` is missing, or given for labels; or if a
            parameter of the search was set to what `fit` refuses.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        codec = self._codec
        if isinstance(codec, WrittenLabelLists):
            if n_steps is not None:
                raise ValueError(
                    "n_steps must be None where y holds labels, whose end is learned, got "
                    f"{n_steps!r}"
                )
        elif n_steps is None:
            assert isinstance(codec, WrittenNumberLists)
            n_steps = codec.n_steps
            if n_steps is None:
                raise ValueError(
                    "n_steps must be given: the targets of fit were numbers of different lengths"
                )
        elif isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
            raise ValueError(f"n_steps must be an integer of at least 1, got {n_steps!r}")
        return codec.decode(self._written(self.network_, self._reader, codec, sequences, n_steps))

    @answers
    def score_samples(self, X: Any, y: Any, lengths: Any = None) -> np.ndarray:
        """Return the log-probability of every sequence of labels, its end among them.

        Parameters
        ----------
        X, y, lengths
            As in `fit`. A label never seen in `fit` has the probability 0.

        Returns
        -------
        ndarray of shape (N,), float64
            In nats.

        Raises
        ------
        AttributeError
            If y held numbers.
        ValueError, TypeError
            If X or y is not as in `fit`.
        """
        check_is_fitted(self)
        if not isinstance(self._codec, WrittenLabelLists):
            raise AttributeError(f"this {type(self).__name__} writes numbers, which have no share")
        examples = self._read_examples(
            self._reader, self._codec, self.network_.output, X, y, None, lengths, strict=False
        )
        targets = examples.targets
        impossible = np.array([(target < 0).any() for target in targets])
        known = np.empty(len(targets), dtype=object)
        for i, target in enumerate(targets):
            known[i] = np.maximum(target, 0)
        found = self._beside(
            examples.sequences,
            known,
            lambda bound, plan, states, held: bound.log_probabilities(plan, states, held),
        )
        return np.where(impossible, -np.inf, found.astype(np.float64))

    @answers
    def attention_weights(self, X: Any, y: Any = None, lengths: Any = None) -> np.ndarray:
        """Return how much every step written attended to every step read.

        Parameters
        ----------
        X : array-like, data frame, list of arrays, lists or strings, or Sequences
            As in `fit`.
        y : array-like, default=None
            What is written, as in `fit`; None: what `predict` writes.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N,), object
            Arrays (U_i, T_i), whose rows sum to 1.

        Raises
        ------
        AttributeError
            If the network has no attention.
        ValueError, TypeError
            If X or y is not as in `fit`, or y holds a label that `fit` did not see.
        """
        check_is_fitted(self)
        network: Any = self.network_
        if network.writer.attention is None:
            raise AttributeError(f"this {type(self).__name__} has no attention")
        if y is None:
            sequences, _ = self._read_new(X, lengths)
            codec: Any = self._codec
            n_steps = getattr(codec, "n_steps", None)
            if isinstance(codec, WrittenNumberLists) and n_steps is None:
                raise ValueError(
                    "y must be given: the targets of fit were numbers of different lengths"
                )
            written = self._written(network, self._reader, codec, sequences, n_steps)
        else:
            examples = self._read_examples(
                self._reader, self._codec, network.output, X, y, None, lengths
            )
            sequences, written = examples.sequences, examples.targets
        targets = network.output.to_scores(written)
        return self._beside(
            sequences,
            targets,
            lambda bound, plan, states, held: bound.attention_to(plan, states, held),
        )

    def stream(self, n_sequences: int | None = None) -> Any:
        """Raise ValueError: nothing is written before all of a sequence was read."""
        raise ValueError(
            f"{type(self).__name__} has no stream: it writes once it has read the whole sequence"
        )

    def _written(
        self, network: Network, reader: Reader, codec: Codec, sequences: Sequences, n_steps: Any
    ) -> np.ndarray:
        check_each_of(self, OF_SEARCH)
        if isinstance(codec, WrittenLabelLists):
            most = self.max_target_length
            n_steps = 2 * codec.longest + 10 if most is None else most
        search = Search(int(n_steps), self.beam_width or 1, float(self.length_penalty))

        def write(bound: Any, plan: Plan, x: Any) -> np.ndarray:
            written: np.ndarray = bound.write(plan, bound.forward(plan, x), search)
            return written

        inputs = reader.inputs(sequences)
        return apply(
            network, self.device, inputs, sequences.offsets, write, per_step=False, few_calls=True
        )

    def _beside(
        self,
        sequences: Sequences,
        targets: np.ndarray,
        operation: Callable[[BoundEncoderDecoder, Plan, Any, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Run what looks at sequences beside their targets; return an answer for each (N,)."""
        network = self.network_
        backend = get_backend(self.device, fall_back=True)
        inputs = self._reader.inputs(sequences)
        found = np.empty(len(sequences), dtype=object)
        refuse_long_sequences(network, sequences.offsets, backend)
        bound: Any = network.bind(backend, constant=True)
        for batch in bounded_batches(network, sequences.offsets):
            states = bound.forward(batch.plan, inputs.take(batch.rows))
            found[batch.sequences] = operation(bound, batch.plan, states, targets[batch.sequences])
        return found


@recurrent_estimator
class RNNEncoderDecoder(RNNParameters, RecurrentEncoderDecoder):
    """Write a sequence for a sequence with two simple (Elman) recurrent networks."""


@recurrent_estimator
class LSTMEncoderDecoder(LSTMParameters, RecurrentEncoderDecoder):
    """Write a sequence for a sequence with two long short-term memory networks."""


@recurrent_estimator
class GRUEncoderDecoder(GRUParameters, RecurrentEncoderDecoder):
    """Write a sequence for a sequence with two networks of gated recurrent units."""
