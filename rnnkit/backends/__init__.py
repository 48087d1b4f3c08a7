"""What computes: one contract, and in here nothing but it and what keeps it on some machine."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnkit.backends.interface import Backend

__all__ = ["get_backend", "is_device_name"]


def get_backend(name: str, *, fall_back: bool = False) -> Backend:
    """Return the backend of a name; what it needs is imported only then.

    Parameters
    ----------
    name : {"cpu", "reference", "cuda", "cuda:k", "auto"}
        "cpu" is the compiled core, "reference" plain NumPy, "cuda" an NVIDIA GPU, the first or
        number k; "auto" is the first GPU, or the core where there is none.
    fall_back : bool, default=False
        Whether the core is taken, with one warning, where a GPU is asked for and there is none.

    Returns
    -------
    Backend

    Raises
    ------
    ValueError
        If the name is unknown.
    MissingExtraError
        If the backend needs a package that is not installed.
    RuntimeError
        If a GPU is asked for and there is none.
    """
    if name == "reference":
        from rnnkit.backends.reference import ReferenceBackend

        return ReferenceBackend()
    if name == "cpu":
        from rnnkit.backends.cpu import CpuBackend

        return CpuBackend()
    if is_device_name(name):
        from rnnkit.backends.cuda import CudaBackend, why_no_gpu

        number = int(name.partition(":")[2] or 0)
        reason = why_no_gpu(number) if fall_back or name == "auto" else None
        if reason is None:
            return CudaBackend(number)
        if name != "auto":
            _warn_of_fall_back(name, reason)
        return get_backend("cpu")
    raise ValueError(
        f"unknown backend {name!r}; allowed are 'cpu', 'reference', 'cuda', 'cuda:k' and 'auto'"
    )


def is_device_name(name: object) -> bool:
    """Whether a name asks for a GPU: "cuda", "cuda:k" with a number k, or "auto"."""
    return isinstance(name, str) and bool(re.fullmatch(r"auto|cuda(:\d+)?", name))


@cache
def _warn_of_fall_back(name: str, reason: str) -> None:
    """Say once in a process that the CPU stands in."""
    warnings.warn(
        f"device={name!r} cannot be used here, the CPU computes instead: {reason}",
        UserWarning,
        stacklevel=4,
    )
