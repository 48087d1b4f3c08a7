"""What a generator of sequences is constructed with, and how it learns.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, C numbers of a
condition.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import HasMethods, InvalidParameterError, StrOptions
from sklearn.utils.validation import check_consistent_length

from rnnkit.estimators.adversarial.codecs import MadeSteps
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import solver_of
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    Widths,
    fixed,
    integer,
    parameter,
    parameters,
)
from rnnkit.estimators.parameters.network import NUMBERS_ALONE
from rnnkit.estimators.parameters.training import SCHEDULE_NAMES, SOLVER_NAMES
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import moderate, read_weights
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Network, Output, Realness
from rnnkit.network.composing import build_adversarial
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import cast
from rnnkit.training import LBFGS, FitResult, TrainingData, make_schedule
from rnnkit.training.optimizers import SOLVERS, Adam
from rnnkit.training.schedules import SCHEDULES, Adaptive

__all__ = ["AdversarialLearning"]

NEVER = 2**31 - 1  # epochs in a row
IN_TURN = sorted(name for name in SOLVERS if SOLVERS[name] is not LBFGS)
PLAIN = sorted(name for name in SCHEDULES if SCHEDULES[name] is not Adaptive)


@parameters
@fixed(
    **NUMBERS_ALONE,
    convolutions=None,
    convolution_join="before",
    bptt_steps=None,
    tol=0.0,
    n_iter_no_change=NEVER,
    monitor="loss",
    early_stopping=False,
    validation_fraction=0.1,
    validation_split="random",
)
class AdversarialLearning(RecurrentEstimator):
    """What learns to make sequences: the parameters of two networks, and their game."""

    _usual_solver: ClassVar[Any] = Adam(beta_1=0.5)
    _scales_inside: ClassVar[bool] = True
    _build_layers: ClassVar[Any] = staticmethod(build_adversarial)
    _batches_of_an_epoch: ClassVar[int] = 8
    _attributes: ClassVar[tuple[str, ...]] = (
        "classes_",
        "discriminator_loss_curve_",
        *(
            name
            for name in RecurrentEstimator._attributes
            if name != "n_outputs_" and "best" not in name and "validation" not in name
        ),
    )

    hidden_size: Any = parameter(
        64,
        [integer(1), Widths(1)],
        "int or tuple of int",
        "Hidden units H of every layer and direction of both networks; a tuple has an entry for "
        "each layer, first to last.",
        part="network",
        positional=True,
    )
    bidirectional: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether every layer of both networks also reads the sequence, or the noise, backwards; "
        "the states of both directions are concatenated.",
        part="network",
    )
    noise_size: int = parameter(
        8,
        [integer(0)],
        "int",
        "Noise numbers Z that the generator is given anew at every step.",
        part="network",
    )
    sequence_noise_size: int = parameter(
        8,
        [integer(0)],
        "int",
        "Noise numbers S that are drawn once for a sequence and given at every step: what a "
        "sequence is as a whole, as its frequency, need not be gathered from the noise of steps.",
        part="network",
    )
    pooling: Any = parameter(
        "mean",
        [StrOptions({"last", "mean", "max", "attention"}), None],
        '{"last", "mean", "max", "attention"} or None',
        "What the discriminator judges: the sequence as a whole, by one vector of its hidden "
        "states, which is the state after the last step (of both directions), their mean or "
        "maximum over the steps, or a learned weighted mean. None: every step, with those before "
        "it (Esteban, Hyland & Rätsch 2017).",
        part="network",
    )
    input_noise: float = parameter(
        0.3,
        [NON_NEGATIVE],
        "float",
        "Standard deviation of the Gaussian noise added in training to what the discriminator "
        "reads, made or real, in units of each feature's in the training data. Without it the "
        "discriminator soon wins by details, and the generator learns no more (Sønderby et al. "
        "2017).",
        part="network",
    )
    solver: Any = parameter(
        None,
        [StrOptions(set(IN_TURN)), HasMethods(["get_params", "set_params"]), None],
        f"{SOLVER_NAMES}, solver object or None",
        "The optimizer of both networks, each with a memory of its own. None is Adam with "
        "``beta_1=0.5``: the other network changes, and older gradients mislead (Radford, Metz & "
        "Chintala 2016). An object of "
        "`rnnkit.training` carries its own parameters, which a search reaches as "
        "``solver__momentum``. Not L-BFGS, which follows one loss.",
    )
    learning_rate: Any = parameter(
        "linear",
        [StrOptions(set(PLAIN)), HasMethods(["get_params", "set_params"])],
        f"{SCHEDULE_NAMES} or schedule object",
        'How the learning rate changes over the epochs. Not "adaptive": neither loss tells '
        "progress.",
    )
    batch_size: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1)],
        'int or "auto"',
        'Sequences B of a minibatch, and of those made beside it. "auto" is an 8th of all, but at '
        "least 8 and at most 64.",
    )
    max_iter: int = parameter(
        300,
        [integer(1)],
        "int",
        "Number of epochs. All are run: neither loss tells when to stop.",
    )

    # Fitting.

    @takes_device_arrays
    def fit(  # type: ignore[override]
        self, X: Any, y: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Train both networks.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            A 3-D array (N, T, I); a 2-D array or frame (N, T·I); a list, tuple or 1-D object
            array of arrays (T_i, I) or (T_i,); or `rnnkit.Sequences`. Numbers alone.
        y : array-like of shape (N,) or (N, C), default=None
            What is known of every sequence, and may be asked for in `sample`: a label each, or
            numbers. Text, whole numbers and truth values of one dimension are labels; numbers
            should be of size one or so.
        sample_weight : array-like of shape (N,), default=None
            Weight of every sequence in both losses, and among the lengths and labels that
            `sample` draws from.
        lengths : array-like of shape (N,) or "nan", default=None
            Steps of every sequence of a dense X; what lies beyond is never looked at. "nan": up
            to the last step that is not all NaN.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or another argument is not what is allowed. The estimator stays as
            it was.

        Warns
        -----
        ConvergenceWarning
            If a loss stopped being finite.
        UserWarning
            If X looks laid out or scaled in another way than it was read.
        """
        check_parameters(self)
        told = X, y, sample_weight, lengths
        with learning_watched(self, "fit", self.max_iter, *told) as (draft, watcher):
            draft._fit(X, y, sample_weight, None, lengths, watcher)
        return self

    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Train both networks for one more epoch on the given sequences.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew. The first call decides which labels there are, and
        in what unit X is; lengths are gathered from all of them.

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
            As in `fit`. The estimator stays as it was.
        """
        told = X, y, sample_weight, lengths
        with learning_watched(self, "partial_fit", 1, *told) as (draft, watcher):
            draft._partial_fit(X, y, sample_weight, lengths, watcher)
        return self

    # Reading: y is what is known of sequences, not what they should give.

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
        """Read training data, and note the lengths and labels among them."""
        self._refuse_what_follows_a_loss()
        reader, codec, output, examples = super()._read_training(
            X, y, sample_weight, lengths, first=first, classes=classes
        )
        assert isinstance(codec, MadeSteps)
        seen = codec.seeing(examples.sequences.lengths, examples.targets, examples.weights)
        return reader, seen, output, examples

    def _refuse_what_follows_a_loss(self) -> None:
        name = type(self).__name__
        if isinstance(solver_of(self), LBFGS):
            raise InvalidParameterError(
                f"The 'solver' parameter of {name} must take a step for each minibatch: two "
                f"networks that learn in turn have no one loss. Got {self.solver!r} instead."
            )
        if isinstance(make_schedule(self.learning_rate), Adaptive):
            raise InvalidParameterError(
                f"The 'learning_rate' parameter of {name} must not follow a loss: neither tells "
                f"progress. Got {self.learning_rate!r} instead."
            )
        if not (self.noise_size or self.sequence_noise_size):
            raise InvalidParameterError(
                f"The 'noise_size' parameter of {name} must be at least 1 with "
                "sequence_noise_size=0: without noise all that is made is one sequence. Got 0 "
                "instead."
            )

    def _refuse_no_targets(self, y: Any) -> None:
        return None

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> tuple[Any, Sequences, Form]:
        if y is not None:
            check_consistent_length(sequences.offsets[1:], y)
        return y, sequences, form

    def _learn_codec(self, targets: tuple[Any, Sequences, Form], classes: Any) -> Codec:
        return MadeSteps.learn(*targets)

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
        assert isinstance(codec, MadeSteps)
        weights = read_weights(sample_weight, sequences, form, per_step=False)
        numbers = codec.numbers(targets[0], len(sequences))
        return Examples(sequences, numbers, weights, False, False)

    def _make_output(self, codec: Codec) -> Output:
        assert isinstance(codec, MadeSteps)
        return Realness(codec.n_outputs, codec.n_conditions)

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        assert isinstance(output, Realness)
        if isinstance(last, Realness):
            return replace(output, center=last.center, scale=last.scale)
        weights = examples.weights
        if weights is not None:
            weights = np.repeat(weights, examples.sequences.lengths)
        steps = np.asarray(examples.sequences.values, np.float64)
        standardized: Output = output.standardized(steps, weights)
        return standardized

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        weights = examples.weights
        if weights is not None:
            weights = cast(moderate(weights), network.dtype, "sample_weight")
        numbers = examples.targets if examples.targets.shape[1] else np.zeros((len(examples), 1))
        return TrainingData(
            reader.inputs(examples.sequences),
            examples.sequences.offsets,
            cast(numbers, network.dtype, "y"),
            weights,
        )

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        return float("nan")  # no number tells how good what is made is

    # What is learnt beside the networks.

    def _forget_curves(self) -> None:
        super()._forget_curves()
        self.discriminator_loss_curve_: list[float] = []

    def _record(
        self,
        reader: Reader,
        codec: Codec,
        network: Network,
        result: FitResult,
        examples: Sized,
        *,
        anew: bool,
    ) -> None:
        super()._record(reader, codec, network, result, examples, anew=anew)
        others = result.figures.get("discriminator_loss", [])
        self.discriminator_loss_curve_ = self.discriminator_loss_curve_ + others
        self.best_loss_ = self.best_epoch_ = None

    @property
    def classes_(self) -> np.ndarray:
        """The labels that y was made of, sorted."""
        self._need_fit()
        codec: Any = self._codec
        if codec.labels is None:
            raise AttributeError("y was no labels in fit")
        return np.array(codec.labels)
