"""What this installation of rnnkit is made of and runs on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import Any

import threadpoolctl

from rnnkit.backends.cpu import core_information

__all__ = ["show_config"]

PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl", "safetensors")


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
        "core": core_information(),
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


def _blas_libraries() -> list[str]:
    """Name the BLAS libraries loaded; SciPy's is the one rnnkit calls."""
    pools = threadpoolctl.threadpool_info()
    return [
        f"{pool['internal_api']} {pool['version']}" for pool in pools if pool["user_api"] == "blas"
    ]
