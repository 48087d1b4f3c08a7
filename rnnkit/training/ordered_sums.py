"""BLAS on one thread, so that its sums keep their order; L-BFGS is the one user of BLAS here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["ordered_sums"]


class _OneBlasThread:
    """BLAS on one thread while anybody is inside; the limit before comes back with the last.

    The number of BLAS threads belongs to the process: if every Python thread restored what it
    found, the first to leave would lift the limit of the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._limit = threadpool_limits(limits=1, user_api="blas")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._limit.restore_original_limits()


ordered_sums = _OneBlasThread()
