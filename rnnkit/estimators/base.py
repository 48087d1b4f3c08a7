"""The life of a fit: what every recurrent estimator does to learn.

A class here is a dataclass whose fields are its constructor parameters: the constructor that
scikit-learn inspects is generated from them, keeps each argument and does nothing else. What a
fit learns is a `Reader` of X, a codec of y and a network; everything else follows from them.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, H hidden units,
D directions, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any, ClassVar, dataclass_transform

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from rnnkit.backends import get_backend
from rnnkit.estimators.applying import ROWS_AT_ONCE
from rnnkit.estimators.building import build, initialize, names_of_other_weights
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.curves import TrainedEstimator
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples, validation_pair
from rnnkit.estimators.fitting import (
    make_trainer,
    set_aside,
    training_data,
    trains_in_minibatches,
    warn_of,
    warn_of_nothing_learnt,
)
from rnnkit.estimators.hints import hint_at_data, hint_at_targets, hint_at_validation
from rnnkit.estimators.memory import check_training
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.documentation import describe
from rnnkit.estimators.parameters.field import equal, parameter, parameters, values_for
from rnnkit.estimators.parameters.network import NetworkParameters
from rnnkit.estimators.parameters.training import TrainingParameters
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.watching import CallbackSupport, Watcher, as_if_ended, learning_watched
from rnnkit.network import Network, Output
from rnnkit.parameter_names import ChecksNames
from rnnkit.sequences import Form
from rnnkit.training import FitResult, Trainer, TrainingData, Validation

__all__ = ["RecurrentEstimator", "recurrent_estimator"]


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(parameter, field))
def recurrent_estimator(cls: Any) -> Any:
    """Give an estimator class the constructor of its fields and its complete docstring."""
    cls = parameters(cls)
    cls.__doc__ = describe(cls, cls._attributes)
    return cls


@parameters
class RecurrentEstimator(
    ChecksNames, CallbackSupport, TrainingParameters, NetworkParameters, TrainedEstimator
):
    """The life of a fit, whatever the task and the cell.

    Beside what `FittedEstimator` asks for, a task adds how targets are encoded
    (`_learn_codec`) and which output object the network ends in (`_make_output`).
    """

    _has_epochs = True
    _ranks: ClassVar[Any] = None  # those that train beside this one: `rnnkit.distributed`
    _attributes: ClassVar[tuple[str, ...]] = (
        "network_",
        "weights_",
        "n_features_in_",
        "feature_names_in_",
        "n_outputs_",
        "n_iter_",
        "n_threads_",
        "t_",
        "loss_",
        "best_loss_",
        "loss_curve_",
        "validation_loss_curve_",
        "validation_scores_",
        "best_validation_score_",
        "best_epoch_",
    )

    # What a task defines.

    def _learn_codec(self, targets: Any, classes: Any) -> Codec:
        """Learn from the first targets what they are; `classes` are those given, or None."""
        raise NotImplementedError

    def _make_output(self, codec: Codec) -> Output:
        """Return the output object for targets of a codec."""
        raise NotImplementedError

    def _output_type(self) -> type[Output] | None:
        """Return the kind of output that the parameters alone decide, or None."""
        return None

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        """Return the output object with what it takes from the training data.

        `last` is the one of the last fit, if training goes on from there.
        """
        return output

    def _class_weights(self, output: Output, codec: Codec, examples: Examples) -> np.ndarray | None:
        """Return a weight for every target, or None for ones."""
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
        X_val: Any = None,
        y_val: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            A 3-D array (N, T, I); a 2-D array or frame (N, T·I); a list, tuple or 1-D object
            array of arrays (T_i, I) or (T_i,); or `rnnkit.Sequences`.
        y : array-like
            One target per sequence, or one per step where the estimator answers per step: there
            NaN or None says that it is not known, and counts for nothing.
        sample_weight : array-like of shape (N,), default=None
            Weight of every sequence in the loss; per step too where targets are per step.
        validation_data : tuple (X_val, y_val), default=None
            Data that decide when to stop (see `monitor`), in place of the part of the training
            data that `early_stopping` would set aside.
        lengths : array-like of shape (N,) or "nan", default=None
            Steps of every sequence of a dense X; what lies beyond is never looked at. "nan": up
            to the last step that is not all NaN, in X_val too.
        X_val, y_val : array-like, default=None
            `validation_data` as two arguments. A Pipeline transforms X_val as it does X if it
            is ``Pipeline(steps, transform_input=["X_val"])``, metadata routing is enabled and
            the estimator asked for both: ``set_fit_request(X_val=True, y_val=True)``. It leaves
            the tuple `validation_data` as it is.

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
        UserWarning
            If X, or X_val beside it, looks laid out or scaled in another way than it was read.
        """
        check_parameters(self)
        told = X, y, sample_weight, lengths
        with learning_watched(self, "fit", self.max_iter, *told) as (draft, watcher):
            validation_data = validation_pair(validation_data, X_val, y_val)
            draft._fit(X, y, sample_weight, validation_data, lengths, watcher)
        return self

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        lengths: Any,
        watcher: Watcher,
    ) -> None:
        backend = get_backend(self.device)
        first = not (self.warm_start and hasattr(self, "network_"))
        reader, codec, output, examples = self._read_training(
            X, y, sample_weight, lengths, first=first
        )
        validates = self.early_stopping or validation_data is not None
        check_training(self, reader, output, examples.sequences, backend, validates=validates)
        validation = self._read_validation(reader, codec, output, validation_data, lengths)
        if validation is not None:
            hint_at_validation(self, examples.sequences, validation.sequences, stacklevel=5)
        rng = check_random_state(self.random_state)
        network = self._start_network(reader, codec, output, examples, rng, first=first)
        if validation is None and self.early_stopping:
            examples, validation = set_aside(self, examples, codec, rng)
        with backend.active(give_back=True):
            trainer = make_trainer(self, network, backend, len(examples), rng)
            data = self._training_data(examples, reader, codec, network)
            if not first:
                hint_at_targets(self, codec, network.output, examples)
            validate = None
            if validation is not None:
                validate = self._make_validate(trainer, reader, codec, validation)

            def record(taker: Any, result: FitResult, of: Network | None = None) -> None:
                learnt = network.copy() if of is None else of
                taker._settle(learnt, reader, examples)
                taker._record(reader, codec, learnt, result, examples, anew=first)

            score = lambda: self._score_examples(network, reader, codec, examples)
            watchers = watcher.follow(self, trainer, first, len(examples), score)
            fitted = as_if_ended(self, record)
            n_left = self.max_iter - trainer.n_epochs
            result = trainer.fit(data, n_left, validate, callbacks=watchers, fitted=fitted)
        for name in ("_trainer", "_training_state", "_trained_with"):
            self.__dict__.pop(name, None)
        record(self, result, network)
        watcher.close(result)
        warn_of(result, self.learning_rate)
        n_updates = result.n_epochs * trainer.n_batches(len(examples))
        if not (self.alpha or self.l1):  # which are in the loss
            targets = examples.targets
            weights = data.weights if self._ranks is None else self._ranks.weights
            warn_of_nothing_learnt(result, n_updates, network.output, targets, weights)

    def _settle(self, network: Network, reader: Reader, examples: Examples) -> None:
        """Take the one step that has a closed form, where a task knows one."""

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Any:
        """Train for one more epoch on the given data.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew. The first call's y sets the center and the scale
        that a regressor standardizes all later ones by, so it should spread as they do.

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
        told = X, y, sample_weight, lengths
        with learning_watched(self, "partial_fit", 1, *told) as (draft, watcher):
            draft._partial_fit(*told, watcher)
        return self

    def _partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        watcher: Watcher,
        classes: Any = None,
    ) -> None:
        check_parameters(self)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        backend = get_backend(self.device)
        first = not hasattr(self, "network_")
        reader, codec, output, examples = self._read_training(
            X, y, sample_weight, lengths, first=first, classes=classes
        )
        if first or len(examples.sequences.values) > ROWS_AT_ONCE:
            check_training(self, reader, output, examples.sequences, backend)
        goes_on = not first and self._can_go_on()
        trainer: Trainer
        if goes_on and hasattr(self, "_trainer"):
            trainer = self._trainer
        else:
            rng = check_random_state(None if goes_on else self.random_state)
            network = (
                self.network_.copy()
                if goes_on
                else self._start_network(reader, codec, output, examples, rng, first=first)
            )
            state = self._training_state if goes_on else None
            with backend.active():
                trainer = make_trainer(self, network, backend, len(examples), rng, state)
        data = self._training_data(examples, reader, codec, trainer.network)
        if not first:
            hint_at_targets(self, codec, trainer.network.output, examples)
        with trainer.backend.active(), trainer.undone_on_error():
            if goes_on:  # from weights that a user may have changed
                trainer.take_weights(self.network_.parameters.flat)

            def record(taker: Any, result: FitResult) -> None:
                # A copy, which no later epoch changes while somebody predicts with it.
                learnt = trainer.network.copy()
                taker._record(reader, codec, learnt, result, examples, anew=first)

            score = lambda: self._score_examples(trainer.network, reader, codec, examples)
            watchers = watcher.follow(self, trainer, first, len(examples), score)
            fitted = as_if_ended(self, record)
            result = trainer.fit(
                data, 1, schedule_epochs=self.max_iter, callbacks=watchers, fitted=fitted
            )
            self._trainer, self._trained_with = trainer, self.get_params()
            self.__dict__.pop("_training_state", None)
            record(self, result)
            watcher.close(result)
            if result.reason != "max_iter":
                warn_of(result, self.learning_rate)

    def _can_go_on(self) -> bool:
        """Whether it is known where the last `partial_fit` ended and nothing changed since."""
        known = hasattr(self, "_trainer") or hasattr(self, "_training_state")
        return known and equal(self._trained_with, self.get_params())

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
        """Read training data; with `first`, learn from them what X and y are."""
        self._refuse_no_targets(y)
        if not first:
            self._refuse_change(values_for(self, "reader"))
            reader, codec = self._reader, self._codec
            output = self._make_output(codec)
            examples = self._read_examples(reader, codec, output, X, y, sample_weight, lengths)
            output = self._fit_output(output, examples, self.network_.output)
            return reader, codec, output, examples
        reader, sequences, form = Reader.learn(self, X, lengths, per_step=self._per_step)
        ignore_label = getattr(self, "ignore_label", None)
        targets = self._targets_of(sequences, form, y, sample_weight, ignore_label)
        codec = self._learn_codec(targets, classes)
        output = self._make_output(codec)
        examples = self._make_examples(codec, output, sequences, form, targets, sample_weight)
        hint_at_data(self, X, form, sequences, stacklevel=6)
        return reader, codec, self._fit_output(output, examples, None), examples

    def _read_validation(
        self, reader: Reader, codec: Codec, output: Output, validation_data: Any, lengths: Any
    ) -> Examples | None:
        if validation_data is None:
            return None
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError(
                "validation_data must be a tuple (X_val, y_val), "
                f"got {type(validation_data).__name__}"
            )
        X, y = validation_data
        is_rule = isinstance(lengths, str) and Form.of(X).is_dense  # for lengths of any data
        return self._read_examples(reader, codec, output, X, y, None, lengths if is_rule else None)

    def _start_network(
        self,
        reader: Reader,
        codec: Codec,
        output: Output,
        examples: Examples,
        rng: np.random.RandomState,
        *,
        first: bool,
    ) -> Network:
        """Build the network and draw its weights, or copy those of the last fit."""
        start = output.start(examples.targets, examples.weights_of_targets)
        try:
            network = build(self, reader, output, examples.sequences, start)
        except ValueError:
            if not first:
                self._refuse_other_weights(reader, codec)
            raise
        if first:
            initialize(network, self, reader, rng)
        else:
            if network.parameters.shapes != self.network_.parameters.shapes:
                self._refuse_other_weights(reader, codec)
            if self.precision == "bf16" and reader.dtype != "float32":
                self._refuse_change(["precision"])
            network.parameters.flat[:] = self.network_.parameters.flat
        self._built_with = self.get_params(deep=False)
        return network

    def _make_validate(
        self, trainer: Trainer, reader: Reader, codec: Codec, validation: Examples
    ) -> Callable[[], Validation]:
        """Return what tells after every epoch what the network is worth on other data."""
        network = trainer.network
        mean_loss = trainer.loss_of(self._training_data(validation, reader, codec, network))

        def validate() -> Validation:
            score = self._score_examples(network, reader, codec, validation)
            if self.monitor == "score" and np.isnan(score):
                raise ValueError(
                    "monitor='score' cannot decide: the validation data have no score (R² needs "
                    "two different targets); use monitor='loss' or more validation data"
                )
            return Validation(score, mean_loss())

        return validate

    def _refuse_other_weights(self, reader: Reader, codec: Codec) -> None:
        """Raise ValueError if parameters ask for other weights than are there, naming them."""
        self._refuse_change(names_of_other_weights(self, reader, codec, self._built_with))

    def _refuse_change(self, names: Iterable[str]) -> None:
        """Raise ValueError if a parameter is not what the network was built with."""
        changed = [
            f"{name}={getattr(self, name)!r} was {self._built_with[name]!r}"
            for name in sorted(names)
            if not equal(getattr(self, name), self._built_with[name])
        ]
        if changed:
            how = " with warm_start=False" if "warm_start" in self.get_params(deep=False) else ""
            raise ValueError(
                f"{type(self).__name__} cannot go on training: {', '.join(changed)} when its "
                f"weights were made; fit anew{how}"
            )

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        class_weights = self._class_weights(network.output, codec, examples)
        return training_data(examples, reader, network, class_weights)
