"""Who watches a fit: `set_callbacks`, scikit-learn's callbacks and rnnkit's own, what is printed.

`sklearn.callback` is experimental, and what of it is used stands here alone. Where it is missing,
`set_callbacks` takes rnnkit's own callbacks and functions. Without callbacks nothing here is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from rnnkit.estimators.transaction import at_this_moment, has_turn, learning
from rnnkit.sequences import Sequences
from rnnkit.training import (
    Callback,
    Epoch,
    EpochCallback,
    FitResult,
    PrintProgress,
    Trainer,
    ends_training,
)

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
    from sklearn.callback import FitCallback as SklearnCallback
except ImportError:  # an experimental part of scikit-learn
    from rnnkit.estimators.own_callbacks import (
        CallbackSupportMixin,
        SklearnCallback,
        with_callbacks,
    )

__all__ = [
    "CallbackSupport",
    "Watcher",
    "as_if_ended",
    "fitting_inside",
    "handing_on",
    "learning_watched",
]

# What only a fit under way, or a later one, has use for.
OF_A_FIT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx")
OF_TRAINING = ("_trainer", "_training_state", "_trained_with")

_tear_down: Callable[[Any], Any] = with_callbacks(
    lambda estimator: None
)  # what `_init_callback_context` has set up


class CallbackSupport(CallbackSupportMixin):
    """An estimator on which callbacks can be set."""

    _has_epochs: ClassVar[bool] = False

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set what watches a fit, in place of what did.

        Clones and pickles have them too, a file of `rnnkit.save` does not.

        Parameters
        ----------
        *callbacks : callback, object with `on_epoch_end`, or callable
            Callbacks of scikit-learn (`sklearn.callback`); those of `rnnkit.callbacks`, or any
            object with a method ``on_epoch_end(epoch)``; functions, which are called with the
            epoch. An epoch is a `rnnkit.training.Epoch`; returning True ends the training after
            it. None at all: nothing watches any more.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If one is neither. What was set stays.
        """
        return super().set_callbacks(*map(_as_callback, callbacks))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in OF_A_FIT}

    def __copy__(self) -> Any:
        # Also what scikit-learn makes of the estimator for a callback while it is being fitted.
        if has_turn(self):
            return _without(self, "_skl_callbacks", *OF_A_FIT, *OF_TRAINING)
        copy: Any = object.__new__(type(self))
        state: Any = self.__getstate__()
        copy.__setstate__(dict(state))
        return copy


class _Told(EpochCallback):
    """A function, or an object with `on_epoch_end`, as a callback of scikit-learn too."""

    def __init__(self, told: Any) -> None:
        self.told = told

    def on_epoch_end(self, epoch: Epoch) -> Any:
        tell = getattr(self.told, "on_epoch_end", self.told)
        return tell(epoch)

    def __repr__(self) -> str:
        return repr(self.told)


def _as_callback(given: Any) -> Any:
    if not isinstance(given, type):
        if isinstance(given, SklearnCallback):
            return given
        if callable(getattr(given, "on_epoch_end", None)) or callable(given):
            return _Told(given)
    raise TypeError(
        "callbacks must be instances following the FitCallback protocol of sklearn.callback, "
        f"objects with on_epoch_end(epoch), or functions, got {given!r}"
    )


def _without(estimator: Any, *names: str) -> Any:
    copy = at_this_moment(estimator)
    for name in names:
        vars(copy).pop(name, None)
    return copy


@contextmanager
def learning_watched(
    estimator: Any,
    task: str,
    n_epochs: int,
    X: Any,
    y: Any,
    sample_weight: Any,
    lengths: Any,
    **metadata: Any,
) -> Iterator[tuple[Any, Watcher]]:
    """Give a draft to learn with (see `learning`) and the watcher of the call.

    Callbacks are torn down in any case. If one of them raises, nothing was learnt.

    Parameters
    ----------
    estimator : estimator
        What the callbacks see; not the draft.
    task : str
        The name of the call.
    n_epochs : int
        Epochs at most.
    X, y, sample_weight, lengths
        As the call got them.
    **metadata : dict
        What else scorers are to get, where it is not None.
    """
    with learning(estimator) as draft:
        if not getattr(estimator, "_skl_callbacks", None):
            yield draft, Watcher(estimator, task, None, {})
            return
        try:
            root = estimator._init_callback_context(task_name=task, max_subtasks=n_epochs)
            data = _data(estimator, X, y, sample_weight, lengths)
            more = {name: value for name, value in metadata.items() if value is not None}
            if more:
                data["metadata"] = {**data["metadata"], **more}
            watcher = Watcher(estimator, task, root, data)
            watcher.begin(root)
            yield draft, watcher
        finally:
            _tear_down(estimator)


