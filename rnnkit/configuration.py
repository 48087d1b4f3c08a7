"""What this installation of rnnkit is made of and runs on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import warnings
from typing import Any

import threadpoolctl

from rnnkit.backends.cpu import core_information

__all__ = ["show_config", "warn_of_serial_build"]

PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl", "safetensors")
SERIAL = "no: when this was built the compiler had none, or RNNKIT_OPENMP=0 was set; one thread"
LARGE_FIT = 10**11  # multiplications of weights, about ten seconds on one core


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show versions, compiler, OpenMP, BLAS, instruction sets and the GPUs, or why there are none.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        "stdout" prints the facts, "dicts" returns them, as in `numpy.show_config`.

    Returns
    -------
    dict or None
        The facts by topic with ``mode="dicts"``, else None.

    Raises
    ------
    ValueError
        If `mode` is neither of the two.

    Examples
    --------
    >>> import rnnkit
    >>> facts = rnnkit.show_config(mode="dicts")
    >>> facts["core"]["isa_in_use"] in facts["core"]["isa_available"]
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    from rnnkit.backends.cuda import gpu_facts, why_no_gpu

    facts = {
        "rnnkit": importlib.metadata.version("rnnkit"),
        "core": _core_facts(),
        "gpus": why_no_gpu() or gpu_facts(),
        "blas": _blas_libraries(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if mode == "dicts":
        return facts
    print(json.dumps(facts, indent=2))
    return None


def warn_of_serial_build(n_operations: float) -> None:
    """Warn, once in a process, that a long calculation has one thread for want of OpenMP.

    `pip` hides what the build said about it.

    Parameters
    ----------
    n_operations : float
        Multiplications by weights that are coming, roughly; few are no reason to warn.
    """
    if n_operations < LARGE_FIT or (os.cpu_count() or 1) == 1 or not _is_serial():
        return
    if not _has_warned:
        _has_warned.append(True)
        warnings.warn(
            "This rnnkit was built by a compiler without OpenMP and uses one thread of "
            f"{os.cpu_count()}; install gcc, or libomp for clang, and build it anew with "
            "pip install --force-reinstall --no-cache-dir rnnkit",
            stacklevel=3,
        )


_has_warned: list[bool] = []


def _is_serial() -> bool:
    return not core_information()["openmp"].startswith("OpenMP")


def _core_facts() -> dict[str, Any]:
    facts = core_information()
    return {**facts, "openmp": SERIAL} if _is_serial() else facts


def _blas_libraries() -> list[str]:
    """Name the BLAS libraries loaded; SciPy's is the one rnnkit calls."""
    pools = threadpoolctl.threadpool_info()
    return [
        f"{pool['internal_api']} {pool['version']}" for pool in pools if pool["user_api"] == "blas"
    ]
