"""How probable sequences are by their machines: pseudo-likelihood, exact, annealed.

Letters: N sequences, T steps, ΣT steps of all sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.energy.recurrent_rbm.estimates import annealed_log_partition, generator_for
from rnnkit.energy.recurrent_rbm.learning import RecurrentRBMLearning, mean_of_steps
from rnnkit.estimators.devices import answers
from rnnkit.estimators.language.writing import checked_count
from rnnkit.estimators.parameters.field import parameters
from rnnkit.network import BoltzmannOutput, RecurrentBoltzmann
from rnnkit.network.boltzmann import MOST_ENUMERATED, Boltzmann
from rnnkit.network.recurrent_boltzmann import WEIGHT, host_of
from rnnkit.sequences import Sequences

__all__ = ["RecurrentRBMScoring"]


@parameters
class RecurrentRBMScoring(RecurrentRBMLearning):
    """What tells how probable sequences are, and runs what samples, sequence by sequence."""

    if TYPE_CHECKING:
        network_: RecurrentBoltzmann

    @answers
    def score_samples(
        self,
        X: Any,
        lengths: Any = None,
        *,
        method: str = "pseudo",
        per_step: bool = False,
        n_chains: int = 16,
        n_temperatures: int = 200,
        random_state: Any = 0,
    ) -> Any:
        """Return how probable sequences are, in nats per step.

        Parameters
        ----------
        X, lengths
            As in `transform`.
        method : {"pseudo", "exact", "ais"}, default="pseudo"
            "pseudo": the pseudo-log-likelihood ``Σ_i log P(v_ti | the other features of the step,
            the steps before)``. "exact": the log-likelihood ``log P(v_t | the steps before)``, of
            all states of the smaller layer, which has 14 units at most. "ais": an estimate of the
            log-likelihood, with Z by annealed importance sampling; it is on average a little too
            large, the less the more chains and temperatures.
        per_step : bool, default=False
            Whether every step has a figure, else the mean of a sequence's steps.
        n_chains, n_temperatures : int, default=16, 200
            Of "ais", for every step.
        random_state : int, RandomState instance or None, default=0
            Seed of "ais". A sequence's draws follow from the seed and the sequence, not from
            those beside it.

        Returns
        -------
        ndarray of shape (N,) or (N, T), or object array of N arrays (T_i,); float64
            With `per_step` (N, T) for a dense X, zero beyond a sequence's length; otherwise
            arrays (T_i,).

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or an argument is not what is allowed.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        values = -self._losses(sequences, method, n_chains, n_temperatures, random_state)
        if per_step:
            return form.restore(values, sequences.offsets)
        return mean_of_steps(values, sequences)

    @answers
    def score(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        lengths: Any = None,
        *,
        method: str = "pseudo",
        n_chains: int = 16,
        n_temperatures: int = 200,
        random_state: Any = 0,
    ) -> float:
        """Return how probable the steps of all sequences are, in nats per step.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`.
        method, n_chains, n_temperatures, random_state
            As in `score_samples`.

        Returns
        -------
        float
            The mean over all steps, so that longer sequences count more.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit` or not what is allowed.
        """
        check_is_fitted(self)
        examples = self._read_examples(
            self._reader, self._codec, self.network_.output, X, None, sample_weight, lengths,
            strict=False,
        )  # fmt: skip
        losses = self._losses(examples.sequences, method, n_chains, n_temperatures, random_state)
        return float(-np.average(losses, weights=examples.weights))

    def _losses(
        self,
        sequences: Sequences,
        method: str,
        n_chains: int,
        n_temperatures: int,
        random_state: Any,
    ) -> np.ndarray:
        """Return the negative figure (ΣT,) of every step, float64."""
        if method == "pseudo":
            operation: Any = lambda bound, plan, x: bound.pseudo_losses(plan, x)
            return self._apply(sequences, operation, per_step=True)
        if method == "exact":
            self._refuse_many_states("method='exact'")
            operation = lambda bound, plan, x: bound.exact_losses(plan, x)
            return self._apply(sequences, operation, per_step=True)
        if method != "ais":
            raise ValueError(f"method must be 'pseudo', 'exact' or 'ais', got {method!r}")
        n_chains = checked_count(n_chains, "n_chains", 1)
        n_temperatures = checked_count(n_temperatures, "n_temperatures", 1)

        def losses(
            machine: Boltzmann, v: np.ndarray, b: np.ndarray, c: np.ndarray, noise: Any
        ) -> np.ndarray:
            log_z = annealed_log_partition(machine, b, c, n_chains, n_temperatures, noise)
            return np.asarray(machine.free_energy(v, b, c) + log_z)

        return self._sampled(sequences, losses, random_state)

    def _refuse_many_states(self, what: str) -> None:
        output = self.network_.output
        if min(output.n_visible, output.n_components) > MOST_ENUMERATED:
            raise ValueError(
                f"{what} needs at most {MOST_ENUMERATED} features or n_components, got "
                f"{output.n_visible} and {output.n_components}"
            )

    def _sampled(self, sequences: Sequences, figures: Any, random_state: Any) -> np.ndarray:
        """Return the figures (ΣT, ...) of every sequence, each from draws of its own."""
        entropy = int(check_random_state(random_state).randint(2**31 - 1))
        forward: Any = lambda bound, plan, x: bound.forward(plan, x)
        scores = self._apply(sequences, forward, per_step=True)
        inputs = self._reader.inputs(sequences).numeric
        output: BoltzmannOutput = self.network_.output
        backend = host_of(get_backend(self.device, fall_back=True))
        machine = Boltzmann(np.asarray(self.network_.parameters[WEIGHT]), backend)
        found = []
        for start, stop in zip(sequences.offsets[:-1].tolist(), sequences.offsets[1:].tolist()):
            v = inputs[start:stop]
            b, c = output.biases(scores[start:stop])
            if len(v):
                found.append(figures(machine, v, b, c, generator_for(entropy, v)))
        return np.concatenate(found)