def _data(estimator: Any, X: Any, y: Any, sample_weight: Any, lengths: Any) -> dict[str, Any]:
    """Return the training data as scikit-learn's callbacks get them; functions give them if asked.

    Scorers know no lengths: where these cut a 3-D X, the data are what is left.
    """
    metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
    if lengths is None:
        return {"X": X, "y": y, "metadata": metadata}
    if isinstance(lengths, str) or np.ndim(X) != 3:
        return {"X": X, "y": y, "metadata": {**metadata, "lengths": lengths}}

    def cut(rows: Any) -> list[Any]:
        return [row[: int(n)] for row, n in zip(np.asarray(rows), np.asarray(lengths))]

    def cut_weights() -> dict[str, Any]:
        per_step = sample_weight is not None and np.ndim(sample_weight) == 2
        return {"sample_weight": cut(sample_weight)} if per_step else metadata

    return {
        "X": lambda: Sequences.from_list(cut(X)),
        "y": (lambda: cut(y)) if estimator._per_step else y,
        "metadata": cut_weights,
    }


@contextmanager
def handing_on(meta: Any, inner: Any, X: Any, y: Any) -> Iterator[None]:
    """Let the callbacks of an estimator reach the one that it fits in the body."""
    with fitting_inside(meta, 1, X, y, "fit-estimator") as watched, watched(inner):
        yield


@contextmanager
def fitting_inside(
    meta: Any, n_fits: int, X: Any, y: Any, task: str
) -> Iterator[Callable[[Any], AbstractContextManager[None]]]:
    """Let the callbacks of an estimator reach those that it fits in the body, one after the other.

    Callbacks that look at epochs see them as those of one training of the outer estimator.

    Yields
    ------
    callable
        Gives, of an estimator inside, the context in which it is fitted.
    """
    try:
        root: Any = meta._init_callback_context(max_subtasks=n_fits)
        data: dict[str, Any] = {"estimator": meta, "X": X, "y": y}
        root.call_on_fit_task_begin(**data)
        own = [each for each in getattr(meta, "_skl_callbacks", ()) if _looks_at_epochs(each)]
        through = _Through(own, meta, _place_of(root))

        @contextmanager
        def watched(inner: Any) -> Iterator[None]:
            through.begin()
            if own:
                inner.set_callbacks(through)
            part: Any = root.subcontext(task_name=task)
            with part.propagate_callback_context(inner):
                part.call_on_fit_task_begin(**data)
                yield
                part.call_on_fit_task_end(**data)
            if own:
                inner.set_callbacks()

        yield watched
        root.call_on_fit_task_end(**data)
    finally:
        _tear_down(meta)


