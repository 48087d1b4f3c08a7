"""The GPUs of this machine: whether there is one, what it can do, its memory, arrays to and fro."""

from __future__ import annotations

import multiprocessing
import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, ArrayModule
from rnnkit.exceptions import MissingExtraError

__all__ = [
    "Device",
    "device_of",
    "from_gpu",
    "gpu_facts",
    "import_cupy",
    "pool_of",
    "to_gpu",
    "why_no_gpu",
]


class Device(NamedTuple):
    """What of a GPU decides how it is computed on."""

    n_multiprocessors: int
    compute_capability: int  # 90 is 9.0
    shared_bytes: int  # the most that a block may ask for

    @property
    def is_hopper_or_later(self) -> bool:
        """Whether blocks form clusters, and cuBLAS works in the larger of its two workspaces."""
        return self.compute_capability >= 90

    def n_places(self, cluster_size: int) -> int:
        """Return how many clusters, of blocks that fill a multiprocessor each, run at once.

        A cluster lies within a group of 16 to 18 multiprocessors, of which 16 are counted.
        """
        if cluster_size == 1:
            return self.n_multiprocessors
        return max(1, self.n_multiprocessors // 16 * (16 // cluster_size))

    def products_of_a_cycle(self, itemsize: int) -> int:
        """Return how many products a multiprocessor begins in a cycle, in float32 or float64."""
        if itemsize == 4:
            return 64 if self.compute_capability < 86 else 128
        return {60: 32, 70: 32, 80: 32, 90: 64, 100: 64}.get(self.compute_capability, 2)


def import_cupy() -> ArrayModule:
    """Return the module cupy.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed or cannot be loaded.
    """
    try:
        import cupy
    except ImportError as error:
        raise MissingExtraError("cupy", "cuda12", "device 'cuda'") from error
    return cupy


def why_no_gpu(device: int = 0) -> str | None:
    """Return why a GPU cannot be computed on, as part of a sentence, or None if it can."""
    try:
        cupy = import_cupy()
    except MissingExtraError as error:
        return str(error)
    try:
        n_devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no usable NVIDIA GPU ({error})"
    if n_devices == 0:
        return "CuPy finds no NVIDIA GPU"
    if device >= n_devices:
        return f"this machine has {n_devices} GPU(s), 'cuda:0' to 'cuda:{n_devices - 1}'"
    return None


def gpu_facts() -> list[dict[str, Any]]:
    """Return name, compute capability and memory of every GPU that can be computed on."""
    if why_no_gpu() is not None:
        return []
    cupy = import_cupy()
    facts = []
    for number in range(cupy.cuda.runtime.getDeviceCount()):
        properties = cupy.cuda.runtime.getDeviceProperties(number)
        facts.append(
            {
                "name": properties["name"].decode(),
                "compute_capability": f"{properties['major']}.{properties['minor']}",
                "memory_bytes": properties["totalGlobalMem"],
            }
        )
    return facts


def from_gpu(array: Any) -> np.ndarray:
    """Return an array that lies on a GPU, of CuPy or with CUDA's array interface, on the host."""
    cupy = import_cupy()
    on_host: np.ndarray = cupy.asnumpy(cupy.asarray(array))
    return on_host


def to_gpu(array: np.ndarray, beside: Any) -> Array:
    """Return an array on the GPU that another one lies on."""
    cupy = import_cupy()
    with cupy.asarray(beside).device:
        return cupy.asarray(array)


@cache
def device_of(number: int) -> Device:
    """Return the facts of a GPU."""
    device = import_cupy().cuda.Device(number)
    return Device(
        device.attributes["MultiProcessorCount"],
        int(device.compute_capability),
        device.attributes["MaxSharedMemoryPerBlockOptin"],
    )


@cache
def pool_of(number: int) -> Any:
    """Return the memory pool of a GPU: our own, so that the user's stays as it is.

    It obeys CUPY_GPU_MEMORY_LIMIT as CuPy's does. Without that, a process started by another one
    of Python, as joblib's workers are, takes at most half of the memory that is free now.
    """
    cupy = import_cupy()
    pool = cupy.cuda.MemoryPool()
    if multiprocessing.parent_process() is not None and "CUPY_GPU_MEMORY_LIMIT" not in os.environ:
        with cupy.cuda.Device(number):
            free, _ = cupy.cuda.runtime.memGetInfo()
            pool.set_limit(size=free // 2)
    return pool
