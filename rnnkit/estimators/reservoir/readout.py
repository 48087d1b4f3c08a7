"""How a readout is learnt in closed form.

Letters: N sequences, T steps, ΣT steps of all sequences, H hidden units, D directions, K outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Backend
from rnnkit.estimators.applying import bounded_batches, refuse_long_sequences
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.building import build, initialize
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    fixed,
    integer,
    parameter,
    parameters,
    values_for,
)
from rnnkit.estimators.parameters.network import NUMBERS_ALONE
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.reservoir.moments import GRID, GRID_OF_STEPS, Moments, Readout
from rnnkit.estimators.transaction import learning
from rnnkit.network import Network, Output
from rnnkit.network.least_squares import LeastSquaresAnswers, LeastSquaresClasses
from rnnkit.network.losses import StandardizedOutput
from rnnkit.training import FitResult
from rnnkit.training.ordered_sums import ordered_sums

__all__ = ["FORECASTS", "OF_POOLED", "OF_STEPS", "ClosedForm", "Washout", "with_readout"]

# What the documentation of each such regressor says.
FORECASTS = "Fitted to predict the next step, it also forecasts in closed loop: see `forecast`."
OF_POOLED = "the prediction is an affine function of the pooled states."
OF_STEPS = (
    "the prediction of a step is an affine function of its state. A target that is NaN or "
    "None is not known: it counts for nothing in squared errors and scores."
)


def _refuse(estimator: Any) -> Any:
    raise AttributeError(f"{type(estimator).__name__} has no epochs")


_ABSENT = property(_refuse)  # what scikit-learn would set if it were there


@parameters
@fixed(
    n_layers=1,
    **NUMBERS_ALONE,
    convolutions=None,
    convolution_join="before",
    cell_clip=None,
    layer_norm=False,
    zoneout=0.0,
    dropout=0.0,
    input_dropout=0.0,
    recurrent_dropout=0.0,
    input_noise=0.0,
    precision="full",
    solver="adam",
    learning_rate_init=3e-3,
    learning_rate="constant",
    l1=0.0,
    clip_norm=None,
    clip_value=None,
    bptt_steps=None,
    batch_size="auto",
    max_iter=_ABSENT,
    shuffle=False,
    tol=0.0,
    n_iter_no_change=_ABSENT,
    monitor="loss",
    early_stopping=False,
    validation_fraction=0.1,
    validation_split="random",
    warm_start=False,
    verbose=0,
)
class ClosedForm(RecurrentEstimator):
    """What learns the readout of a network by least squares, and nothing by gradients."""

    _attributes: ClassVar[tuple[str, ...]] = (
        "network_",
        "weights_",
        "alpha_",
        "n_features_in_",
        "feature_names_in_",
        "n_outputs_",
        "n_iter_",
        "t_",
        "loss_",
    )

    alpha: Any = parameter(
        "gcv",
        [StrOptions({"gcv"}), NON_NEGATIVE, list, tuple, np.ndarray],
        '"gcv", float or list of float',
        "The penalty: what the sum of squared errors of an output gets added is alpha times the "
        "sum of its squared weights, bias excepted, as in scikit-learn's Ridge. Numbers are in the "
        "unit of squared states; outputs are standardized. Of a list the one with the smallest "
        'error by generalized cross-validation is taken, with "gcv" of a grid that suits the '
        "states; 0 is the pseudo-inverse.",
    )

    # Fitting.

    @takes_device_arrays
    def fit(  # type: ignore[override]
        self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Make the recurrent weights, run the network over X and solve for the readout.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            A 3-D array (N, T, I); a 2-D array or frame (N, T·I); a list, tuple or 1-D object
            array of arrays (T_i, I) or (T_i,); or `rnnkit.Sequences`.
        y : array-like
            One target per sequence, or one per step where the estimator answers per step: there
            NaN or None says that it is not known, and counts for nothing.
        sample_weight : array-like of shape (N,), default=None
            Weight of every sequence in the squared error; per step too where targets are per
            step. A weight of 2 is as good as the sequence twice; weights whose mean is below 1 do
            not make "gcv" believe that there are fewer sequences.
        lengths : array-like of shape (N,) or "nan", default=None
            Steps of every sequence of a dense X; what lies beyond is never looked at. "nan": up
            to the last step that is not all NaN.

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
        UserWarning
            If X looks laid out or scaled in another way than it was read.
        """
        with learning(self) as draft:
            draft._learn(X, y, sample_weight, lengths, first=True)
        return self

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Raise TypeError if there are any: a closed form has no epochs to watch.

        Parameters
        ----------
        *callbacks : callback
            None at all.

        Returns
        -------
        self
        """
        if callbacks:
            raise TypeError(
                f"{type(self).__name__} takes no callbacks: it learns in closed form, without "
                "epochs to watch"
            )
        return self

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        first: bool,
        classes: Any = None,
    ) -> None:
        """Learn from examples alone, or from these beside those of earlier calls."""
        check_parameters(self)
        self._check_alpha()
        if not first:
            self._refuse_change(values_for(self, "reader", "network", "cell"))
        reader, codec, output, examples = self._read_training(
            X, y, sample_weight, lengths, first=first, classes=classes
        )
        backend = get_backend(self.device)
        weights = self._weights_of_rows(output, codec, examples)
        with ordered_sums():
            if first:
                network = build(self, reader, output, examples.sequences, np.zeros(output.width))
                initialize(network, self, reader, check_random_state(self.random_state))
                self._built_with = self.get_params(deep=False)
                before = None
            else:
                network, before = self.network_.copy(), self._moments_of_fit()
            moments = self._moments_of(network, reader, examples, weights, backend, before)
            alpha = None if isinstance(self.alpha, str) else self.alpha
            # What a first part took for the unit of y must not choose for the parts after it.
            standardized = isinstance(output, StandardizedOutput)
            grid = GRID_OF_STEPS if self._per_step else GRID
            readout = moments.readout(alpha, grid, standardized=standardized)
        self._keep(reader, codec, network, readout, examples, backend, anew=first)
        self._moments, self._moments_rows = moments.sums, moments.n_rows

    def _keep(
        self,
        reader: Reader,
        codec: Codec,
        network: Network,
        readout: Readout,
        examples: Examples,
        backend: Backend,
        *,
        anew: bool,
        n_epochs: int = 1,
    ) -> None:
        """Put the readout into the network and keep what was learnt."""
        with_readout(network, readout)
        loss = float(readout.losses @ self._loss_units(network.output))
        result = FitResult(
            n_epochs=n_epochs,
            reason="closed form",
            message="The readout was solved for in closed form.",
            loss_curve=[loss],
            best_loss=loss,
            validation_losses=None,
            validation_scores=None,
            best_epoch=1,
            best_validation_loss=None,
            best_validation_score=None,
            loss=loss,
            n_threads=backend.n_threads,
        )
        self._record(reader, codec, network, result, examples, anew=anew)
        self.alpha_ = readout.alpha

    def _moments_of(
        self,
        network: Network,
        reader: Reader,
        examples: Examples,
        weights: np.ndarray | None,
        backend: Backend,
        before: Moments | None,
    ) -> Moments:
        """Return the sums over the examples, beside those before, batch after batch."""
        targets = self._codes(network.output, examples.targets)
        inputs, offsets = reader.inputs(examples.sequences), examples.sequences.offsets
        width = network.recurrent_layers[-1].width
        moments = Moments.nothing(width, targets.shape[1]) if before is None else before
        with backend.active(give_back=True):
            refuse_long_sequences(network, offsets, backend)
            bound = network.bind(backend, constant=True)
            for batch in bounded_batches(network, offsets):
                x = inputs.take(batch.rows)
                if self._per_step:
                    states, rows = bound.hidden_states(batch.plan, x, -1), batch.rows
                else:
                    states = bound.pooled_states(batch.plan, x, -1, self.pooling)
                    rows = batch.sequences
                states = np.asarray(backend.download(states), np.float64)
                counting = None if weights is None else weights[rows]
                with np.errstate(over="ignore", invalid="ignore"):  # refused below
                    moments = moments.plus(states, targets[rows], counting)
        if not np.isfinite(moments.sums).all():
            chosen = [
                f"{name}={getattr(self, name)!r}"
                for name in ("spectral_radius", "input_scaling", "activation")
            ]
            raise ValueError(
                "the reservoir's states, or their squares, grow beyond what floats hold with "
                f"{', '.join(chosen)}: use smaller scales or an activation that is bounded"
            )
        return moments

    def _weights_of_rows(
        self, output: Output, codec: Codec, examples: Examples
    ) -> np.ndarray | None:
        """Return the weight of each row, (n,) or (n, K), in the squared error; None: ones."""
        weights = examples.weights_of_targets
        factors = [self._class_weights(output, codec, examples)]
        if isinstance(output, LeastSquaresAnswers):
            factors.append(output.weights_of_answers(examples.targets))
        for factor in factors:
            if factor is None:
                continue
            if weights is None:
                weights = factor
            elif weights.ndim == factor.ndim:
                weights = weights * factor
            else:
                parts = (a[:, None] if a.ndim == 1 else a for a in (weights, factor))
                weights = next(parts) * next(parts)
        return weights

    def _codes(self, output: Output, targets: np.ndarray) -> np.ndarray:
        """Return what the raw scores should be, (n, K) float64."""
        if isinstance(output, (LeastSquaresAnswers, LeastSquaresClasses)):
            return output.codes(targets)
        return np.asarray(output.to_scores(targets), np.float64)

    def _loss_units(self, output: Output) -> np.ndarray:
        """Return what the losses (K,) of the outputs are multiplied with and added up."""
        if isinstance(output, StandardizedOutput):
            return output.loss_units / output.width
        return np.ones(output.width)

    def _moments_of_fit(self) -> Moments:
        sums, n_rows = self._moments, getattr(self, "_moments_rows", None)
        if n_rows is None:  # of an older version, which counted weights alone
            n_rows = sums[:, -1, -1]
        return Moments(sums, self.network_.output.width, n_rows)

    def _check_alpha(self) -> None:
        if isinstance(self.alpha, str):
            return
        tried = np.atleast_1d(np.asarray(self.alpha, dtype=object))
        numbers = [NON_NEGATIVE.is_satisfied_by(a) and np.isfinite(a) for a in tried.ravel()]
        if tried.ndim != 1 or not numbers or not all(numbers):
            raise InvalidParameterError(
                f"The 'alpha' parameter of {type(self).__name__} must be 'gcv', a finite number of "
                f"at least 0 or a list of such numbers. Got {self.alpha!r} instead."
            )


@parameters
class Washout(ClosedForm):
    """What learns a readout of every step but the first ones."""

    washout: int = parameter(
        0,
        [integer(0)],
        "int",
        "Steps at the beginning of every sequence that the readout does not learn from: there the "
        "states still tell of the zeros that they began with. They are predicted and scored all "
        "the same.",
    )

    def _weights_of_rows(
        self, output: Output, codec: Codec, examples: Examples
    ) -> np.ndarray | None:
        weights = super()._weights_of_rows(output, codec, examples)
        if not self.washout:
            return weights
        sequences = examples.sequences
        begins = np.repeat(sequences.offsets[:-1], sequences.lengths)
        counts = np.arange(len(begins)) - begins >= self.washout
        kept: np.ndarray = counts.astype(np.float64)
        if weights is not None:
            kept = np.asarray((weights.T * counts).T)
        if not np.all(kept.sum(axis=0) > 0):
            raise ValueError(
                f"washout={self.washout!r} leaves no step with a target and a weight; the longest "
                f"sequence has {int(sequences.lengths.max())} steps"
            )
        return kept


def with_readout(network: Network, readout: Readout) -> None:
    """Put a readout into the head of a network."""
    network.parameters["head.weight"][...] = readout.weight
    network.parameters["head.bias"][...] = readout.bias
