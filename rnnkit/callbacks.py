"""Callbacks for what scikit-learn's lack: keep the best epoch in a file, limit time, write logs.

They are set on the estimator that trains, ``estimator.set_callbacks(TimeLimit(60))``, and look at
each of its epochs, of L-BFGS at each iteration. A function, or an object of one's own with
``on_epoch_end(epoch)``, does as well.
"""

from __future__ import annotations

import csv
import math
import os
from numbers import Real
from typing import Any

from rnnkit.exceptions import MissingExtraError
from rnnkit.persistence import save
from rnnkit.training import Epoch, EpochCallback

__all__ = ["CSVLogger", "Checkpoint", "OptunaPruning", "TensorBoardLogger", "TimeLimit"]

COLUMNS = (
    "epoch",
    "loss",
    "score",
    "validation_loss",
    "validation_score",
    "learning_rate",
    "seconds",
)

MONITORED = ("validation_score", "validation_loss", "loss")


class Checkpoint(EpochCallback):
    """Keep the best epoch so far in a file that `rnnkit.load` reads.

    The file appears whole or not at all, and holds the fitted estimator as if `fit` had ended
    with that epoch. It stays if the training is then cut off.

    Parameters
    ----------
    path : str or path-like
        The file. ``{epoch}`` in it becomes the number of the epoch, so that each has a file of its
        own, and ``{task}`` the place of the fit in a search, such as 0-0-3-1.
    best_only : bool, default=True
        Whether only an epoch that is the best so far is written: by what is monitored of the
        validation, or the training loss if there is none. False: every epoch.
    include_training_state : bool, default=False
        As in `rnnkit.save`; what `partial_fit` goes on from is in a file only if it was trained
        by `partial_fit`.

    Raises
    ------
    TypeError
        In the first epoch, if a parameter of the estimator is none that a file carries.
    OSError
        If the file cannot be written. The training has then not happened.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import rnnkit
    >>> from rnnkit.callbacks import Checkpoint
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> model = rnnkit.GRUClassifier(4, max_iter=3, learning_rate="linear", random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "best.safetensors")
    ...     model = model.set_callbacks(Checkpoint(path)).fit(X, X[:, 0, 0] > 0)
    ...     best = rnnkit.load(path)
    >>> len(best.loss_curve_) == model.best_epoch_
    True
    """

    def __init__(
        self, path: Any, *, best_only: bool = True, include_training_state: bool = False
    ) -> None:
        self.path = _path(path)
        self.best_only = best_only
        self.include_training_state = include_training_state

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write the epoch to the file, if it is to be kept.

        Parameters
        ----------
        epoch : Epoch
        """
        if epoch.is_best or not self.best_only:
            path = _filled(self.path, epoch)
            save(epoch.fitted(), path, include_training_state=self.include_training_state)

    def __repr__(self) -> str:
        return f"Checkpoint({self.path!r})"


class TimeLimit(EpochCallback):
    """End a training with the first epoch that ends later than so many seconds after its begin.

    Parameters
    ----------
    seconds : float
        Above 0. An epoch under way is not cut off; `partial_fit`, which is one epoch, never is.

    Raises
    ------
    ValueError
        If it is not a number above 0.

    Examples
    --------
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.callbacks import TimeLimit
    >>> classifier = GRUClassifier(max_iter=1000).set_callbacks(TimeLimit(60))
    """

    def __init__(self, seconds: float) -> None:
        is_number = isinstance(seconds, Real) and not isinstance(seconds, bool)
        if not is_number or not seconds > 0 or math.isinf(seconds):
            raise ValueError(f"seconds must be a number above 0, got {seconds!r}")
        self.seconds = seconds

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Return whether the time is over.

        Parameters
        ----------
        epoch : Epoch

        Returns
        -------
        bool
        """
        return bool(epoch.elapsed >= self.seconds)

    def __repr__(self) -> str:
        return f"TimeLimit({self.seconds!r})"


