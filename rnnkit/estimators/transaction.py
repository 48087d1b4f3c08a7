"""One training at a time on an estimator, which others see as a whole or not at all.

A call that trains works on a draft, a shallow copy that nobody else has, and what it learnt becomes
the estimator's in one step at its end. A call that answers works on what the estimator is when it
comes. So neither sees half of what the other does, and a call that raises has changed nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnkit.drafts import shallow_copy, take_over
from rnnkit.estimators.parameters.field import with_plain_numbers
from rnnkit.network.quantizing import is_quantized

__all__ = ["at_this_moment", "has_turn", "learning", "turn_of"]

# The thread that has its turn with an estimator, by the estimator's id: a lock in the estimator
# would be pickled, cloned and compared with it.
_turns: dict[int, int] = {}
_turn_ended = threading.Condition()


def _forget_turns() -> None:
    """In a forked child nobody has a turn: the threads that had are not there."""
    global _turn_ended
    _turns.clear()
    _turn_ended = threading.Condition()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turns)


@contextmanager
def turn_of(estimator: Any) -> Iterator[None]:
    """Wait until no other thread has its turn with the estimator, and have it in the body.

    Raises
    ------
    RuntimeError
        If this very thread has it already: a callback of a fit trains what is being fitted.
    """
    key, this_thread = id(estimator), threading.get_ident()
    ended = _turn_ended
    with ended:
        if _turns.get(key) == this_thread:
            raise RuntimeError(
                f"this {type(estimator).__name__} is being fitted by the very call that would "
                "train or pickle it once more; use a clone"
            )
        while key in _turns:
            ended.wait()
        _turns[key] = this_thread
    try:
        yield
    finally:
        with ended:
            _turns.pop(key, None)
            ended.notify_all()


def has_turn(estimator: Any) -> bool:
    """Whether this very thread has its turn with the estimator."""
    return _turns.get(id(estimator)) == threading.get_ident()


def at_this_moment(estimator: Any) -> Any:
    """Return a shallow copy, which stays as it is when the estimator learns something else.

    Its parameters are plain numbers where they are NumPy's.
    """
    return with_plain_numbers(shallow_copy(estimator))


@contextmanager
def learning(estimator: Any) -> Iterator[Any]:
    """Give a draft of the estimator to learn with; if the body raises, nothing has changed.

    Yields
    ------
    estimator
        A shallow copy. What the body sets in it, or takes out of it, is so in the estimator
        afterwards; parameters that others set meanwhile stay.

    Raises
    ------
    ValueError
        If its network was quantized, which is for predictions alone.
    """
    network = getattr(estimator, "network_", None)
    if network is not None and is_quantized(network):
        raise ValueError(
            f"this {type(estimator).__name__} is quantized, which is for predictions alone; fit "
            "sklearn.base.clone(estimator)"
        )
    with turn_of(estimator):
        draft = at_this_moment(estimator)
        before = dict(vars(draft))
        generator: Any = getattr(estimator, "random_state", None)
        is_stateful = isinstance(generator, np.random.RandomState)
        drawn = generator.get_state(legacy=False) if is_stateful else None
        try:
            yield draft
        except BaseException:
            if is_stateful:
                generator.set_state(drawn)
            raise
        take_over(estimator, draft, before)
