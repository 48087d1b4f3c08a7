"""`fit`: where the pieces are, one task for each worker that has some, and who is waited for."""

from __future__ import annotations

import os
import time
import uuid
import warnings
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from sklearn.utils import check_random_state

from rnnkit.distributed.collective import Abandoned, RankGone, WorkerLostError
from rnnkit.distributed.extra import need_dask, need_xgboost
from rnnkit.distributed.partitions import Frame, Pieces, is_lazy
from rnnkit.distributed.sources import StoredSequences
from rnnkit.distributed.stored import fit_stored
from rnnkit.distributed.task import Job, Outcome, free_tracker, start_tracker, train
from rnnkit.estimators.adversarial.learning import AdversarialLearning
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.own_steps import OwnStepsLearning
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.reservoir.evolino import Evolino
from rnnkit.estimators.reservoir.readout import ClosedForm
from rnnkit.estimators.transaction import learning

__all__ = ["fit"]

BEATS = 0.05  # seconds between two looks at the tasks
LOOKS = 0.5  # seconds between two looks at the workers
PATIENCE = 5.0  # seconds for the other ranks to tell why they ended
MEETING = 300  # seconds within which all ranks have to begin
RESTARTS = 3  # workers that a training with a checkpoint may lose


def fit(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    client: Any = None,
    sample_weight: Any = None,
    lengths: Any = None,
    validation_data: Any = None,
    group: Any = None,
    sort: Any = None,
    columns: Any = None,
    target: Any = None,
    checkpoint: Any = None,
) -> Any:
    """Fit an estimator on data that lie on the workers of a dask cluster.

    The model is the one that ``estimator.fit(X, y)`` gives on one machine with all data in the
    order of their partitions: every minibatch is cut from all sequences, each worker computes
    the gradient of those that it has, and one all-reduce a step adds them up. The weights differ
    by rounding alone, whatever the number of workers; the same partitions on as many workers give
    the same bits. The steps of X stay where they are. Targets, weights and lengths of all
    sequences are sent to every worker, which has to hold them.

    Parameters
    ----------
    estimator : classifier, regressor, tagger, sequence regressor, labeller, language model or \
encoder-decoder
        Fitted in place. ``device="cpu"`` or ``"reference"``, and no callbacks. A language model or
        an encoder-decoder gets all of X on every worker, which computes its share of each
        minibatch.
    X : dask array, bag or frame, list of delayed objects or futures, StoredSequences, or what \
`fit` takes
        An array (N, T, I) or (N, T·I), cut along its first axis; a bag of arrays (T_i, I); objects
        that become `Sequences`, arrays or lists; a long frame with `group`. Data in memory are
        cut into one part for each worker and sent. `StoredSequences` are trained on here, without a
        cluster, a few blocks at a time: every epoch visits the blocks in another order and
        shuffles the sequences of four of them together.
    y : like X, or in memory, default=None
        With as many partitions as X, or of all sequences.
    client : distributed.Client, default=None
        None takes the current one.
    sample_weight : like y, default=None
    lengths : like X, default=None
        Steps of every sequence of a dense X.
    validation_data : tuple (X_val, y_val), default=None
        In memory; as in `fit`.
    group, sort, columns, target : str or list of str, default=None
        How a long frame is read (`rnnkit.Sequences.from_frame`). Steps of a group are brought
        together unless the frame's index is `group` and its divisions are known.
    checkpoint : str or path-like, default=None
        A file that every worker can reach. It holds the last epoch, as a fitted estimator that
        `rnnkit.load` reads. If a worker is lost, the training goes on from there on the
        others; so does a later call of the same estimator. It is removed when the training ends.

    Returns
    -------
    estimator

    Raises
    ------
    MissingExtraError
        If dask, distributed or xgboost is not installed.
    TypeError
        If it is no estimator of these, such as a pipeline or a search.
    ValueError
        If an argument is not what is allowed; as `fit` of the estimator.
    MemoryError
        If the data of a worker and their copy exceed its memory limit.
    WorkerLostError
        If a worker is lost. The estimator is then as it was.

    See Also
    --------
    predict : Predictions of dask collections, partition by partition.

    Notes
    -----
    Masks and noise are drawn for all of a minibatch on each rank, so that they do not depend on
    the number of workers; for encoder-decoders, for spelling columns and where a minibatch is
    computed in parts each rank draws its own. What `verbose` asks for is printed by the first
    worker. A float32 loss is summed as two of them.
    """
    if isinstance(X, StoredSequences):
        more = {"sample_weight": sample_weight, "validation_data": validation_data}
        others = {"client": client, "lengths": lengths, "group": group, "sort": sort}
        others |= {"columns": columns, "target": target, "checkpoint": checkpoint}
        for name, value in others.items():
            if value is not None:
                raise ValueError(f"{name} must be None where X is StoredSequences, got {value!r}")
        _check_kind(estimator)
        check_parameters(estimator)
        return fit_stored(estimator, X, y, more)
    need_dask("rnnkit.distributed.fit")
    from distributed import Client

    client = Client.current() if client is None else client
    _check(estimator)
    path = None if checkpoint is None else os.path.abspath(os.fsdecode(os.fspath(checkpoint)))
    frame = None
    if group is not None:
        per = "step" if estimator._per_step else "sequence"
        frame = Frame(group, sort, columns, target, per)
        X = _grouped(X, group)
    elif not (sort is None and columns is None and target is None):
        raise ValueError("sort, columns and target belong to a long frame; give group too")
    pieces = Pieces(X, y, sample_weight, lengths, frame)
    with learning(estimator) as draft:
        outcome = _fit(client, draft, pieces, validation_data, path)
        learnt = outcome.learnt
        learnt["_built_with"] = {**learnt["_built_with"], "random_state": draft.random_state}
        for name in ("_trainer", "_training_state", "_trained_with"):
            vars(draft).pop(name, None)
        vars(draft).update(learnt)
    for text, category in outcome.warnings:
        warnings.warn(text, category, stacklevel=2)
    return estimator


