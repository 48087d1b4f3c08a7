"""An owner for what a call works in: one call at a time on an object, and the others are refused.

Objects bound to a backend keep buffers and remember what their last call left. Two calls at once
would mix these; so the second one raises RuntimeError before it has touched anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Owner"]


class Owner:
    """Who uses an object: nobody, or the call inside the ``with`` block.

    A copy or a pickle belongs to nobody.

    Parameters
    ----------
    name : str
        What the object is called, for the message.

    Raises
    ------
    RuntimeError
        By ``with``, if a call is inside already, of another thread or further down in this one.

    Examples
    --------
    >>> from rnnkit.ownership import Owner
    >>> owner = Owner("Stream")
    >>> with owner:
    ...     with owner:
    ...         pass
    Traceback (most recent call last):
        ...
    RuntimeError: this Stream is in use by another call; threads need one each
    """

    __slots__ = ("_lock", "_name", "_thread", "take_back", "try_to_take")

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread = 0  # of the call inside
        # What a call of microseconds uses in place of ``with``, which takes twice as long.
        self.try_to_take = self._lock.acquire
        self.take_back = self._lock.release

    def refuse(self) -> None:
        """Raise RuntimeError: somebody is inside."""
        raise RuntimeError(f"this {self._name} is in use by another call; threads need one each")

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.refuse()
        self._thread = threading.get_ident()

    def __exit__(self, *exception: object) -> None:
        self._thread = 0
        self._lock.release()

    @contextmanager
    def shared_in_thread(self) -> Iterator[None]:
        """The same, but what this thread does inside is allowed."""
        if self._thread == threading.get_ident():
            yield
            return
        with self:
            yield

    def __reduce__(self) -> tuple[type[Owner], tuple[str]]:
        return Owner, (self._name,)
