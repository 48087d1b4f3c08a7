"""What a recurrent Boltzmann machine is constructed with, and how it learns.

Letters: N sequences, T steps, F visible units, M hidden units of the machines.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from rnnkit.cells import CELLS
from rnnkit.estimators.applying import apply
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.own_steps import OwnStepsLearning
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import fixed, integer, like, parameter, parameters
from rnnkit.estimators.parameters.training import TrainingParameters
from rnnkit.estimators.reader import Reader
from rnnkit.network import BoltzmannOutput, Network, Output
from rnnkit.network.boltzmann import MOST_ENUMERATED
from rnnkit.network.building import build_recurrent_boltzmann
from rnnkit.sequences import Form, Sequences
from rnnkit.training import LBFGS, make_solver

__all__ = ["RecurrentRBMLearning", "mean_of_steps"]


@parameters
@fixed(bidirectional=False)
class RecurrentRBMLearning(OwnStepsLearning):
    """What learns machines whose biases follow a recurrent network: parameters and training."""

    _build_layers: ClassVar[Any] = staticmethod(build_recurrent_boltzmann)
    _per_step: ClassVar[bool] = True
    _batches_of_an_epoch: ClassVar[int] = 16
    _attributes: ClassVar[tuple[str, ...]] = tuple(
        name for name in OwnStepsLearning._attributes if name != "n_outputs_"
    )

    cell: str = parameter(
        "rnn",
        [StrOptions(set(CELLS))],
        '{"rnn", "lstm", "gru"}',
        "The recurrent cell, with the options that all cells have.",
    )
    n_components: int = parameter(
        128,
        [integer(1)],
        "int",
        "Hidden units M of the machine of a step.",
    )
    n_gibbs: int = parameter(
        10,
        [integer(1)],
        "int",
        "How often both layers are sampled, from the data on, for what the machines expect (k of "
        "contrastive divergence). The more, the nearer the gradient is to that of the likelihood, "
        "and the longer an epoch takes.",
    )
    negative_phase: str = parameter(
        "gibbs",
        [StrOptions({"gibbs", "exact"})],
        '{"gibbs", "exact"}',
        'How `fit` finds what the machines expect. "gibbs" samples; the loss is the negative '
        'pseudo-log-likelihood. "exact" sums over all states of the smaller layer, which has '
        f"{MOST_ENUMERATED} units at most; the loss is the negative log-likelihood.",
    )
    batch_size: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1)],
        'int or "auto"',
        'Sequences B of a minibatch. "auto" is a 16th of all, but at least 8 and at most 64.',
    )
    learning_rate_init: float = like("learning_rate_init", TrainingParameters, default=1e-2)
    learning_rate: Any = like("learning_rate", TrainingParameters, default="cosine")

    @property
    def _cell(self) -> str:  # type: ignore[override]
        return self.cell

    # Reading.

    def _read_new(self, X: Any, lengths: Any) -> tuple[Sequences, Form]:
        sequences, form = super()._read_new(X, lengths)
        self.network_.output.check(sequences.values)
        return sequences, form

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
        output.check(sequences.values)
        return super()._make_examples(
            codec, output, sequences, form, targets, sample_weight, strict=strict
        )

    def _make_output(self, codec: Codec) -> Output:
        return BoltzmannOutput(codec.width, self.n_components, self.n_gibbs, self.negative_phase)

    # Training.

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        lengths: Any,
        watcher: Any,
    ) -> None:
        check_parameters(self)
        is_exact = self.negative_phase == "exact"
        if isinstance(make_solver(self.solver), LBFGS) and not is_exact:
            raise InvalidParameterError(
                f"The 'solver' parameter of {type(self).__name__} must be one that trains in "
                "minibatches unless negative_phase='exact': a line search needs the loss that the "
                f"gradient belongs to. Got {self.solver!r} instead."
            )
        super()._fit(X, y, sample_weight, validation_data, lengths, watcher)

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        assert isinstance(output, BoltzmannOutput)
        smaller = min(output.n_visible, output.n_components)
        if output.negative_phase == "exact" and smaller > MOST_ENUMERATED:
            raise ValueError(
                f"negative_phase='exact' needs at most {MOST_ENUMERATED} features or "
                f"n_components, got {output.n_visible} and {output.n_components}"
            )
        return output

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        """Return the mean pseudo-log-likelihood of a step."""
        losses = apply(
            network,
            self.device,
            reader.inputs(examples.sequences),
            examples.sequences.offsets,
            lambda bound, plan, x: bound.pseudo_losses(plan, x),  # type: ignore[attr-defined]
            per_step=True,
        )
        return float(-np.average(losses, weights=examples.weights))


def mean_of_steps(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Return the mean (N,) of the values (ΣT,) of each sequence's steps; 0 where it has none."""
    sums = np.zeros(len(sequences))
    some = np.flatnonzero(sequences.lengths)
    sums[some] = np.add.reduceat(values, sequences.offsets[some]) / sequences.lengths[some]
    return sums