def _check_kind(estimator: Any) -> None:
    """Raise TypeError unless an estimator is one with a training of its own."""
    kind = type(estimator).__name__
    if not isinstance(estimator, RecurrentEstimator):
        remedy = ""
        if hasattr(estimator, "steps"):
            remedy = "; transform X first, partition by partition, and give the last step alone"
        elif hasattr(estimator, "best_estimator_") or hasattr(estimator, "param_grid"):
            remedy = '; a search runs on dask by joblib.parallel_backend("dask")'
        raise TypeError(
            "rnnkit.distributed.fit takes a classifier, regressor, tagger, sequence regressor, "
            f"labeller, language model or encoder-decoder of rnnkit, got {kind}{remedy}"
        )
    for refused, what, why in (
        (
            AdversarialLearning,
            "generator of series",
            "its two networks learn in turn from noise that the ranks would draw apart; fit it in "
            "one process",
        ),
        (
            OwnStepsLearning,
            "estimator that learns from X alone",
            "the ranks share out X and y; fit it in one process",
        ),
        (
            Evolino,
            "Evolino network",
            "each candidate of its population is judged by all data; fit it in one process",
        ),
        (
            ClosedForm,
            "echo state network",
            "its readout follows from sums that partial_fit adds up, partition by partition",
        ),
    ):
        if isinstance(estimator, refused):
            raise TypeError(f"rnnkit.distributed.fit takes no {what}, got {kind}: {why}")


def _check(estimator: Any) -> None:
    """Raise unless an estimator can be fitted by several ranks."""
    _check_kind(estimator)
    check_parameters(estimator)
    if estimator.device not in ("cpu", "reference"):
        raise ValueError(
            f"device must be 'cpu' or 'reference' in rnnkit.distributed.fit, got "
            f"{estimator.device!r}"
        )
    if getattr(estimator, "token_dropout", 0):
        raise ValueError(
            "token_dropout must be 0 in rnnkit.distributed.fit, which does not count the tokens "
            f"of all workers, got {estimator.token_dropout!r}"
        )
    if any(shape.batch_norm for shape in getattr(estimator, "convolutions", None) or ()):
        raise ValueError(
            "convolutions must be of batch_norm=False in rnnkit.distributed.fit, whose ranks hold "
            f"parts of a minibatch, got {estimator.convolutions!r}"
        )
    if getattr(estimator, "_skl_callbacks", None):
        raise ValueError(
            f"rnnkit.distributed.fit calls no callbacks, got {estimator._skl_callbacks!r}; "
            "set_callbacks() removes them, and checkpoint= keeps the last epoch"
        )


