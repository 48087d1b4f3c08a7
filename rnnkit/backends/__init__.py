"""The backends that compute: the same operations in NumPy, on the CPU core and on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnkit.exceptions import MissingExtraError

if TYPE_CHECKING:
    from rnnkit.backends.interface import Backend

__all__ = ["get_backend"]


def get_backend(name: str) -> Backend:
    """Return the backend of a name; what it needs is imported only then.

    Parameters
    ----------
    name : {"cpu", "reference", "cuda"}
        "cpu" is the compiled core, "reference" plain NumPy, "cuda" an NVIDIA GPU.

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
        If this version of rnnkit has no such backend.
    """
    if name == "reference":
        from rnnkit.backends.reference import ReferenceBackend

        return ReferenceBackend()
    if name == "cpu":
        from rnnkit.backends.cpu import CpuBackend

        return CpuBackend()
    if name == "cuda":
        return _cuda_backend()
    raise ValueError(f"unknown backend {name!r}; allowed are 'cpu', 'reference' and 'cuda'")


def _cuda_backend() -> Backend:
    try:
        import cupy  # noqa: F401
    except ImportError:
        raise MissingExtraError("cupy", "cuda12", "backend 'cuda'") from None
    raise RuntimeError("backend 'cuda' is not part of this version of rnnkit; use 'cpu'")