class _Through(EpochCallback):
    """Callbacks of an estimator that see the epochs of those inside, numbered through.

    Parameters
    ----------
    told : list of callback
    outer : estimator
    place : str
        Of its fit in a search.
    """

    def __init__(self, told: list[Any], outer: Any, place: str) -> None:
        self._told, self._outer, self._place = told, outer, place
        self._began = time.perf_counter()
        self._before = self._seen = 0

    def begin(self) -> None:
        """Count on from the epochs of the training before."""
        self._before = self._seen

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Tell all; return whether one of them ends the training of the estimator inside."""
        epoch.epoch += self._before
        self._seen = epoch.epoch
        epoch.elapsed = time.perf_counter() - self._began
        epoch.estimator, epoch.task = self._outer, self._place
        epoch._make_fitted = self._refuse
        ends = [ends_training(each.on_epoch_end(epoch)) for each in self._told]
        return any(ends)

    def _refuse(self) -> Any:
        name = type(self._outer).__name__
        raise TypeError(
            f"an epoch is one of several networks of {name}: nothing is fitted as if `fit` ended "
            "with it, and Checkpoint has nothing to keep; save the estimator after fit"
        )


def _looks_at_epochs(callback: Any) -> bool:
    return hasattr(callback, "on_epoch_end")


class Watcher:
    """What one call that trains tells: to callbacks, and to a user by `verbose`.

    Parameters
    ----------
    estimator : estimator
        What callbacks see.
    task : str
        The name of the call.
    root : sklearn.callback.CallbackContext or None
        The task of the call.
    data : dict of str to object
        What scikit-learn's hooks get beside it: "X", "y", "metadata".
    """

    def __init__(self, estimator: Any, task: str, root: Any, data: dict[str, Any]) -> None:
        self._estimator = estimator
        self._root = root
        self._is_whole = task == "fit"
        self._data = data
        self._own = [
            callback
            for callback in getattr(estimator, "_skl_callbacks", ())
            if _looks_at_epochs(callback)
        ]
        self._began = time.perf_counter()
        self._task: Any = None  # of the epoch under way
        self._place = "0" if root is None else _place_of(root)
        self._before: list[float] = []
        self._shift = 0
        self._draft: Any = None
        self._score: Callable[[], float] | None = None
        self._printer = None
        if estimator.verbose:
            self._printer = PrintProgress(detailed=int(estimator.verbose) > 1)

    def follow(
        self,
        draft: Any,
        trainer: Trainer,
        first: bool,
        n_sequences: int,
        score: Callable[[], float],
    ) -> tuple[Callback, ...]:
        """Return the callbacks of a training that is about to begin.

        Parameters
        ----------
        draft : estimator
            What learns, and has the curves so far, unless this is its `first` training.
        trainer : Trainer
        first : bool
        n_sequences : int
            Trained on.
        score : callable
            Gives the training score of the network as it then is.
        """
        self._draft = draft
        self._before = [] if first else draft.loss_curve_
        self._shift = len(self._before) - trainer.n_epochs
        self._score = score
        network = trainer.network
        if self._printer is not None and self._printer.detailed and self._is_whole:
            print(
                f"{type(draft).__name__}: {network.parameters.flat.size} weights, {n_sequences} "
                f"sequences, {trainer.n_batches(n_sequences)} minibatches per iteration"
            )
        return (self,) if self._root is not None or self._own or self._printer else ()

    def begin(self, task: Any) -> None:
        """Tell scikit-learn's callbacks that a task begins."""
        task.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def on_epoch_begin(self) -> None:
        """Begin an epoch's task."""
        if self._root is not None:
            self._task = self._root.subcontext(task_name="epoch")
            self.begin(self._task)

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Tell all of an epoch; return whether one of them ends the training."""
        epoch.epoch += self._shift
        epoch.elapsed = time.perf_counter() - self._began
        epoch.estimator, epoch.task, epoch._score = self._estimator, self._place, self._score
        validates = "validation_loss" in epoch.logs or "validation_score" in epoch.logs
        if epoch.is_best and self._before and not validates:
            epoch.is_best = epoch.logs["loss"] < min(self._before)
        if self._printer is not None:
            self._printer.on_epoch_end(epoch)
        ends = [ends_training(callback.on_epoch_end(epoch)) for callback in self._own]
        task, self._task = self._task, None
        if task is not None:
            ends.append(self._end(task, lambda: vars(epoch.fitted())))
        return any(ends)

    def close(self, result: FitResult) -> None:
        """Tell all how the training ended, when the draft has what it learnt."""
        if self._printer is not None and self._is_whole:
            seconds = time.perf_counter() - self._began
            self._printer.on_fit_end(result, self._draft.best_epoch_, seconds)
        if self._root is None:
            return
        if self._task is not None:  # of an epoch that came to no end
            self._task.call_on_fit_task_end(estimator=self._estimator)
        learnt = _without(self._draft, "_skl_callbacks", *OF_A_FIT, *OF_TRAINING)
        self._end(self._root, lambda: vars(learnt))
        _tear_down(self._estimator)

    def _end(self, task: Any, learnt: Callable[[], dict[str, Any]]) -> bool:
        hook = task.call_on_fit_task_end
        return bool(hook(estimator=self._estimator, reconstruction_attributes=learnt, **self._data))


def as_if_ended(draft: Any, record: Callable[[Any, FitResult], None]) -> Callable[[FitResult], Any]:
    """Return what makes an estimator of a result; `record` gives it what was learnt."""

    def fitted(result: FitResult) -> Any:
        moment = _without(draft, "_skl_callbacks", *OF_A_FIT, *OF_TRAINING)
        record(moment, result)
        return moment

    return fitted


def _place_of(task: Any) -> str:
    """Return the numbers of a task and of those above it, from the outermost."""
    numbers = []
    while task is not None:
        numbers.append(str(task.task_id))
        task = task.parent
    return "-".join(reversed(numbers))
