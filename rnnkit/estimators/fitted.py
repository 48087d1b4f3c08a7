"""What a fitted estimator answers from what it learnt: predictions, scores, a look inside.

Three attributes hold all of that: `_reader` what X is like, `_codec` what y is like, `network_`
the weights. Constructor parameters are not looked at, except where to compute.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, H hidden units,
D directions, K outputs.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends.interface import Array
from rnnkit.cells import CELLS
from rnnkit.documentation import Documented
from rnnkit.estimators.applying import Operation, apply
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import answers
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.hints import hint_at_padding
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.stream import Stream
from rnnkit.estimators.targets import read_weights, require_targets
from rnnkit.estimators.transaction import at_this_moment, turn_of
from rnnkit.estimators.unlabelled import fill, refuse_unlabelled
from rnnkit.network import UNKNOWN, BoundNetwork, Inputs, Network, Output
from rnnkit.network.building import build_layers
from rnnkit.network.quantizing import is_quantized
from rnnkit.sequences import Form, Plan, Sequences
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.training import Trainer, TrainingState

__all__ = ["FittedEstimator"]


class FittedEstimator(Documented, BaseEstimator):
    """The side of an estimator that works once it is fitted.

    A task adds how y is laid out: `_read_targets`.
    """

    _cell: ClassVar[str]
    _per_step: ClassVar[bool] = False
    _scales_inside: ClassVar[bool] = False  # X, to the unit of each feature in `fit`
    _writes_steps: ClassVar[bool] = False  # as many as it reads, though it answers per sequence
    _build_layers: ClassVar[Any] = staticmethod(build_layers)  # of the network

    device: str

    _reader: Reader
    _codec: Codec
    network_: Network

    # What `partial_fit` goes on from: its trainer, or after pickling where that stood, and the
    # parameters of the last call.
    _trainer: Trainer
    _training_state: TrainingState
    _trained_with: dict[str, Any]
    # The parameters when the weights were made.
    _built_with: dict[str, Any]

    # What a task defines.

    def _read_targets(self, y: Any, sequences: Sequences, form: Form, ignore_label: Any) -> Any:
        """Return y laid out flat: an entry per sequence, or per step of all sequences.

        `ignore_label` says there that a step is not labelled.
        """
        raise NotImplementedError

    # What a fit learnt.

    def _need_fit(self) -> None:
        """Raise AttributeError, which lets `hasattr` answer, if there was no fit yet."""
        if not hasattr(self, "network_"):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet; call fit first")

    @property
    def n_features_in_(self) -> int:
        """Columns of a two-dimensional X, otherwise features I per step."""
        self._need_fit()
        return self._reader.n_features

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Column names, if X was a frame, a list of frames, or `Sequences` of one."""
        self._need_fit()
        if self._reader.feature_names is None:
            raise AttributeError("X had no column names in fit")
        return np.array(self._reader.feature_names, dtype=object)

    @property
    def n_outputs_(self) -> int:
        """Outputs K."""
        self._need_fit()
        return self.network_.output.width

    @property
    def weights_(self) -> dict[str, np.ndarray]:
        """Every weight of the network by its name; views, not copies."""
        check_is_fitted(self)
        return dict(self.network_.parameters)

    # Reading more data like those of `fit`.

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
        """Read data like those of `fit`; unless `strict`, labels may be new."""
        self._refuse_no_targets(y)
        sequences, form = reader.read(self, X, lengths)
        hint_at_padding(reader.padded_steps, form, lengths, stacklevel=5)
        targets = self._targets_of(sequences, form, y, sample_weight, codec.ignore_label)
        return self._make_examples(
            codec, output, sequences, form, targets, sample_weight, strict=strict
        )

    def _targets_of(
        self, sequences: Sequences, form: Form, y: Any, sample_weight: Any, ignore_label: Any
    ) -> Any:
        """Return y laid out flat, if y and weights belong to the sequences in their order."""
        refuse_other_ids(sequences, y, "y")
        refuse_other_ids(sequences, sample_weight, "sample_weight")
        return self._read_targets(y, sequences, form, ignore_label)

    def _refuse_no_targets(self, y: Any) -> None:
        require_targets(y, self)

    def _make_examples(
        self,
        codec: Codec,
        output: Output,
        sequences: Sequences,
        form: Form,
        targets: Any,
        sample_weight: Any,
        *,
        strict: bool = True,
    ) -> Examples:
        targets_per_step = self._per_step and not output.targets_per_sequence
        weights_per_step = self._per_step and not output.weights_per_sequence
        weights = read_weights(sample_weight, sequences, form, per_step=weights_per_step)
        labelled = codec.labelled(targets) if targets_per_step else None
        if labelled is not None:
            targets = fill(targets, labelled)
        encoded = codec.encode(targets, strict=strict)
        if labelled is not None and output.sums_over_unknown:
            encoded[~labelled] = UNKNOWN
        if strict:
            output.check(encoded, sequences.lengths)
        examples = Examples(
            sequences, encoded, weights, targets_per_step, weights_per_step, labelled
        )
        if labelled is not None:
            refuse_unlabelled(examples.weights_of_targets, every_column=strict)
        return examples

    # Computing with the trained network.

    def _apply(self, sequences: Sequences, operation: Operation, *, per_step: bool) -> np.ndarray:
        """Run an operation of the trained network over sequences, as `apply` does."""
        inputs = self._reader.inputs(sequences)
        return apply(
            self.network_, self.device, inputs, sequences.offsets, operation, per_step=per_step
        )

    @answers
    def predict(self, X: Any, lengths: Any = None) -> Any:
        """Predict the targets of sequences.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; T may differ where X is not two-dimensional.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N,) or (N, K)
            One prediction per sequence. An estimator that answers per step returns (N, T) or
            (N, T, K) for a dense X, with the dtype's zero beyond a sequence's length. For any
            other X it returns an object array of N arrays (T_i,), or where there are several
            outputs arrays (T_i, K) in a list, an object array or `Sequences`, as X is. Several
            quantiles are one more axis, the last.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        decisions = self._decide(self.network_, self._reader, sequences)
        predictions = self._codec.decode(decisions)
        if not self.network_.targets_per_step:
            return predictions
        return form.restore(predictions, sequences.offsets)

    @answers
    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """Score predictions, over real steps alone; the more, the better.

        One label a sequence or step: the share of right ones. Several yes-or-no labels: the share
        of sequences whose labels are all right, or of right labels at the steps. Label sequences:
        one minus the edit distance per true label of a labeller, the share of sequences right as
        a whole of an encoder-decoder. Numbers: R²; several quantiles the mean of their D², the
        share of the pinball loss of the best constants that is gone.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`. A label never seen in `fit` counts as wrong.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        check_is_fitted(self)
        reader, codec = self._reader, self._codec
        examples = self._read_examples(
            reader, codec, self.network_.output, X, y, sample_weight, lengths, strict=False
        )
        return self._score_examples(self.network_, reader, codec, examples)

    def _read_new(self, X: Any, lengths: Any) -> tuple[Sequences, Form]:
        """Read X at predict time; a sequence without steps has an answer per step: none."""
        sequences, form = self._reader.read(self, X, lengths, allow_empty=self._per_step)
        hint_at_padding(self._reader.padded_steps, form, lengths, stacklevel=5)
        return sequences, form

    def _decision(self, bound: BoundNetwork, plan: Plan, scores: Array) -> Array:
        """Return what the output object decides about raw scores."""
        return bound.decision(plan, scores)

    def _decide(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        return apply(
            network,
            self.device,
            reader.inputs(sequences),
            sequences.offsets,
            lambda bound, plan, x: self._decision(bound, plan, bound.forward(plan, x)),
            per_step=network.targets_per_step,
        )

    def _probabilities(self, sequences: Sequences) -> np.ndarray:
        return self._apply(
            sequences,
            lambda bound, plan, x: bound.probabilities(plan, bound.forward(plan, x)),
            per_step=self._per_step,
        )

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        decisions = self._decide(network, reader, examples.sequences)
        return codec.score(examples.targets, decisions, examples.weights_of_targets)

    @answers
    def hidden_states(self, X: Any, layer: int = -1, lengths: Any = None) -> Any:
        """Return the hidden states of a recurrent layer after every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        layer : int, default=-1
            Which recurrent layer, counted from 0; -1 is the last.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T, D·H), list, object array or Sequences
            In the form of X with D·H features; zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        states = self._apply(
            sequences,
            lambda bound, plan, x: bound.hidden_states(plan, x, layer),
            per_step=True,
        )
        return form.restore(states, sequences.offsets)

    @answers
    def gate_activations(self, X: Any, layer: int = 0, lengths: Any = None) -> dict[str, Any]:
        """Return the activations of every gate of a recurrent layer at every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        layer : int, default=0
            Which recurrent layer, counted from 0; -1 is the last.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        dict of str to ndarray, list, object array or Sequences
            Gate → activations, each in the form of `hidden_states`. The gates are "i", "f",
            "g", "o" (LSTM), "r", "z", "n" (GRU) or "a" (RNN).

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        gates = CELLS[self._built_with.get("cell", self._cell)].gates

        def stacked(bound: BoundNetwork, plan: Plan, x: Inputs) -> np.ndarray:
            activations = bound.gate_activations(plan, x, layer)
            return np.stack([bound.backend.download(activations[gate]) for gate in gates], axis=1)

        values = self._apply(sequences, stacked, per_step=True)
        return {
            gate: form.restore(values[:, position], sequences.offsets)
            for position, gate in enumerate(gates)
        }

    def stream(self, n_sequences: int | None = None) -> Stream:
        """Return an object that takes a sequence, or n of them, step by step.

        Parameters
        ----------
        n_sequences : int, default=None
            n, how many sequences take each step together; None: one, whose steps have no
            dimension for it.

        Returns
        -------
        Stream
            See `rnnkit.estimators.stream.Stream`; several streams of one estimator do not
            disturb each other.

        Raises
        ------
        TypeError, ValueError
            If the network reads sequences backwards too, or scores them only as a whole; if
            `n_sequences` is no integer of at least 1.
        """
        check_is_fitted(self)
        return Stream(at_this_moment(self), n_sequences)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        text: str = super().__repr__(N_CHAR_MAX)
        return f"quantize({text})" if self._is_quantized else text

    @property
    def _is_quantized(self) -> bool:
        network = self.__dict__.get("network_")
        return network is not None and is_quantized(network)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_trainer" in state:
            with turn_of(self):  # nobody trains meanwhile, and all is of one moment
                state = dict(super().__getstate__())
                trainer = state.pop("_trainer", None)
                if trainer is not None:
                    state["_training_state"] = trainer.state()
        return {**state, "_rnnkit_version": _installed_version()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        pickled, present = state.pop("_rnnkit_version", None), _installed_version()
        if pickled != present:
            warnings.warn(
                f"{type(self).__name__} was pickled with rnnkit {pickled} and is loaded with "
                f"{present}; rnnkit.save writes files that later versions load",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)


@cache
def _installed_version() -> str:
    try:
        return version("rnnkit")
    except PackageNotFoundError:  # a source tree on the path
        return "that is not installed"
