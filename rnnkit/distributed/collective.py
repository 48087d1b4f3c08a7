"""The communicator of ranks in several processes, over the all-reduce of xgboost."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Scalar

__all__ = ["Abandoned", "AllReduce", "RankGone", "WorkerLostError"]

BEATS = 0.2  # seconds between two looks at whether anybody still waits for the training


class Abandoned(Exception):
    """Nobody waits for the training any more."""


class WorkerLostError(RuntimeError):
    """A worker of a dask cluster was lost in the middle of a training."""


class RankGone(ConnectionError):
    """Another rank does not answer."""


class AllReduce:
    """Sums over ranks: a `rnnkit.training.Communicator` that uses `xgboost.collective`.

    A step costs one all-reduce, of the gradient, the sum of losses and a number that says whether
    a rank wants to end. The ranks add up in a ring, in an order that their number alone decides.

    Parameters
    ----------
    n_ranks : int
        A single rank needs nobody, and xgboost is not imported.
    arguments : dict
        What `xgboost.tracker.RabitTracker.worker_args` gave.
    rank : int
        The number of this rank; the ranks of all have to be 0, 1, ...
    is_abandoned : callable
        Asked now and then; where it is true on one rank, `Abandoned` is raised on all of them.

    Raises
    ------
    RankGone
        By every method, if another rank has ended or is not reached.
    """

    is_repeatable = False

    def __init__(
        self,
        n_ranks: int,
        arguments: dict[str, Any],
        rank: int,
        is_abandoned: Callable[[], bool],
    ) -> None:
        self.n_ranks = n_ranks
        self.rank = rank
        self._is_abandoned = is_abandoned
        self._looked = 0.0
        self._buffer = np.empty(0)
        self._context: Any = None
        if n_ranks > 1:
            from xgboost import collective

            self._collective = collective
            # Ranks are sorted by text, as the tracker does. All that they connect to listens before
            # they hear of it; a second try would only keep who takes leave of the dead for 12 s.
            self._context = collective.CommunicatorContext(
                **arguments, dmlc_task_id=f"{rank:08d}", dmlc_retry=1
            )

    def __enter__(self) -> AllReduce:
        if self._context is not None:
            try:
                with redirect_stdout(StringIO()):  # which is told what rank this is
                    self._context.__enter__()
            except Exception as error:
                raise self._gone(error) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._context is not None:
            try:
                self._context.__exit__(*error)
            except Exception:  # the others have gone already, which is known or of no matter
                return

    def total(self, number: float) -> float:
        """Return the sum of a number over all ranks."""
        return float(self._sum(np.array([number, self._wish()]))[0])

    def largest(self, number: int) -> int:
        """Return the largest of a number over all ranks."""
        numbers = np.zeros(self.n_ranks + 1)
        numbers[self.rank], numbers[-1] = number, self._wish()
        return int(self._sum(numbers)[:-1].max())

    def all_reduce(self, gradient: Array, loss_sum: Scalar) -> Scalar:
        """Replace the flat gradient by its sum over all ranks; return the sum of the losses."""
        n, loss = len(gradient), float(loss_sum)
        buffer = self._buffer
        if buffer.shape != (n + 3,) or buffer.dtype != gradient.dtype:
            self._buffer = buffer = np.empty(n + 3, gradient.dtype)
        buffer[:n] = gradient
        buffer[n] = loss
        buffer[n + 1] = loss - float(buffer[n])  # what a float32 does not hold of it
        buffer[n + 2] = self._wish()
        joined = self._sum(buffer)
        gradient[...] = joined[:n]
        return float(joined[n]) + float(joined[n + 1])

    def gather(self, value: Any) -> list[Any]:
        """Return what each rank gave, in the order of the ranks."""
        if self._context is None:
            return [value]
        try:
            return [
                self._collective.broadcast((value,) if rank == self.rank else None, rank)[0]
                for rank in range(self.n_ranks)
            ]
        except Exception as error:
            raise self._gone(error) from error

    def _wish(self) -> float:
        """Return 1 if nobody waits any more, else 0."""
        now = time.monotonic()
        if now - self._looked < BEATS:
            return 0.0
        self._looked = now
        return float(self._is_abandoned())

    def _sum(self, numbers: np.ndarray) -> np.ndarray:
        """Return the sum over the ranks of numbers whose last says who wants to end."""
        joined = numbers
        if self._context is not None:
            try:
                joined = self._collective.allreduce(numbers, self._collective.Op.SUM)
            except Exception as error:
                raise self._gone(error) from error
        if joined[-1]:
            raise Abandoned("nobody waits for this training any more")
        return joined

    def _gone(self, error: Exception) -> RankGone:
        text = " ".join(str(error).split())
        return RankGone(f"rank {self.rank} does not reach another rank: {text:.200}")
