"""What runs on a worker: one rank of a training, from its partitions to the fitted estimator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from rnnkit.distributed.collective import Abandoned, AllReduce, RankGone
from rnnkit.distributed.ranks import Piece, Progress, Ranks, as_rank, on_its_own
from rnnkit.estimators.parameters.field import equal
from rnnkit.estimators.watching import Watcher
from rnnkit.persistence import load, save
from rnnkit.training import Epoch, Trainer

__all__ = ["Job", "Outcome", "free_tracker", "start_tracker", "train"]

_trackers: dict[str, Any] = {}  # of the trainings whose first rank is in this process

LEAVE = 5  # seconds that ranks which end together have to take leave of each other

OF_A_RANK = ("_ranks", "_trainer", "_training_state", "_trained_with")


@dataclass(eq=False)
class Job:
    """A training, as all its ranks are told of it.

    Parameters
    ----------
    name : str
        Of this training alone.
    estimator : estimator
    addresses : list of str
        The worker of each rank.
    tracker : dict
        How the ranks find each other.
    lock : str
        The id of the lock that the client holds.
    y, sample_weight, validation_data
        Where they were given whole.
    checkpoint : str or None
    """

    name: str
    estimator: Any
    addresses: list[str]
    tracker: dict[str, Any]
    lock: str
    y: Any
    sample_weight: Any
    validation_data: Any
    checkpoint: str | None


@dataclass(eq=False)
class Outcome:
    """What the first rank gives back: attributes learnt, and warnings with their categories."""

    learnt: dict[str, Any]
    warnings: list[tuple[str, type[Warning]]]


def start_tracker(name: str, n_ranks: int, host: str, seconds: int) -> dict[str, Any]:
    """Begin to wait for the ranks of a training; return how they find each other."""
    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=n_ranks, host_ip=host, sortby="task", timeout=seconds)
    tracker.start()
    _trackers[name] = tracker
    arguments: dict[str, Any] = tracker.worker_args()
    return arguments


def free_tracker(name: str, patience: int = 0) -> None:
    """End the waiting, if it has not ended: at once, or when all ranks have taken leave."""
    tracker = _trackers.pop(name, None)
    if tracker is not None:
        try:
            if patience:
                tracker.wait_for(patience)
            tracker.free()
        except Exception:  # of a training that has failed, as is told elsewhere
            return


def train(job: Job, rank: int, *pieces: Piece) -> Outcome | None:
    """Train as one of the ranks; only the first returns what was learnt."""
    from distributed import get_worker

    worker = get_worker()
    if worker.address != job.addresses[rank]:
        raise RankGone(f"the worker {job.addresses[rank]} of rank {rank} is gone")
    is_abandoned = _abandonment(worker)
    patience = 0
    try:
        with (
            threadpool_limits(worker.state.nthreads, "openmp"),
            warnings.catch_warnings(record=True) as caught,
            AllReduce(len(job.addresses), job.tracker, rank, is_abandoned) as communicator,
        ):
            warnings.simplefilter("always")
            learnt = _learn(job, communicator, list(pieces))
        patience = LEAVE
    except Abandoned:
        patience = LEAVE
        _release(job.lock)
        raise
    finally:
        if rank == 0:
            free_tracker(job.name, patience)
    if rank:
        return None
    return Outcome(learnt, [(str(told.message), told.category) for told in caught])


def _learn(job: Job, communicator: AllReduce, pieces: list[Piece]) -> dict[str, Any]:
    """Fit; return the attributes that this gave the estimator."""
    estimator = job.estimator
    original = type(estimator)
    names = estimator.get_params(deep=False).keys()
    ranks = Ranks(communicator, job.y, job.sample_weight)
    keeper = None
    if job.checkpoint is not None:
        keeper = _Keeper(job.checkpoint, communicator.rank, estimator.get_params())
        ranks.before = keeper.read(original, communicator)
    as_rank(estimator, ranks)
    is_first = communicator.rank == 0
    watcher = _RankWatcher(estimator, is_first, keeper)
    estimator._fit(pieces, None, None, job.validation_data, None, watcher)
    on_its_own(estimator)
    if keeper is not None:
        keeper.remove()
    learnt = vars(estimator)
    return {n: v for n, v in learnt.items() if n not in names and n not in OF_A_RANK}


class _RankWatcher(Watcher):
    """Prints on the first rank alone, and keeps checkpoints."""

    def __init__(self, estimator: Any, is_first: bool, keeper: _Keeper | None) -> None:
        super().__init__(estimator, "fit", None, {})
        if not is_first:
            self._printer = None
        self._keeper = keeper

    def follow(self, draft: Any, trainer: Trainer, *more: Any) -> tuple[Any, ...]:
        watchers = super().follow(draft, trainer, *more)
        if self._keeper is None:
            return watchers
        self._keeper.trainer = trainer
        return (*watchers, self._keeper)


class _Keeper:
    """Keeps the last epoch in a file, from which a training goes on.

    It is written when the next epoch begins: what ends an epoch has happened by then.

    Parameters
    ----------
    path : str
    rank : int
        The first writes.
    parameters : dict
        What the estimator's parameters must be to go on.
    """

    trainer: Trainer

    def __init__(self, path: str, rank: int, parameters: dict[str, Any]) -> None:
        self._path = path
        self._rank = rank
        self._parameters = parameters
        self._fitted: Any = None

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Take a copy of what was learnt, for which all ranks are needed."""
        self._fitted = on_its_own(epoch.fitted())

    def on_epoch_begin(self) -> None:
        """Write what the last epoch ended with."""
        fitted, self._fitted = self._fitted, None
        if fitted is not None and self._rank == 0:
            fitted._training_state = self.trainer.state()
            fitted._trained_with = self._parameters
            save(fitted, self._path, include_training_state=True)

    def remove(self) -> None:
        """Remove the file of a training that has ended."""
        if self._rank == 0 and os.path.exists(self._path):
            os.remove(self._path)

    def read(self, cls: type, communicator: AllReduce) -> Progress | None:
        """Return where the file's training stood, to all ranks; None if there is no file."""
        found = None
        if self._rank == 0 and os.path.exists(self._path):
            found = self._progress(load(self._path), cls)
        before: Progress | None = communicator.gather(found)[0]
        return before

    def _progress(self, kept: Any, cls: type) -> Progress:
        is_of_kind = type(kept) is cls
        if not is_of_kind or not hasattr(kept, "_training_state"):
            raise ValueError(
                f"checkpoint={self._path!r} holds no training of a {cls.__name__} that could go on"
            )
        with_others = kept._trained_with
        for name, value in self._parameters.items():
            if not equal(with_others.get(name), value):
                raise ValueError(
                    f"checkpoint={self._path!r} is of a training with {name}="
                    f"{with_others.get(name)!r}, and {name} is {value!r} now; remove the file to "
                    "begin anew"
                )
        return Progress(
            kept._training_state,
            kept.loss_curve_,
            kept.validation_loss_curve_,
            kept.validation_scores_,
        )


def _abandonment(worker: Any) -> Callable[[], bool]:
    """Return whether the scheduler has taken back the task that runs in this thread."""
    key = worker.get_current_task()
    tasks = worker.state.tasks

    def is_abandoned() -> bool:
        task = tasks.get(key)
        return task is None or task.state in ("cancelled", "released", "forgotten")

    return is_abandoned


def _release(lock: str) -> None:
    """Release the lock of a client that is gone; one that is there has done so itself."""
    from distributed import get_client

    def release(dask_scheduler: Any) -> None:  # sent as it is: rnnkit need not be there
        locks = dask_scheduler.extensions["multi_locks"]
        if lock in locks.requests:
            locks.release(id=lock)

    try:
        get_client().run_on_scheduler(release)
    except Exception:  # the cluster itself is about to end
        return
