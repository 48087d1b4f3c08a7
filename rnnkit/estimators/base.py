"""What every recurrent estimator shares: parameters, the life of a fit, prediction in batches.

A class here is a dataclass whose fields are its constructor parameters: the constructor that
scikit-learn inspects is generated from them, keeps each argument and does nothing else.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, H hidden units,
D directions, K outputs.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any, ClassVar, dataclass_transform

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Backend
from rnnkit.cells import CELLS, LayerSpec
from rnnkit.estimators.constraints import check_parameters, read_activation
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.inputs import InputForm, read_sequences, read_weights
from rnnkit.estimators.parameters_doc import describe
from rnnkit.estimators.stream import Stream
from rnnkit.network import (
    BoundNetwork,
    CharacterEncoder,
    Embedding,
    Inputs,
    Network,
    Output,
    build_network,
)
from rnnkit.network.tokens import unknown_rates
from rnnkit.sequences import Batch, Plan, Sequences, batch_of, restore_form
from rnnkit.training import (
    LBFGS,
    Cosine,
    FitResult,
    Linear,
    PrintProgress,
    Trainer,
    TrainingData,
    make_schedule,
    make_solver,
)
from rnnkit.training.objective import bytes_per_row

__all__ = [
    "GRUParameters",
    "LSTMParameters",
    "RNNParameters",
    "RecurrentEstimator",
    "bounded_batches",
    "parameters",
    "recurrent_estimator",
    "trains_in_minibatches",
]

ROWS_AT_ONCE = 2**15  # steps of a batch at predict time, so that memory stays bounded

AUTO_BATCH_SIZE = 64  # sequences

parameters = dataclass(kw_only=True, eq=False, repr=False)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
def recurrent_estimator(cls: Any) -> Any:
    """Give an estimator class the constructor of its fields and its complete docstring."""
    cls = parameters(cls)
    cls.__doc__ = describe(cls, cls._attributes)
    return cls


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Give the estimator its attributes back if the body raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@parameters
class RNNParameters:
    """What an Elman network takes beside the parameters of every cell: nothing."""

    _cell: ClassVar[str] = "rnn"


@parameters
class LSTMParameters:
    """What long short-term memory takes beside the parameters of every cell."""

    _cell: ClassVar[str] = "lstm"
    gate_activation: Any = "sigmoid"
    peephole: bool = False
    coupled_gates: bool = False
    forget_bias: float = 1.0
    gate_bias: Any = None


@parameters
class GRUParameters:
    """What gated recurrent units take beside the parameters of every cell."""

    _cell: ClassVar[str] = "gru"
    gate_activation: Any = "sigmoid"
    reset: str = "after"
    gate_bias: Any = None


# What an estimator hands on to `build_network` by name, if it has it.
_NETWORK_OPTIONS = (
    "hidden_size",
    "n_layers",
    "bidirectional",
    "peephole",
    "coupled_gates",
    "cell_clip",
    "reset",
    "layer_norm",
    "zoneout",
    "precision",
    "forget_bias",
    "gate_bias",
    "pooling",
    "dropout",
    "input_dropout",
    "recurrent_dropout",
    "input_noise",
)


def trains_in_minibatches(estimator: Any) -> bool:
    if isinstance(make_solver(estimator.solver), LBFGS):
        raise AttributeError("partial_fit needs a solver that trains in minibatches, not lbfgs")
    return True


@parameters
class RecurrentEstimator(BaseEstimator):
    """Parameters and behaviour that every task and every cell share.

    A task adds how y is read (`_read_targets`), which output object the network ends in
    (`_make_output`), and how decisions are scored (`_score_decisions`).
    """

    _cell: ClassVar[str]
    _per_step: ClassVar[bool] = False
    _attributes: ClassVar[tuple[str, ...]] = (
        "network_",
        "weights_",
        "n_features_in_",
        "feature_names_in_",
        "n_outputs_",
        "n_iter_",
        "t_",
        "loss_",
        "best_loss_",
        "loss_curve_",
        "validation_scores_",
        "best_validation_score_",
    )

    hidden_size: int = field(default=64, kw_only=False)
    n_layers: int = 1
    bidirectional: bool = False
    step_features: int = 1
    embedding_dim: Any = None
    n_tokens: Any = None
    token_dropout: float = 0.0
    spelling_columns: int = 0
    character_dim: int = 16
    character_hidden_size: int = 32
    activation: Any = "tanh"
    cell_clip: float | None = None
    layer_norm: bool = False
    zoneout: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    input_noise: float = 0.0
    solver: Any = "adam"
    learning_rate_init: float = 1e-3
    learning_rate: Any = "constant"
    alpha: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    bptt_steps: int | None = None
    batch_size: Any = "auto"
    max_iter: int = 150
    shuffle: bool = True
    tol: float = 1e-4
    n_iter_no_change: int = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    warm_start: bool = False
    precision: str = "full"
    device: str = "cpu"
    random_state: Any = None
    verbose: Any = 0

    # What a task defines.

    def _make_output(self) -> Output:
        """Return the output object, after `_read_targets` has seen y."""
        raise NotImplementedError

    def _read_targets(
        self, y: Any, sequences: Sequences, form: InputForm, *, first: bool, strict: bool
    ) -> np.ndarray:
        """Encode y for the output object; with `first`, learn from it what there is to encode.

        Otherwise a label never seen is an error with `strict`, and encoded as -1 without.
        """
        raise NotImplementedError

    def _present(self, decisions: np.ndarray) -> np.ndarray:
        """Turn decisions of the output object into what the user predicts."""
        raise NotImplementedError

    def _score_decisions(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Score what the output object decided against encoded targets; larger is better."""
        raise NotImplementedError

    def _output_bias(self, examples: Examples) -> Any:
        """Return the raw scores that a prediction starts from before anything is learned."""
        return 0.0

    def _class_weights(self, targets: np.ndarray) -> np.ndarray | None:
        """Return a weight for every target, or None for ones."""
        return None

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        """Return the labels by which a validation split is stratified, or None."""
        return None

    # Fitting.

    @takes_device_arrays
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation_data: Any = None,
        lengths: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            A 3-D array (N, T, I); a 2-D array or frame (N, T·I); a list, tuple or 1-D object
            array of arrays (T_i, I) or (T_i,); or `rnnkit.Sequences`.
        y : array-like
            One target per sequence, or one per step where the estimator answers per step.
        sample_weight : array-like of shape (N,), default=None
            Weight of every sequence in the loss; per step too where targets are per step.
        validation_data : tuple (X_val, y_val), default=None
            Data whose score decides when to stop, in place of the part of the training data
            that `early_stopping` would set aside.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X; what lies beyond is never looked at.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or another argument is not what is allowed. The estimator
            stays as it was.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs did not suffice, or the loss stopped being finite.
        """
        check_parameters(self)
        with unchanged_on_error(self):
            self._fit(X, y, sample_weight, validation_data, lengths)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any, lengths: Any) -> None:
        backend = get_backend(self.device)
        first = not (self.warm_start and hasattr(self, "network_"))
        examples = self._read_examples(X, y, sample_weight, lengths, first=first)
        validation = self._read_validation(validation_data)
        rng = check_random_state(self.random_state)
        network = self._start_network(examples, rng, first=first)
        if validation is None and self.early_stopping:
            examples, validation = self._split(examples, rng)
        with backend.active(give_back=True):
            result = self._train(network, backend, examples, validation, rng)
        self.__dict__.pop("_trainer", None)
        if first:
            self._forget_curves()
        self._record(network, result, len(examples))
        self._warn(result)

    def _train(
        self,
        network: Network,
        backend: Backend,
        examples: Examples,
        validation: Examples | None,
        rng: np.random.RandomState,
    ) -> FitResult:
        trainer = self._make_trainer(network, backend, len(examples), rng)
        validate = None
        if validation is not None:
            validate = lambda: self._score_examples(network, validation)
        return trainer.fit(self._training_data(examples, network), self.max_iter, validate)

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Any:
        """Train for one more epoch on the given data.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`, and with `early_stopping`. The estimator stays as it was.
        """
        return self._partial_fit(X, y, sample_weight, lengths)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, lengths: Any) -> Any:
        check_parameters(self)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        with unchanged_on_error(self):
            backend = get_backend(self.device)
            first = not hasattr(self, "network_")
            examples = self._read_examples(X, y, sample_weight, lengths, first=first)
            if first or not self._can_go_on():
                rng = check_random_state(self.random_state)
                network = self._start_network(examples, rng, first=first)
                with backend.active():
                    self._trainer = self._make_trainer(network, backend, len(examples), rng)
                self._trained_with = self.get_params(deep=False)
            network = self._trainer.network
            data = self._training_data(examples, network)
            with self._trainer.backend.active():
                result = self._trainer.fit(data, 1, schedule_epochs=self.max_iter)
            if first:
                self._forget_curves()
            self._record(network, result, len(examples))
            if result.reason != "max_iter":
                self._warn(result)
        return self

    def _can_go_on(self) -> bool:
        """Whether the trainer of the last `partial_fit` is there and nothing changed since."""
        trainer = getattr(self, "_trainer", None)
        return (
            trainer is not None
            and trainer.network is self.network_
            and self._trained_with == self.get_params(deep=False)
        )

    def _read_examples(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        first: bool,
        strict: bool = True,
    ) -> Examples:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        sequences, form = read_sequences(self, X, lengths, reset=first)
        targets = self._read_targets(y, sequences, form, first=first, strict=strict)
        output = self._make_output()
        if first and self.embedding_dim is not None:
            self._n_tokens = self._count_tokens(sequences)
        targets_per_step = self._per_step and not output.targets_per_sequence
        weights_per_step = self._per_step and not output.weights_per_sequence
        weights = read_weights(sample_weight, sequences, form, per_step=weights_per_step)
        return Examples(sequences, targets, weights, targets_per_step, weights_per_step)

    def _read_validation(self, validation_data: Any) -> Examples | None:
        if validation_data is None:
            return None
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError(
                "validation_data must be a tuple (X_val, y_val), "
                f"got {type(validation_data).__name__}"
            )
        X, y = validation_data
        return self._read_examples(X, y, None, None, first=False, strict=False)

    def _split(self, examples: Examples, rng: np.random.RandomState) -> tuple[Examples, Examples]:
        train, test = train_test_split(
            np.arange(len(examples)),
            test_size=self.validation_fraction,
            random_state=rng,
            stratify=self._strata(examples.targets),
        )
        if len(test) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} of {len(examples)} sequences "
                "leaves fewer than 2 for validation; increase it or give validation_data"
            )
        return examples.take(train), examples.take(test)

    def _start_network(
        self, examples: Examples, rng: np.random.RandomState, *, first: bool
    ) -> Network:
        """Build the network and draw its weights, or copy those of the last fit."""
        network = self._build_network(examples, first=first)
        if first:
            network.initialize(rng)
            return network
        if network.parameters.shapes != self.network_.parameters.shapes:
            raise ValueError(
                f"{type(self).__name__} cannot go on training with other weights: a parameter "
                "that decides their shapes changed since the last fit"
            )
        network.parameters.flat[:] = self.network_.parameters.flat
        return network

    def _build_network(self, examples: Examples, *, first: bool) -> Network:
        n_inputs, tokens, dtype = self._n_step_features, None, examples.sequences.dtype
        if self.embedding_dim is not None:
            n_inputs, tokens, dtype = (
                0,
                self._token_layers(examples.sequences),
                np.dtype(np.float32),
            )
        if self.precision == "bf16":
            dtype = np.dtype(np.float32)
        if not first:
            dtype = self.network_.dtype
        self._check_memory(n_inputs, dtype)
        options = {name: getattr(self, name) for name in _NETWORK_OPTIONS if hasattr(self, name)}
        for name in ("activation", "gate_activation"):
            if hasattr(self, name):
                options[name] = read_activation(getattr(self, name), name)
        return build_network(
            self._cell,
            n_inputs,
            self._make_output(),
            per_step=self._per_step,
            longest=int(examples.sequences.lengths.max()),
            output_bias=self._output_bias(examples),
            tokens=tokens,
            dtype=dtype,
            **options,
        )

    def _count_tokens(self, sequences: Sequences) -> tuple[int, ...]:
        """Return the number of ids of every column, those of the spelling alike."""
        largest = sequences.values.max(axis=0)
        given = self._one_for_each("n_tokens", len(largest), "column of ids")
        counts = [
            int(found) + 1 if count is None else int(count) for count, found in zip(given, largest)
        ]
        if self.spelling_columns > len(counts):
            raise ValueError(
                f"spelling_columns={self.spelling_columns!r} exceeds the {len(counts)} columns of X"
            )
        first = len(counts) - self.spelling_columns
        return (*counts[:first], *[max(counts[first:], default=0)] * self.spelling_columns)

    def _one_for_each(self, name: str, n: int, noun: str) -> tuple[Any, ...]:
        """Return a parameter that is one number, or one for each of n things, as the latter."""
        value = getattr(self, name)
        values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
        if len(values) != n:
            raise ValueError(
                f"{name} must be one number or {n}, one for each {noun}, got {value!r}"
            )
        return values

    def _token_layers(self, sequences: Sequences) -> list[Embedding | CharacterEncoder]:
        """Return what turns columns of ids into features: tables, and a reader of spellings."""
        n_tables = len(self._n_tokens) - self.spelling_columns
        layers: list[Embedding | CharacterEncoder] = []
        if n_tables:
            widths = self._one_for_each("embedding_dim", n_tables, "column of ids")
            rates = self._unknown_rates(sequences, n_tables)
            layers.append(Embedding(self._n_tokens[:n_tables], widths, unknown_rates=rates))
        if self.spelling_columns:
            layers.append(
                CharacterEncoder(
                    self._n_tokens[-1],
                    self.character_dim,
                    self.character_hidden_size,
                    (n_tables, len(self._n_tokens)),
                    self._cell,
                )
            )
        return layers

    def _unknown_rates(self, sequences: Sequences, n_tables: int) -> list[np.ndarray] | None:
        if not self.token_dropout:
            return None
        columns = zip(sequences.values.T[:n_tables], self._n_tokens)
        return [
            unknown_rates(np.bincount(ids, minlength=n_tokens)[:n_tokens], self.token_dropout)
            for ids, n_tokens in columns
        ]

    def _check_memory(self, n_inputs: int, dtype: np.dtype) -> None:
        """Raise before memory is asked for that this machine does not have."""
        directions = 2 if self.bidirectional else 1
        shapes = LayerSpec(self._cell, max(n_inputs, 1), self.hidden_size).parameter_shapes()
        n_weights = self.n_layers * directions * sum(map(prod, shapes.values()))
        needed = n_weights * np.dtype(dtype).itemsize
        present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > present:
            raise MemoryError(
                f"hidden_size={self.hidden_size!r} needs {needed / 1e9:.3g} GB for the weights "
                f"alone; this machine has {present / 1e9:.3g} GB"
            )

    def _make_trainer(
        self, network: Network, backend: Backend, n_sequences: int, rng: np.random.RandomState
    ) -> Trainer:
        batch_size = AUTO_BATCH_SIZE if self.batch_size == "auto" else self.batch_size
        return Trainer(
            network,
            backend,
            self.solver,
            learning_rate_init=self.learning_rate_init,
            schedule=self.learning_rate,
            batch_size=min(batch_size, n_sequences),
            shuffle=self.shuffle,
            alpha=self.alpha,
            l1=self.l1,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            bptt_steps=self.bptt_steps,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            random_state=rng,
            callbacks=[PrintProgress()] if self.verbose else [],
        )

    def _training_data(self, examples: Examples, network: Network) -> TrainingData:
        weights = examples.weights
        class_weights = self._class_weights(examples.targets)
        if class_weights is not None:
            weights = class_weights if weights is None else weights * class_weights
        if weights is not None:
            weights = weights.astype(network.dtype)
        targets = examples.targets
        if targets.dtype.kind == "f":
            targets = targets.astype(network.dtype, copy=False)
        inputs = self._inputs(examples.sequences, network)
        return TrainingData(inputs, examples.sequences.offsets, targets, weights)

    def _inputs(self, sequences: Sequences, network: Network) -> Inputs:
        """Return the steps of sequences as a network takes them."""
        if self.embedding_dim is None:
            return Inputs(sequences.values.astype(network.dtype, copy=False))
        for column, n_tokens in enumerate(self._n_tokens):
            largest = sequences.values[:, column].max(initial=0)
            if largest >= n_tokens:
                raise ValueError(
                    f"X has the id {largest} in column {column}, but the embedding table has "
                    f"{n_tokens} ids; give n_tokens to make it larger"
                )
        return Inputs(tokens=sequences.values)

    def _forget_curves(self) -> None:
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        self.t_ = 0

    def _record(self, network: Network, result: FitResult, n_sequences: int) -> None:
        """Keep the network and what its training looked like."""
        self.network_ = network
        self.n_outputs_ = network.output.width
        self.n_iter_ = result.n_epochs
        self.t_ += result.n_epochs * n_sequences
        self.loss_curve_ = self.loss_curve_ + result.loss_curve
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.best_loss_: float | None = None
        if result.validation_scores is None:
            self.best_loss_ = min(self.loss_curve_, default=np.nan)
            self.best_validation_score_ = None
        else:
            scores = (self.validation_scores_ or []) + result.validation_scores
            self.validation_scores_ = scores
            self.best_validation_score_ = max(scores, default=np.nan)

    def _warn(self, result: FitResult) -> None:
        """Say why the training ended, where that is no success."""
        if result.reason == "interrupted":
            warnings.warn("Training interrupted by user.", stacklevel=5)
        planned = isinstance(make_schedule(self.learning_rate), (Linear, Cosine))
        if result.reason == "non_finite" or (result.reason == "max_iter" and not planned):
            warnings.warn(result.message, ConvergenceWarning, stacklevel=5)

    # Computing with the trained network.

    def _apply(
        self,
        network: Network,
        sequences: Sequences,
        operation: Callable[[BoundNetwork, Plan, Inputs], np.ndarray],
        *,
        per_step: bool,
    ) -> np.ndarray:
        """Run an operation over sequences in batches of bounded memory.

        `operation` takes the network bound for this call alone, a batch's plan and its packed
        inputs, and returns one row per packed row, or one per sequence. The rows come back in
        the order of `sequences`.
        """
        backend = get_backend(self.device, fall_back=True)
        inputs = self._inputs(sequences, network)
        result: Any = None
        with backend.active():
            bound = network.bind(backend)
            for batch in bounded_batches(network, sequences.offsets):
                rows = backend.download(operation(bound, batch.plan, inputs.take(batch.rows)))
                if result is None:
                    n_rows = int(sequences.offsets[-1]) if per_step else len(sequences)
                    result = np.empty((n_rows, *rows.shape[1:]), rows.dtype)
                result[batch.rows if per_step else batch.sequences] = rows
        return result

    @takes_device_arrays
    def predict(self, X: Any, lengths: Any = None) -> np.ndarray:
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
            (N, T, K) for a dense X, with the dtype's zero beyond a sequence's length, and an
            object array of N arrays for a ragged X.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        predictions = self._present(self._decide(self.network_, sequences))
        if not _decides_per_step(self.network_):
            return predictions
        return form.restore(predictions, sequences.offsets)

    @takes_device_arrays
    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """Score predictions: accuracy of labels, or R² of numbers, over real steps alone.

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
        examples = self._read_examples(X, y, sample_weight, lengths, first=False, strict=False)
        return self._score_examples(self.network_, examples)

    def _has_fixed_columns(self, n_columns: int) -> bool:
        """Whether a two-dimensional X must have the columns it had in `fit`.

        An estimator that answers per step takes rows of another length as more or fewer steps.
        """
        return self._fitted_on_rows and (not self._per_step or n_columns == self.n_features_in_)

    def _read_new(self, X: Any, lengths: Any) -> tuple[Sequences, InputForm]:
        """Read X at predict time; a sequence without steps has an answer per step: none."""
        return read_sequences(self, X, lengths, reset=False, allow_empty=self._per_step)

    def _decision(self, bound: BoundNetwork, plan: Plan, scores: Any) -> np.ndarray:
        """Return what the output object decides about raw scores."""
        return bound.decision(plan, scores)

    def _decide(self, network: Network, sequences: Sequences) -> np.ndarray:
        return self._apply(
            network,
            sequences,
            lambda bound, plan, x: self._decision(bound, plan, bound.forward(plan, x)),
            per_step=_decides_per_step(network),
        )

    def _probabilities(self, sequences: Sequences) -> np.ndarray:
        return self._apply(
            self.network_,
            sequences,
            lambda bound, plan, x: bound.probabilities(plan, bound.forward(plan, x)),
            per_step=self._per_step,
        )

    def _score_examples(self, network: Network, examples: Examples) -> float:
        decisions = self._decide(network, examples.sequences)
        return self._score_decisions(examples.targets, decisions, examples.weights)

    @property
    def weights_(self) -> dict[str, np.ndarray]:
        """Every weight of the network by its name; views, not copies."""
        check_is_fitted(self)
        return dict(self.network_.parameters)

    @takes_device_arrays
    def hidden_states(self, X: Any, layer: int = -1, lengths: Any = None) -> np.ndarray:
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
        ndarray of shape (N, T, D·H), or in the form of a ragged X with D·H features
            Zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        check_is_fitted(self)
        sequences, _ = read_sequences(self, X, lengths, reset=False)
        states = self._apply(
            self.network_,
            sequences,
            lambda bound, plan, x: bound.hidden_states(plan, x, layer),
            per_step=True,
        )
        return restore_form(X, states, sequences.offsets)

    @takes_device_arrays
    def gate_activations(
        self, X: Any, layer: int = 0, lengths: Any = None
    ) -> dict[str, np.ndarray]:
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
        dict of str to ndarray
            Gate → activations, each in the form of `hidden_states`. The gates are "i", "f",
            "g", "o" (LSTM), "r", "z", "n" (GRU) or "a" (RNN).

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        check_is_fitted(self)
        sequences, _ = read_sequences(self, X, lengths, reset=False)
        gates = CELLS[self._cell].gates

        def stacked(bound: BoundNetwork, plan: Plan, x: Inputs) -> np.ndarray:
            activations = bound.gate_activations(plan, x, layer)
            return np.stack([bound.backend.download(activations[gate]) for gate in gates], axis=1)

        values = self._apply(self.network_, sequences, stacked, per_step=True)
        return {
            gate: restore_form(X, values[:, position], sequences.offsets)
            for position, gate in enumerate(gates)
        }

    def stream(self) -> Stream:
        """Return an object that takes a sequence step by step.

        Returns
        -------
        Stream
            See `rnnkit.estimators.stream.Stream`; several streams of one estimator do not
            disturb each other.

        Raises
        ------
        ValueError
            If the network reads sequences backwards too, or scores them only as a whole.
        """
        check_is_fitted(self)
        return Stream(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_trainer", None)
        state.pop("_trained_with", None)
        return {**state, "_rnnkit_version": _installed_version()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        pickled, present = state.pop("_rnnkit_version", None), _installed_version()
        if pickled != present:
            warnings.warn(
                f"{type(self).__name__} was pickled with rnnkit {pickled} and is loaded with "
                f"{present}; save models as files to take them from version to version",
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


def _decides_per_step(network: Network) -> bool:
    return network.per_step and not network.output.targets_per_sequence


def bounded_batches(network: Network, offsets: np.ndarray) -> Iterator[Batch]:
    """Cut sequences, in their order, into batches of about ROWS_AT_ONCE steps.

    Fewer where scikit-learn's `working_memory` does not hold as many; never less than a sequence.
    """
    available = int(get_config()["working_memory"] * 2**20)
    n_rows = min(ROWS_AT_ONCE, available // bytes_per_row(network))
    start, n = 0, len(offsets) - 1
    while start < n:
        within = np.searchsorted(offsets, offsets[start] + n_rows, side="right") - 1
        stop = min(max(start + 1, int(within)), n)
        yield batch_of(offsets, np.arange(start, stop))
        start = stop