class CSVLogger(EpochCallback):
    """Write a line per epoch to a file of comma-separated values.

    The columns are epoch, loss, score, validation_loss, validation_score, learning_rate and
    seconds; what is not known is left empty. Each line is in the file when the next epoch begins.
    The first epoch of a training begins the file anew; `warm_start` and `partial_fit` go on in it.

    Parameters
    ----------
    path : str or path-like
        The file. ``{task}`` in it becomes the place of the fit in a search, such as 0-0-3-1.
    training_score : bool, default=False
        Whether the score of the training data is written too, which costs a pass over them.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.callbacks import CSVLogger
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "log.csv")
    ...     model = GRUClassifier(4, max_iter=3, learning_rate="linear", random_state=0)
    ...     model = model.set_callbacks(CSVLogger(path)).fit(X, X[:, 0, 0] > 0)
    ...     with open(path) as file:
    ...         lines = file.read().splitlines()
    >>> lines[0]
    'epoch,loss,score,validation_loss,validation_score,learning_rate,seconds'
    >>> len(lines)
    4
    """

    def __init__(self, path: Any, *, training_score: bool = False) -> None:
        self.path = _path(path)
        self.training_score = training_score

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write the epoch's line.

        Parameters
        ----------
        epoch : Epoch
        """
        figures = _figures(epoch, training_score=self.training_score)
        path = _filled(self.path, epoch)
        begins = epoch.epoch == 1 or not os.path.exists(path) or not os.path.getsize(path)
        with open(path, "w" if begins else "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if begins:
                writer.writeheader()
            writer.writerow({"epoch": epoch.epoch, **figures})

    def __repr__(self) -> str:
        return f"CSVLogger({self.path!r})"


class TensorBoardLogger(EpochCallback):
    """Write the curves of a training for TensorBoard, through the package tensorboardX.

    The figures are those of `CSVLogger`, over the number of the epoch.

    Parameters
    ----------
    folder : str or path-like
        The log folder. ``{task}`` in it becomes the place of the fit in a search, such as 0-0-3-1.
    training_score : bool, default=False
        Whether the score of the training data is written too, which costs a pass over them.

    Raises
    ------
    MissingExtraError
        If tensorboardX is not installed: ``pip install "rnnkit[tensorboard]"``.
    """

    def __init__(self, folder: Any, *, training_score: bool = False) -> None:
        self.folder = _path(folder)
        self.training_score = training_score
        self._writers: dict[int, Any] = {}
        _summary_writer()

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write the epoch's figures.

        Parameters
        ----------
        epoch : Epoch
        """
        key = id(epoch.estimator)
        if key not in self._writers:
            self._writers[key] = _summary_writer()(_filled(self.folder, epoch))
        writer = self._writers[key]
        for name, figure in _figures(epoch, training_score=self.training_score).items():
            writer.add_scalar(name, figure, epoch.epoch)
        writer.flush()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Close the log of a fit.

        Parameters
        ----------
        estimator, context
            As in `setup`.
        """
        writer = self._writers.pop(id(estimator), None)
        if writer is not None:
            writer.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_writers": {}}  # a copy in another process has logs of its own

    def __repr__(self) -> str:
        return f"TensorBoardLogger({self.folder!r})"


class OptunaPruning(EpochCallback):
    """Report every epoch to a trial of optuna, and end the training if the study prunes it.

    The training is then ended by `optuna.TrialPruned`, which the objective need not catch: nothing
    was learnt, and the study goes on with its next trial. For the one fit of a trial: the folds of
    a cross-validation would report the same epochs again.

    Parameters
    ----------
    trial : optuna.Trial
        What the objective got.
    monitor : {"validation_score", "validation_loss", "loss"}, default="validation_score"
        What is reported: the figure, or one like it, that the objective returns. The training loss
        says nothing of other data.

    Raises
    ------
    MissingExtraError
        If optuna is not installed: ``pip install "rnnkit[optuna]"``.
    ValueError
        If `monitor` is none of these; in the first epoch, if the fit has no validation, or the
        study maximizes and `monitor` is a loss, or the other way round.

    Examples
    --------
    How a study uses it::

        def objective(trial):
            size = trial.suggest_int("hidden_size", 8, 128, log=True)
            model = GRUClassifier(size, early_stopping=True)
            model.set_callbacks(OptunaPruning(trial)).fit(X, y)
            return model.best_validation_score_

        optuna.create_study(direction="maximize").optimize(objective, n_trials=50)
    """

    def __init__(self, trial: Any, monitor: str = "validation_score") -> None:
        if monitor not in MONITORED:
            raise ValueError(f"monitor must be one of {list(MONITORED)}, got {monitor!r}")
        self.trial = trial
        self.monitor = monitor
        _pruned()

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Report the epoch, and ask whether the trial is worth going on with.

        Parameters
        ----------
        epoch : Epoch
        """
        if epoch.epoch == 1:
            self._check_direction()
        if self.monitor not in epoch.logs:
            raise ValueError(
                f"{self!r} finds no {self.monitor} in this fit; set early_stopping=True, or give "
                "X_val and y_val, or monitor='loss'"
            )
        self.trial.report(float(epoch.logs[self.monitor]), epoch.epoch)
        if self.trial.should_prune():
            raise _pruned()(f"pruned after epoch {epoch.epoch}")

    def _check_direction(self) -> None:
        direction = getattr(getattr(self.trial, "study", None), "direction", None)
        wanted = "MAXIMIZE" if self.monitor.endswith("score") else "MINIMIZE"
        if direction is not None and direction.name != wanted:
            raise ValueError(
                f"{self!r} would prune the best trials: the study has the direction "
                f"{direction.name.lower()}, {self.monitor} is to {wanted.lower()}"
            )

    def __repr__(self) -> str:
        return f"OptunaPruning(monitor={self.monitor!r})"


def _pruned() -> Any:
    try:
        from optuna import TrialPruned
    except ImportError:
        raise MissingExtraError("optuna", "optuna", "OptunaPruning") from None
    return TrialPruned


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise MissingExtraError("tensorboardX", "tensorboard", "TensorBoardLogger") from None
    return SummaryWriter


def _figures(epoch: Epoch, *, training_score: bool) -> dict[str, float]:
    """Return what is known of an epoch, by its column."""
    known = dict(epoch.logs)
    if training_score:
        known["score"] = epoch.training_score()
    return {name: known[name] for name in COLUMNS if name in known}


def _path(path: Any) -> str:
    return os.fsdecode(os.fspath(path))


def _filled(path: str, epoch: Epoch) -> str:
    """Return a path for this epoch of this fit; other braces in it stay as they are."""
    return path.replace("{epoch}", str(epoch.epoch)).replace("{task}", epoch.task)