def _grouped(X: Any, group: Any) -> Any:
    """Return a frame of dask whose partitions hold whole groups."""
    if not hasattr(X, "divisions"):
        return X
    names = [group] if isinstance(group, str) else list(group)
    if X.index.name in names:
        if len(names) == 1 and X.known_divisions:
            return X.reset_index()
        X = X.reset_index()
    return X.shuffle(on=names)


def _fit(
    client: Any, estimator: Any, pieces: Pieces, validation_data: Any, path: str | None
) -> Outcome:
    shipped = _shipped(estimator)
    n_lost = 0
    while True:
        try:
            return _train_once(client, shipped, pieces, validation_data, path)
        except WorkerLostError:
            n_lost += 1
            if path is None or n_lost > RESTARTS or not _workers(client):
                raise


def _shipped(estimator: Any) -> Any:
    """Return what the ranks get: an estimator whose seed is the same for all of them."""
    copy = object.__new__(type(estimator))
    vars(copy).update(vars(estimator))
    for name in ("_trainer", "_training_state", "_trained_with"):
        vars(copy).pop(name, None)
    if not isinstance(estimator.random_state, (int, np.integer)):
        rng = check_random_state(estimator.random_state)
        copy.random_state = int(rng.randint(np.iinfo(np.int32).max))
    return copy


def _train_once(
    client: Any, estimator: Any, pieces: Pieces, validation_data: Any, path: str | None
) -> Outcome:
    from distributed import MultiLock

    held = _placed(client, pieces)
    futures: list[Any] = [future for of_worker in held.values() for _, future in of_worker]
    try:
        addresses = sorted(held, key=lambda address: held[address][0][0])
        _check_memory(client, held)
        lock = MultiLock(addresses, client)
        with lock:
            job = Job(
                uuid.uuid4().hex,
                estimator,
                addresses,
                {},
                lock.id,
                pieces.whole.get("y"),
                pieces.whole.get("sample_weight"),
                validation_data,
                path,
            )
            try:
                job.tracker = _start_tracker(client, job)
                (told,) = client.scatter([job], broadcast=len(addresses) > 1, hash=False)
                tasks = [
                    client.submit(
                        train,
                        told,
                        rank,
                        *[future for _, future in held[address]],
                        workers=[address],
                        allow_other_workers=True,
                        pure=False,
                        key=f"rnnkit-rank-{rank}-{job.name}",
                    )
                    for rank, address in enumerate(addresses)
                ]
                futures += [told, *tasks]
                _wait(client, tasks, addresses)
                outcome: Outcome = tasks[0].result()
                return outcome
            finally:
                client.cancel(futures, force=True)
                _end_tracker(client, job)
    finally:
        client.cancel(futures, force=True)


