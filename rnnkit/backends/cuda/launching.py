"""Kernels compiled by CuPy and launched: arguments are converted to what their text declares."""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Any

import numpy as np

from rnnkit.backends.cuda.device import device_of, import_cupy
from rnnkit.backends.cuda.kernels.sources import (
    Parameter,
    defined_number,
    general_source,
    kernel_parameters,
    kernel_source,
    real_option,
    recurrent_source,
    visit_source,
)

__all__ = [
    "THREADS",
    "Kernel",
    "Kernels",
    "general_kernels",
    "n_blocks_for",
    "pass_kernel",
    "visit_kernels",
]

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
        # The rows of a matrix may lie apart if the text takes their distance beside it.
        self._parameters = [
            (p.name, dtypes[p.type], p.is_array, f"{p.name}_row" in self.names) for p in parameters
        ]
        self._given: tuple[Any, ...] = ()
        self._fitting: set[tuple[int, int, int]] = set()

    def __call__(
        self, n_blocks: int | tuple[int, ...], n_threads: int, *arguments: Any, shared: int = 0
    ) -> None:
        """Launch on the current stream with `shared` bytes of a block; None is a null pointer."""
        converted = self._given + self._converted(arguments, self._parameters, strict=True)
        grid = (n_blocks,) if isinstance(n_blocks, int) else n_blocks
        self.kernel(grid, (n_threads,), converted, shared_mem=shared)

    def given(self, *arguments: Any) -> Kernel:
        """Return the kernel with its first arguments given, for many launches with the others."""
        given = copy(self)
        given._given = self._given + self._converted(arguments, self._parameters, strict=False)
        given._parameters = self._parameters[len(arguments) :]
        return given

    def _converted(
        self,
        arguments: tuple[Any, ...],
        parameters: list[tuple[str, np.dtype, bool, bool]],
        strict: bool,
    ) -> tuple[Any, ...]:
        converted: list[Any] = []
        for (name, dtype, is_array, may_have_gaps), argument in zip(
            parameters, arguments, strict=strict
        ):
            if not is_array:
                converted.append(dtype.type(argument))
            elif argument is None:
                converted.append(np.uint64(0))
            elif argument.dtype != dtype:
                raise TypeError(f"{name} must be of dtype {dtype}, got {argument.dtype}")
            elif not (may_have_gaps or argument.flags.c_contiguous):
                raise ValueError(
                    f"{name} must lie in C order without gaps, got strides {argument.strides} "
                    f"of shape {argument.shape}"
                )
            else:
                converted.append(argument)
        return tuple(converted)

    def require_room(self, device: int, n_blocks: int, n_threads: int, shared: int) -> None:
        """Raise RuntimeError unless all blocks of a launch are on the current device at once.

        CuPy would launch fewer of them, which then wait for those that never come.
        """
        launch = n_blocks, n_threads, shared
        if launch in self._fitting:
            return
        a_multiprocessor = import_cupy().cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            self.kernel.kernel.ptr, n_threads, shared
        )
        most = a_multiprocessor * device_of(device).n_multiprocessors
        if n_blocks > most:
            raise RuntimeError(
                f"{n_blocks} blocks of {n_threads} threads and {shared} bytes of shared memory "
                f"must be on the GPU at once, but only {most} are; RNNKIT_CUDA_ALGO='products' "
                "needs no such launch"
            )
        self._fitting.add(launch)

    def over(self, n: int, *arguments: Any) -> None:
        """Launch a kernel whose threads walk over n entries."""
        self(n_blocks_for(n), THREADS, *arguments)


class Kernels:
    """The kernels of one text and its options, as attributes by name.

    Parameters
    ----------
    source : str
    options : tuple of str
        Those of the compiler.
    real : dtype
        The compute type.
    shared_bytes : int, default=None
        What a block may ask for; None is what every kernel gets without asking. It is set once:
        a kernel has one such limit, whoever launches it.
    cooperative : bool, default=False
        Whether all blocks of a launch are to be on the GPU at once.
    """

    def __init__(
        self,
        source: str,
        options: tuple[str, ...],
        real: np.dtype,
        shared_bytes: int | None = None,
        cooperative: bool = False,
    ) -> None:
        module = import_cupy().RawModule(
            code=source,
            options=("-std=c++17", *options),
            enable_cooperative_groups=cooperative,
        )
        for name, parameters in kernel_parameters(source).items():
            kernel = module.get_function(name)
            if shared_bytes is not None:
                kernel.max_dynamic_shared_size_bytes = shared_bytes
            setattr(self, name, Kernel(kernel, parameters, real))

    def __getattr__(self, name: str) -> Kernel:
        raise AttributeError(f"no kernel is called {name!r}")


@cache
def general_kernels(dtype: np.dtype) -> Kernels:
    """Return the kernels that do not depend on a layer's options."""
    return Kernels(general_source(), (real_option(dtype),), dtype)


@cache
def pass_kernel(
    device: int,
    cell: str,
    options: tuple[str, ...],
    dtype: np.dtype,
    cooperative: bool,
    backward: bool,
) -> Kernel:
    """Return the kernel of a pass, compiled with a layer's and a tiling's options.

    The device is the current one, whose kernels have limits of their own.
    """
    source, shared_bytes = recurrent_source(cell, backward=backward), device_of(device).shared_bytes
    kernels = Kernels(source, options, dtype, shared_bytes, cooperative)
    return kernels.recurrent_backward if backward else kernels.recurrent_forward


@cache
def visit_kernels(
    cell: str, options: tuple[str, ...], dtype: np.dtype, resets_before: bool
) -> Kernels:
    """Return the kernels of a cell that take one visit each, compiled with a layer's options."""
    return Kernels(visit_source(cell, resets_before=resets_before), options, dtype)


def n_blocks_for(n: int) -> int:
    """Return the number of blocks whose threads walk over n entries."""
    return max(1, min(_BLOCKS, -(-n // THREADS)))
