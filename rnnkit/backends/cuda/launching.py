"""Kernels compiled by CuPy and launched: arguments are converted to what their text declares."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from rnnkit.backends.cuda.device import import_cupy
from rnnkit.backends.cuda.kernels.sources import (
    Parameter,
    defined_number,
    general_source,
    kernel_parameters,
    kernel_source,
    real_option,
    recurrent_source,
)

__all__ = ["THREADS", "Kernel", "Kernels", "general_kernels", "layer_kernels", "n_blocks_for"]

THREADS = defined_number(kernel_source(), "RK_BLOCK")
_BLOCKS = 1024  # at most, of kernels that walk over flat arrays


class Kernel:
    """A kernel whose arguments are checked and converted by what its text declares."""

    def __init__(self, kernel: Any, parameters: tuple[Parameter, ...], real: np.dtype) -> None:
        dtypes = {
            "real": real,
            "double": np.dtype(np.float64),
            "rk_index": np.dtype(np.int64),
            "int": np.dtype(np.int32),
            "unsigned": np.dtype(np.uint32),
        }
        self.kernel = kernel
        self.names = tuple(parameter.name for parameter in parameters)
        self._parameters = [(p.name, dtypes[p.type], p.is_array) for p in parameters]

    def __call__(
        self, n_blocks: int | tuple[int, ...], n_threads: int, *arguments: Any, shared: int = 0
    ) -> None:
        """Launch on the current stream with `shared` bytes of a block; None is a null pointer."""
        converted: list[Any] = []
        for (name, dtype, is_array), argument in zip(self._parameters, arguments, strict=True):
            if not is_array:
                converted.append(dtype.type(argument))
            elif argument is None:
                converted.append(np.uint64(0))
            elif argument.dtype != dtype:
                raise TypeError(f"{name} must be of dtype {dtype}, got {argument.dtype}")
            else:
                converted.append(argument)
        grid = (n_blocks,) if isinstance(n_blocks, int) else n_blocks
        self.kernel(grid, (n_threads,), tuple(converted), shared_mem=shared)

    def over(self, n: int, *arguments: Any) -> None:
        """Launch a kernel whose threads walk over n entries."""
        self(n_blocks_for(n), THREADS, *arguments)


class Kernels:
    """The kernels of one text and its options, as attributes by name."""

    def __init__(
        self, source: str, options: tuple[str, ...], real: np.dtype, cooperative: bool = False
    ) -> None:
        module = import_cupy().RawModule(
            code=source,
            options=("-std=c++17", *options),
            enable_cooperative_groups=cooperative,
        )
        for name, parameters in kernel_parameters(source).items():
            setattr(self, name, Kernel(module.get_function(name), parameters, real))

    def __getattr__(self, name: str) -> Kernel:
        raise AttributeError(f"no kernel is called {name!r}")


@cache
def general_kernels(dtype: np.dtype) -> Kernels:
    """Return the kernels that do not depend on a layer's options."""
    return Kernels(general_source(), (real_option(dtype),), dtype)


@cache
def layer_kernels(
    cell: str, options: tuple[str, ...], dtype: np.dtype, cooperative: bool
) -> Kernels:
    """Return the kernels of a cell, compiled with a layer's and a tiling's options."""
    return Kernels(recurrent_source(cell), options, dtype, cooperative)


def n_blocks_for(n: int) -> int:
    """Return the number of blocks whose threads walk over n entries."""
    return max(1, min(_BLOCKS, -(-n // THREADS)))