def _placed(client: Any, pieces: Pieces) -> dict[str, list[tuple[int, Any]]]:
    """Make the pieces; return those of each worker that holds some, with their numbers.

    What lies on the workers already stays there. Else neighbouring partitions go to one worker,
    always in the same way, since the order in which gradients are added decides of the last bits.
    """
    from distributed import futures_of, wait

    workers = _workers(client)
    if not workers:
        raise WorkerLostError("the cluster has no workers")
    planned = pieces.planned(client, workers)
    n = len(planned)
    lies_there = is_lazy(pieces.X) and bool(futures_of(pieces.X))
    n_used = min(n, len(workers))
    plan = [workers[i * n_used // n] for i in range(n)]
    futures: list[Any] = []
    if lies_there:
        futures = client.compute(planned)
    else:
        for address in workers[:n_used]:
            own = [piece for piece, planned_for in zip(planned, plan) if planned_for == address]
            futures += client.compute(own, workers=[address], allow_other_workers=True)
    try:
        wait(futures)
        for number, future in enumerate(futures):
            if future.status != "finished":
                _raise_of_piece(number, future)
        holders = client.who_has(futures)
    except BaseException:
        client.cancel(futures, force=True)
        raise
    held: dict[str, list[tuple[int, Any]]] = {}
    for number, future in enumerate(futures):
        found = holders.get(future.key) or ()
        if not found:
            raise WorkerLostError(f"partition {number} of X is on no worker any more")
        address = plan[number] if plan[number] in found else min(found)
        held.setdefault(address, []).append((number, future))
    return held


def _raise_of_piece(number: int, future: Any) -> None:
    """Raise what kept a piece from being made."""
    from distributed.scheduler import KilledWorker

    error = future.exception() if future.status == "error" else None
    if error is None or isinstance(error, KilledWorker):
        raise WorkerLostError(
            f"partition {number} of X was lost with its worker: killed, out of memory or not "
            "reached. Persisted data are gone then; give them lazily to have them made again"
        ) from error
    raise error


def _workers(client: Any) -> list[str]:
    """Return the addresses of the workers, in an order that does not change from run to run."""
    names = {address: told["name"] for address, told in _told_of_workers(client).items()}
    return sorted(names, key=lambda address: (str(type(names[address])), names[address]))


def _told_of_workers(client: Any) -> dict[str, Any]:
    """Return what the scheduler says of each worker by its address."""
    told: dict[str, Any] = client.sync(client.scheduler.identity)["workers"]
    return told


def _check_memory(client: Any, held: dict[str, list[tuple[int, Any]]]) -> None:
    """Raise MemoryError if a worker's pieces and their copy exceed its limit."""
    sizes: dict[str, int] = client.nbytes(summary=False)
    workers = _told_of_workers(client)
    for address, pieces in held.items():
        size = sum(sizes.get(future.key, 0) for _, future in pieces)
        limit = workers.get(address, {}).get("memory_limit") or 0
        if limit and 2 * size > limit:
            raise MemoryError(
                f"the worker {address} holds {size} bytes of X and y, which a training joins in a "
                f"copy, and its memory limit is {limit} bytes; use more workers, a larger limit, "
                "or float32"
            )


def _start_tracker(client: Any, job: Job) -> dict[str, Any]:
    if len(job.addresses) == 1:
        return {}
    need_xgboost("rnnkit.distributed.fit on several workers")
    host = urlsplit(job.addresses[0]).hostname
    where = {"workers": [job.addresses[0]], "pure": False, "allow_other_workers": False}
    future = client.submit(start_tracker, job.name, len(job.addresses), host, MEETING, **where)
    arguments: dict[str, Any] = future.result(timeout=MEETING)
    return arguments


def _end_tracker(client: Any, job: Job) -> None:
    """End the tracker of a training whose first rank never began."""
    if job.tracker and job.addresses[0] in client.nthreads():
        client.run(free_tracker, job.name, workers=[job.addresses[0]], on_error="ignore")


def _wait(client: Any, tasks: Sequence[Any], addresses: Sequence[str]) -> None:
    """Return when all tasks have ended well; raise what is to blame otherwise."""
    looked = time.monotonic()
    while not all(task.status == "finished" for task in tasks):
        if any(task.status in ("error", "lost", "cancelled") for task in tasks):
            _raise_of_tasks(client, tasks, addresses)
        now = time.monotonic()
        if now - looked > LOOKS:
            looked = now
            _refuse_lost(client, addresses)
        time.sleep(BEATS)


def _raise_of_tasks(client: Any, tasks: Sequence[Any], addresses: Sequence[str]) -> None:
    """Raise the error that the others follow from."""
    until = time.monotonic() + PATIENCE
    errors: list[BaseException] = []
    while time.monotonic() < until:
        errors = [task.exception() for task in tasks if task.status == "error"]
        told = [e for e in errors if not isinstance(e, (RankGone, Abandoned))]
        if told and not any(type(e).__name__ == "KilledWorker" for e in told):
            raise told[0]
        _refuse_lost(client, addresses)
        if all(task.status != "pending" for task in tasks):
            break
        time.sleep(BEATS)
    raise WorkerLostError(
        "the ranks of a training lost each other: a worker was killed, ran out of memory or is "
        f"not reached. {errors[0] if errors else ''}"
    )


def _refuse_lost(client: Any, addresses: Sequence[str]) -> None:
    lost = [address for address in addresses if address not in client.nthreads()]
    if lost:
        raise WorkerLostError(
            f"the worker {', '.join(lost)} was lost in the middle of a training: killed, out of "
            "memory (see its memory limit) or not reached. The estimator is as it was; with "
            "checkpoint=path a training goes on from its last epoch"
        )
