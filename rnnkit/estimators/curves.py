"""The curves of a training, and the figures that are read off them."""

from __future__ import annotations

from collections.abc import Sized

import numpy as np

from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.fitted import FittedEstimator
from rnnkit.estimators.reader import Reader
from rnnkit.network import Network
from rnnkit.training import FitResult

__all__ = ["TrainedEstimator"]


class TrainedEstimator(FittedEstimator):
    """An estimator that tells how its training went."""

    def _forget_curves(self) -> None:
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] | None = None
        self.validation_scores_: list[float] | None = None
        self.best_epoch_: int | None = None
        self.t_ = 0

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
        """Keep what was learnt, of which examples, and how; `anew` forgets older curves."""
        if anew:
            self._forget_curves()
        self._reader, self._codec, self.network_ = reader, codec, network
        n_before = len(self.loss_curve_)
        self.n_iter_ = result.n_epochs
        self.n_threads_ = result.n_threads
        self.t_ += result.n_epochs * len(examples)
        self.loss_curve_ = self.loss_curve_ + result.loss_curve
        self.loss_ = result.loss
        self.best_loss_: float | None = None
        self.best_validation_score_: float | None = None
        if result.validation_scores is None:
            self.best_loss_ = min(self.loss_curve_, default=result.loss)
            if self.loss_curve_:
                self.best_epoch_ = int(np.argmin(self.loss_curve_)) + 1
            return
        curve = (self.validation_loss_curve_ or []) + (result.validation_losses or [])
        scores = (self.validation_scores_ or []) + result.validation_scores
        self.validation_loss_curve_, self.validation_scores_ = curve, scores
        self.best_validation_score_ = max(scores, default=np.nan)
        if result.best_epoch is not None:
            self.best_epoch_ = n_before + result.best_epoch
