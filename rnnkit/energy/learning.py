"""How a deep Boltzmann machine learns: layers alone, then all together."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from rnnkit.energy.greedy import pretrain_undirected
from rnnkit.energy.layered import LayeredUnits
from rnnkit.energy.phases import drawn_machine, train_once
from rnnkit.energy.rows import RowEstimator, read_sizes
from rnnkit.estimators.transaction import learning
from rnnkit.preprocessing.watching import watched
from rnnkit.training import Adaptive, Schedule, make_schedule

__all__ = ["DeepBoltzmannLearning"]


class DeepBoltzmannLearning(RowEstimator):
    """The training of a deep Boltzmann machine, whose parameters its class has."""

    hidden_layer_sizes: Any
    pretrain_iter: int
    pretrain_learning_rate: float
    max_iter: int
    learning_rate_init: float
    learning_rate: Any
    batch_size: int
    n_particles: int
    gibbs_steps: int
    mean_field_steps: int
    alpha: float
    random_state: Any

    @watched
    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the distribution of rows.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Dense; float32 stays so, other dtypes become float64.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted; nothing has changed then.
        """
        sizes, schedule = self._check()
        with learning(self) as draft:
            rows = draft._read_units(X, reset=True)
            random = check_random_state(draft.random_state)
            draft._begin(rows, sizes, random)
            if draft.pretrain_iter:
                draft.coefs_, draft.intercepts_ = pretrain_undirected(
                    rows,
                    sizes,
                    learning_rate=draft.pretrain_learning_rate,
                    batch_size=draft.batch_size,
                    n_iter=draft.pretrain_iter,
                    random=random,
                )
            n_batches = -(-len(rows) // draft.batch_size)
            for epoch in range(draft.max_iter):
                steps = range(epoch * n_batches, (epoch + 1) * n_batches)
                n_steps, first = draft.max_iter * n_batches, float(draft.learning_rate_init)
                draft._pass(rows, [schedule.rate(step, n_steps, first) for step in steps], random)
                schedule.epoch_end((epoch + 1) * len(rows))
            draft.random_state_ = deepcopy(random)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Train all layers together for one pass over X, with the rate `learning_rate_init`.

        Layers are not trained alone before, and the rate does not fall by itself.

        Parameters
        ----------
        X : array-like of shape (n, F)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not accepted, or fitted layers have other sizes or were fitted
            with another `binarize`.
        """
        sizes, _ = self._check()
        with learning(self) as draft:
            is_first = not hasattr(self, "coefs_")
            rows = draft._read_units(X, reset=is_first)
            if is_first:
                random = check_random_state(draft.random_state)
                draft._begin(rows, sizes, random)
            else:
                fitted = [len(bias) for bias in self.intercepts_[1:]]
                if fitted != sizes:
                    raise ValueError(
                        f"hidden_layer_sizes must stay {fitted} after the first partial_fit, got "
                        f"{self.hidden_layer_sizes!r}"
                    )
                binarize = self._fitted_threshold()
                if self.binarize != binarize:
                    raise ValueError(
                        f"binarize must stay {binarize!r} after the first partial_fit, got "
                        f"{self.binarize!r}"
                    )
                rows = rows.astype(self.coefs_[0].dtype, copy=False)
                draft.coefs_ = [weight.copy() for weight in self.coefs_]
                draft.intercepts_ = [bias.copy() for bias in self.intercepts_]
                draft.particles_ = list(self.particles_)
                random = self.random_state_
                draft.reconstruction_errors_ = list(self.reconstruction_errors_)
            random = deepcopy(random)
            n_batches = -(-len(rows) // draft.batch_size)
            draft._pass(rows, [draft.learning_rate_init] * n_batches, random)
            draft.random_state_ = random
        return self

    def _check(self) -> tuple[list[int], Schedule]:
        """Check the parameters; return the sizes of hidden layers and a schedule of one's own."""
        self._validate_params()
        schedule = copy(make_schedule(self.learning_rate))
        schedule.check()
        if isinstance(schedule, Adaptive):
            raise ValueError(
                "learning_rate of DeepBoltzmannMachine must be a schedule that looks at no loss, "
                f"got {schedule!r}: the likelihood is not known while it is trained"
            )
        return read_sizes(self.hidden_layer_sizes), schedule

    def _begin(self, rows: np.ndarray, sizes: list[int], random: np.random.RandomState) -> None:
        """Set first weights and particles."""
        self.coefs_, self.intercepts_, self.particles_ = drawn_machine(
            [rows.shape[1], *sizes], self.n_particles, rows.dtype, random
        )
        self.reconstruction_errors_: list[float] = []
        self.n_iter_ = 0

    def _pass(self, rows: np.ndarray, rates: list[float], random: np.random.RandomState) -> None:
        """Train on all rows once, in minibatches with these learning rates."""
        error = train_once(
            self._units(),
            rows,
            self.particles_,
            rates,
            random,
            batch_size=self.batch_size,
            mean_field_steps=self.mean_field_steps,
            gibbs_steps=self.gibbs_steps,
            alpha=self.alpha,
        )
        self.n_iter_ += 1
        self.reconstruction_errors_.append(error)

    def _units(self) -> LayeredUnits:
        return LayeredUnits(self.coefs_, self.intercepts_)
