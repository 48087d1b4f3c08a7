"""The CUDA backend: CuPy holds the arrays, the kernels beside this file do the arithmetic.

A recurrent layer is one launch a pass wherever the GPU can keep its weights in shared memory.
Nothing here waits for the GPU but what gives a number or an array to the host: sums come back as
arrays of no dimension, on the GPU.

Letters: B sequences of the minibatch, T steps, P packed rows, I inputs, H hidden units,
G gates, K outputs.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.cublas import Cublas, load_cublas
from rnnkit.backends.graphs import GraphedStep, HostArrays, graphs_asked_for
from rnnkit.backends.interface import (
    Array,
    Pace,
    PackedPlan,
    RecurrentGradient,
    RecurrentResult,
    Repeated,
    Scalar,
)
from rnnkit.backends.kernels import (
    ALGORITHMS,
    GENERAL_KERNELS,
    Device,
    Parameter,
    Tiling,
    choose_tiling,
    kernel_parameters,
    kernel_source,
    layer_options,
    real_option,
    recurrent_source,
    refuse_unsupported,
)
from rnnkit.backends.stepping import OneSequence
from rnnkit.cells import LayerSpec
from rnnkit.exceptions import MissingExtraError

__all__ = [
    "CudaBackend",
    "CudaDense",
    "CudaRecurrent",
    "from_gpu",
    "gpu_facts",
    "import_cupy",
    "to_gpu",
    "why_no_gpu",
]

_THREADS = 256  # of a block of every kernel but the recurrent ones
_BLOCKS = 1024  # at most, of kernels that walk over flat arrays
_TILE = 64  # RK_TILE of gemm.cu
_GEMM_SHARED = 2 * 16 * (_TILE + 1)  # entries
_GRID_ROWS = 65535  # the largest grid in y
_WORKSPACE_BYTES, _WORKSPACE_BYTES_HOPPER = 4 * 2**20, 32 * 2**20  # of a handle of cuBLAS


def import_cupy() -> Any:
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
    return cupy.asnumpy(cupy.asarray(array))


def to_gpu(array: np.ndarray, beside: Any) -> Any:
    """Return an array on the GPU that another one lies on."""
    cupy = import_cupy()
    with cupy.asarray(beside).device:
        return cupy.asarray(array)


class _Kernel:
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
        self._parameters = [(p.name, dtypes[p.type], p.is_array) for p in parameters]

    def __call__(
        self, n_blocks: int | tuple[int, ...], n_threads: int, *arguments: Any, shared: int = 0
    ) -> None:
        """Launch on the current stream; None is a null pointer."""
        converted = []
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


class _Kernels:
    """The kernels of one text and its options, by name."""

    def __init__(
        self, source: str, options: tuple[str, ...], real: np.dtype, cooperative: bool = False
    ) -> None:
        module = import_cupy().RawModule(
            code=source,
            options=("-std=c++17", *options),
            enable_cooperative_groups=cooperative,
        )
        for name, parameters in kernel_parameters(source).items():
            setattr(self, name, _Kernel(module.get_function(name), parameters, real))

    def __getattr__(self, name: str) -> _Kernel:
        raise AttributeError(f"no kernel is called {name!r}")


@cache
def _kernels(dtype: np.dtype) -> _Kernels:
    """Return the kernels that do not depend on a layer's options."""
    source = kernel_source(*GENERAL_KERNELS)
    return _Kernels(source, (real_option(dtype),), dtype)


@cache
def _layer_kernels(cell: str, options: tuple[str, ...], dtype: np.dtype, grid: bool) -> _Kernels:
    return _Kernels(recurrent_source(cell), options, dtype, cooperative=grid)


@cache
def _device_of(number: int) -> Device:
    cupy = import_cupy()
    attributes = cupy.cuda.Device(number).attributes
    return Device(
        attributes["MultiProcessorCount"],
        int(cupy.cuda.Device(number).compute_capability),
        attributes["MaxSharedMemoryPerBlockOptin"],
    )


@cache
def _cublas_of(device: int, thread: int) -> Cublas | None:
    """Return a thread's handle of cuBLAS on a device, or None if there is no cuBLAS."""
    library = load_cublas()
    if library is None:
        return None
    hopper = _device_of(device).compute_capability >= 90
    workspace_bytes = _WORKSPACE_BYTES_HOPPER if hopper else _WORKSPACE_BYTES
    with import_cupy().cuda.Device(device):
        return Cublas(library, _pool_of(device).malloc(workspace_bytes), workspace_bytes)


@cache
def _pool_of(number: int) -> Any:
    """Return the memory pool of a device: our own, so that the user's stays as it is.

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


def _algorithm_asked_for() -> str | None:
    asked = os.environ.get("RNNKIT_CUDA_ALGO") or None
    if asked is not None and asked not in ALGORITHMS:
        raise ValueError(f"RNNKIT_CUDA_ALGO must be one of {', '.join(ALGORITHMS)}, got {asked!r}")
    return asked


def _blocks(n: int) -> int:
    """Return the number of blocks that walk over n entries."""
    return max(1, min(_BLOCKS, -(-n // _THREADS)))


class CudaBackend:
    """The operations of `rnnkit.backends.interface` on an NVIDIA GPU.

    Parameters
    ----------
    device : int, default=0
        Which GPU.
    cublas : bool, default=True
        Whether products of whole minibatches go through cuBLAS where it is installed; otherwise
        a kernel of our own computes them.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    RuntimeError
        If there is no such GPU.
    """

    name = "cuda"
    on_host = False

    def __init__(self, device: int = 0, cublas: bool = True) -> None:
        self.xp = import_cupy()
        reason = why_no_gpu(device)
        if reason is not None:
            raise RuntimeError(f"device 'cuda:{device}' cannot be used: {reason}; use device='cpu'")
        self.device = device
        self._facts = _device_of(device)
        self._plan: tuple[PackedPlan, Array, Array] | None = None
        self._host_arrays = HostArrays(self.xp)
        self._cublas = _cublas_of(device, threading.get_ident()) if cublas else None

    @property
    def n_multiprocessors(self) -> int:
        """Number of multiprocessors of the GPU."""
        return self._facts.n_multiprocessors

    @contextmanager
    def active(self, *, give_back: bool = False) -> Iterator[None]:
        """Compute on this device inside the ``with`` block, in memory of rnnkit's own pool.

        Parameters
        ----------
        give_back : bool, default=False
            Whether memory that is no longer used is given back to the device at the end.

        Raises
        ------
        MemoryError
            If the GPU's memory does not suffice; names the bytes.
        """
        cuda = self.xp.cuda
        pool = _pool_of(self.device)
        with cuda.Device(self.device), cuda.using_allocator(pool.malloc):
            try:
                yield
            except cuda.memory.OutOfMemoryError as error:
                free, total = cuda.runtime.memGetInfo()
                raise MemoryError(
                    f"GPU {self.device} is out of memory ({error}); it has {total} bytes, of which "
                    f"{free} are free and {pool.used_bytes()} are in use here; use a smaller "
                    "batch_size or hidden_size, or device='cpu'"
                ) from error
            finally:
                if give_back:
                    pool.free_all_blocks()

    def upload(self, array: np.ndarray) -> Array:
        """Return a host array on the GPU; see `interface.Backend`."""
        return self._host_arrays.constant(array)

    def download(self, array: Array) -> np.ndarray:
        """Return an array on the host; waits for the GPU."""
        return self.xp.asnumpy(array)

    def from_host(self, make: Callable[[], Any]) -> Array:
        """Return on the GPU what is made on the host; see `interface.Backend`."""
        return self._host_arrays.new(make)

    def repeated(self, run: Callable[[], tuple[Scalar, ...]]) -> Repeated:
        """Return a function that runs, or launches a CUDA graph of it; see `GraphedStep`.

        RNNKIT_CUDA_GRAPH=0 switches graphs off; with 1 it is an error where there can be none.

        Raises
        ------
        ValueError
            If RNNKIT_CUDA_GRAPH has another value.
        """
        asked = graphs_asked_for()
        if asked is False:
            return lambda plan: run()
        return GraphedStep(self.xp, run, self._taking_from, required=bool(asked))

    @contextmanager
    def _taking_from(self, arrays: HostArrays) -> Iterator[None]:
        """Take what comes from the host from there inside the ``with`` block."""
        before = self._host_arrays
        self._host_arrays, self._plan = arrays, None
        try:
            yield
        finally:
            self._host_arrays, self._plan = before, None

    def scalar(self, x: Array) -> Array:
        """Return a sum as a float64 array of no dimension, without waiting for it."""
        return x.astype(np.float64)

    def to_floats(self, numbers: Sequence[Any]) -> list[float]:
        """Return floats and arrays of no dimension as floats, in one download."""
        xp = self.xp
        waiting = [n for n in numbers if isinstance(n, xp.ndarray)]
        downloaded = iter(self.download(xp.stack(waiting)).tolist() if waiting else [])
        return [next(downloaded) if isinstance(n, xp.ndarray) else float(n) for n in numbers]

    def recurrent(self, spec: LayerSpec, dtype: np.dtype) -> CudaRecurrent:
        """Bind one recurrent layer in one direction.

        Raises
        ------
        ValueError
            If the layer has an option that the kernels lack.
        """
        return CudaRecurrent(self, spec, np.dtype(dtype))

    def recurrent_step(
        self, spec: LayerSpec, dtype: np.dtype, weights: dict[str, Array]
    ) -> OneSequence:
        """Bind one recurrent layer to its weights, for one sequence step by step."""
        return OneSequence(self.recurrent(spec, dtype), weights, self.xp)

    def dense(self, n_inputs: int, n_outputs: int, dtype: np.dtype) -> CudaDense:
        """Bind a dense layer."""
        return CudaDense(self)

    def softmax_cross_entropy(
        self, scores: Array, labels: Array, weights: Array | None, label_smoothing: float = 0.0
    ) -> tuple[Array, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the raw scores."""
        xp = self.xp
        n, k = scores.shape
        losses, dscores = xp.empty(n, scores.dtype), xp.empty_like(scores)
        if n == 0:
            return xp.zeros((), np.float64), dscores
        _kernels(scores.dtype).softmax_cross_entropy(
            _blocks(n), _THREADS, scores, n, k, labels, weights, label_smoothing, losses, dscores
        )
        return self._sum(losses), dscores

    def softmax(self, scores: Array) -> Array:
        """Return the class probabilities (P, K) of raw scores (P, K)."""
        n, k = scores.shape
        probabilities = self.xp.empty_like(scores)
        if n:
            _kernels(scores.dtype).softmax(_blocks(n), _THREADS, scores, n, k, probabilities)
        return probabilities

    def add_rows(self, table: Array, ids: np.ndarray, rows: Array) -> None:
        """Add each of rows (P, W) to the row of table (V, W) that its id names, in order."""
        if not len(ids):
            return
        xp = self.xp
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        bounds = np.append(starts, len(ids))
        width = table.shape[1]
        _kernels(table.dtype).add_rows(
            _blocks(len(starts) * width),
            _THREADS,
            xp.ascontiguousarray(rows),
            width,
            xp.asarray(order, np.int64),
            xp.asarray(bounds, np.int64),
            xp.asarray(ordered[starts], np.int64),
            len(starts),
            table,
        )

    def add_steps(self, plan: PackedPlan, x: Array, total: Array) -> None:
        """Add the rows of x (P, W) to those of their sequences in total (B, W), step after step."""
        n, width = total.shape
        if n and plan.n_rows:
            kernel = _kernels(x.dtype).add_steps
            kernel(_blocks(n * width), _THREADS, x, *self.uploaded(plan), n, width, total)

    def largest_of_steps(
        self, plan: PackedPlan, x: Array, largest: Array, row: Array | None
    ) -> None:
        """Raise largest (B, W) to the maximum over each sequence's rows of x (P, W)."""
        n, width = largest.shape
        if n and plan.n_rows:
            kernel = _kernels(x.dtype).largest_of_steps
            kernel(_blocks(n * width), _THREADS, x, *self.uploaded(plan), n, width, largest, row)

    def attend_to_steps(
        self,
        plan: PackedPlan,
        energies: Array,
        x: Array,
        largest: Array,
        total: Array,
        weighted: Array,
    ) -> None:
        """Go on with the sums of a softmax over the steps of each sequence."""
        n, width = weighted.shape
        if n and plan.n_rows:
            before = (largest.copy(), total.copy())
            arguments = (energies, x, *self.uploaded(plan), n, width, *before)
            kernel = _kernels(x.dtype).attend_to_steps
            kernel(_blocks(n * width), _THREADS, *arguments, largest, total, weighted)

    def clip_norm(self, gradient: Array, limit: float) -> Array:
        """Scale the flat gradient in place to a 2-norm of at most `limit`; return the norm."""
        norm = self._sum(gradient, norm=True)
        n = gradient.size
        if n and limit < np.inf:
            _kernels(gradient.dtype).limit_norm(_blocks(n), _THREADS, gradient, n, norm, limit)
        return norm

    def update(
        self,
        rule: str,
        parameters: Array,
        gradient: Array,
        state: dict[str, Array],
        pace: Pace,
        **options: float,
    ) -> None:
        """Apply one optimizer step in place on flat vectors."""
        names = {
            "sgd": ("velocity", "momentum", "nesterov"),
            "rmsprop": ("square", "velocity", "decay", "epsilon", "momentum"),
            "adagrad": ("square", "epsilon"),
            "adadelta": ("square", "change", "decay", "epsilon"),
            "adam": ("mean", "square", "beta_1", "beta_2", "epsilon", "weight_decay"),
        }
        if rule not in names:
            raise ValueError(f"unknown update rule {rule!r}; allowed are {', '.join(names)}")
        vectors = [state[name] for name in names[rule] if name in state]
        numbers = [options[name] for name in names[rule] if name not in state]
        betas = [options[name] for name in ("beta_1", "beta_2") if name in options]
        dtype = parameters.dtype
        at_pace = self.from_host(
            lambda: np.array([pace.learning_rate, *(1 - b**pace.step for b in betas)], dtype)
        )
        n = parameters.size
        if n:
            arguments = (n, parameters, gradient, *vectors, at_pace, *numbers)
            getattr(_kernels(dtype), rule)(_blocks(n), _THREADS, *arguments)

    def product(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
        accumulate: bool = False,
    ) -> None:
        """Compute ``out = op(a) op(b) + bias``, or ``out += op(a) op(b)``.

        The rows of each matrix lie any distance apart, those of `out` (M, N) next to each other;
        bias is (N,).
        """
        (m, n), k = out.shape, a.shape[0] if transpose_a else a.shape[1]
        if m == 0 or n == 0:
            return
        if self._cublas is not None and k:
            if bias is not None:
                out[...] = bias
            stream = self.xp.cuda.get_current_stream().ptr
            add = accumulate or bias is not None
            self._cublas.multiply(stream, a, transpose_a, b, transpose_b, out, add)
            return
        grid = (-(-n // _TILE), min(-(-m // _TILE), _GRID_ROWS))
        arguments = (*_strided(a, transpose_a), *_strided(b, transpose_b), bias, accumulate, out)
        shared = _GEMM_SHARED * out.itemsize
        _kernels(out.dtype).gemm(grid, _THREADS, m, n, k, *arguments, shared=shared)

    def add_column_sums(self, a: Array, sums: Array) -> None:
        """Add the sums of the columns of a (M, N) to sums (N,)."""
        m, n = a.shape
        if m and n:
            shared = _THREADS * a.itemsize
            _kernels(a.dtype).column_sums(-(-n // 32), _THREADS, a, m, n, sums, shared=shared)

    def uploaded(self, plan: PackedPlan) -> tuple[Array, Array]:
        """Return step offsets (T + 1,) and lengths (B,) of a plan; the last plan's are kept."""
        if self._plan is None or self._plan[0] is not plan:
            offsets, lengths = (a.astype(np.int64) for a in (plan.step_offsets, plan.lengths))
            self._plan = (plan, self.upload(offsets), self.upload(lengths))
        return self._plan[1:]

    def tiling(
        self, n_sequences: int, spec: LayerSpec, dtype: np.dtype, *, backward: bool
    ) -> Tiling:
        """Return how a layer is spread over the GPU."""
        return choose_tiling(
            self._facts,
            n_sequences,
            spec.hidden_size,
            len(spec.gates),
            dtype.itemsize,
            backward=backward,
            algorithm=_algorithm_asked_for(),
        )

    def _sum(self, x: Array, norm: bool = False) -> Array:
        """Return the sum, or the 2-norm, of a flat array as a float64 array of no dimension."""
        xp, kernels = self.xp, _kernels(x.dtype)
        n_parts = min(_blocks(x.size), 256)
        parts, total = xp.empty(n_parts, np.float64), xp.empty((), np.float64)
        kernels.partial_sums(n_parts, _THREADS, x, x.size, norm, parts, shared=8 * _THREADS)
        kernels.total_of_parts(1, 1, parts, n_parts, norm, total)
        return total


def _strided(array: Array, transposed: bool) -> tuple[Array, int, int]:
    """Return a matrix with the distances between the rows and columns of op(matrix)."""
    distance = array.strides[0] // array.itemsize if array.shape[0] > 1 else array.shape[1]
    return (array, 1, distance) if transposed else (array, distance, 1)


class CudaDense:
    """``y = x Wᵀ + b``; see `interface.DenseOperation`."""

    def __init__(self, backend: CudaBackend) -> None:
        self._backend = backend

    def forward(self, x: Array, weight: Array, bias: Array) -> Array:
        """Map x (P, I) with weight (K, I) and bias (K,) to (P, K)."""
        y = self._backend.xp.empty((len(x), len(weight)), x.dtype)
        self._backend.product(x, weight, y, transpose_b=True, bias=bias)
        return y

    def backward(
        self,
        x: Array,
        dy: Array,
        weight: Array,
        dweight: Array,
        dbias: Array,
        *,
        input_gradient: bool = True,
    ) -> Array | None:
        """Add to dweight and dbias; return dx (P, I), or None if not asked for."""
        backend = self._backend
        dy = backend.xp.ascontiguousarray(dy)
        backend.product(dy, x, dweight, transpose_a=True, accumulate=True)
        backend.add_column_sums(dy, dbias)
        if not input_gradient:
            return None
        dx = backend.xp.empty_like(x)
        backend.product(dy, weight, dx)
        return dx


class CudaRecurrent:
    """One recurrent layer in one direction; see `interface.RecurrentOperation`."""

    def __init__(self, backend: CudaBackend, spec: LayerSpec, dtype: np.dtype) -> None:
        refuse_unsupported(spec)
        self.spec = spec
        self._backend = backend
        self._dtype = dtype
        self._options = layer_options(spec, dtype)
        self._saved: _Saved | None = None

    def forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: dict[str, Array],
        h0: Array | None = None,
        c0: Array | None = None,
        *,
        training: bool = False,
        recurrent_mask: Array | None = None,
        zoneout_masks: tuple[Array, Array | None] | None = None,
    ) -> RecurrentResult:
        """Run all steps; the masks act in training alone."""
        spec, xp = self.spec, self._backend.xp
        width = (plan.n_rows, spec.hidden_size)
        x = xp.ascontiguousarray(x)
        gates = xp.empty((plan.n_rows, len(spec.gates) * spec.hidden_size), self._dtype)
        self._backend.product(
            x, weights["weight_ih"], gates, transpose_b=True, bias=weights["bias"]
        )
        y = xp.empty(width, self._dtype)
        c = xp.empty(width, self._dtype) if spec.has_cell_state else None
        uh_n = xp.empty(width, self._dtype) if spec.cell == "gru" else None
        masks: tuple[Array | None, ...] = (None, None, None)
        keep = spec.zoneout
        if training:
            keep = 0.0
            masks = (recurrent_mask, *(zoneout_masks or (None, None)))
        saved = _Saved(plan, x, weights, h0, c0, masks, keep, gates, uh_n, y, c)
        if plan.n_rows:
            self._run_forward(saved)
        self._saved = saved if training else None
        return RecurrentResult(y, self._last(saved, y, h0), self._last(saved, c, c0))

    def backward(
        self,
        dy: Array | None,
        gradients: dict[str, Array],
        dh_n: Array | None = None,
        dc_n: Array | None = None,
        *,
        input_gradient: bool = True,
    ) -> RecurrentGradient:
        """Run back through the last forward call, once."""
        backend, spec, saved = self._backend, self.spec, self._recorded()
        xp, plan = backend.xp, saved.plan
        self._saved = None
        dh = self._carried(dh_n, plan)
        dc = self._carried(dc_n, plan) if spec.has_cell_state else None
        dx = xp.empty_like(saved.x) if input_gradient else None
        if plan.n_rows:
            terms = None
            if spec.peephole:
                terms = xp.empty((plan.n_rows, 3 * spec.hidden_size), self._dtype)
            dy = None if dy is None else xp.ascontiguousarray(dy)
            self._run_backward(saved, dy, dh, dc, terms)
            self._add_gradients(saved, gradients, terms)
            if dx is not None:
                backend.product(saved.gates, saved.weights["weight_ih"], dx)
        return RecurrentGradient(dx, dh, dc)

    def gate(self, name: str) -> Array:
        """Return the (P, H) activations of a gate of the last training forward call."""
        saved, spec = self._recorded(), self.spec
        n_rows = saved.plan.n_rows
        values = self._backend.xp.empty((n_rows, spec.hidden_size), self._dtype)
        if n_rows:
            self._kernels(self._tiling(saved, backward=False)).gate_values(
                self._backend.n_multiprocessors,
                _THREADS,
                saved.gates,
                n_rows,
                spec.hidden_size,
                spec.gates.index(name),
                values,
            )
        return values

    def _run_forward(self, saved: _Saved) -> None:
        tiling = self._tiling(saved, backward=False)
        weights = saved.weights
        arguments = (
            weights["weight_hh"],
            weights.get("bias_hn"),
            weights.get("peephole"),
            *self._shared_arguments(saved),
        )
        kernel = self._kernels(tiling).recurrent_forward
        self._launch(kernel, tiling, saved.plan.n_steps, *arguments)

    def _run_backward(
        self, saved: _Saved, dy: Array | None, dh: Array, dc: Array | None, terms: Array | None
    ) -> None:
        tiling = self._tiling(saved, backward=True)
        arguments = (
            saved.weights["weight_hh"],
            saved.weights.get("peephole"),
            *self._shared_arguments(saved),
            dy,
            dh,
            dc,
            terms,
        )
        kernel = self._kernels(tiling).recurrent_backward
        self._launch(kernel, tiling, saved.plan.n_steps + 1, *arguments)

    def _shared_arguments(self, saved: _Saved) -> tuple[Any, ...]:
        """Return the arguments that both passes take, from h0 to c."""
        offsets, _ = self._backend.uploaded(saved.plan)
        return (
            saved.h0,
            saved.c0,
            *saved.masks,
            offsets,
            saved.plan.n_steps,
            self.spec.hidden_size,
            self.spec.reverse,
            saved.keep,
            saved.gates,
            saved.uh_n,
            saved.y,
            saved.c,
        )

    def _launch(self, kernel: _Kernel, tiling: Tiling, n_rounds: int, *arguments: Any) -> None:
        """Run all rounds in one launch, or each in its own with the algorithm "steps"."""
        xp = self._backend.xp
        kernel.kernel.max_dynamic_shared_size_bytes = tiling.shared_bytes
        arrivals = None
        if tiling.algorithm == "grid":
            arrivals = xp.zeros(tiling.n_teams, np.uint32)
        rounds = [(0, n_rounds)]
        if tiling.algorithm == "steps":
            rounds = [(number, number + 1) for number in range(n_rounds)]
        with warnings.catch_warnings():
            if tiling.algorithm == "grid":  # CuPy would shrink the grid, and blocks would wait
                warnings.simplefilter("error")
            for first, last in rounds:
                kernel(
                    tiling.n_blocks,
                    tiling.n_threads,
                    *arguments,
                    first,
                    last,
                    tiling.team_size,
                    tiling.chunk,
                    arrivals,
                    shared=tiling.shared_bytes,
                )

    def _add_gradients(
        self, saved: _Saved, gradients: dict[str, Array], terms: Array | None
    ) -> None:
        """Add the gradients of all weights, from those of the gates' inputs."""
        backend, spec, gates = self._backend, self.spec, saved.gates
        before = self._states_before(saved)
        backend.product(gates, saved.x, gradients["weight_ih"], transpose_a=True, accumulate=True)
        backend.add_column_sums(gates, gradients["bias"])
        products = [(gates, gradients["weight_hh"])]  # gradients by rows of U h, and of U
        if spec.cell == "gru":
            h, dweight = spec.hidden_size, gradients["weight_hh"]
            products = [(gates[:, : 2 * h], dweight[: 2 * h]), (saved.uh_n, dweight[2 * h :])]
            backend.add_column_sums(saved.uh_n, gradients["bias_hn"])
        for dproduct, dweight in products:
            backend.product(dproduct, before, dweight, transpose_a=True, accumulate=True)
        if terms is not None:
            backend.add_column_sums(terms, gradients["peephole"])

    def _states_before(self, saved: _Saved) -> Array:
        """Return the hidden state (P, H) that each row's recurrent product was taken of."""
        before = self._backend.xp.empty_like(saved.y)
        plan, (offsets, _) = saved.plan, self._backend.uploaded(saved.plan)
        _kernels(self._dtype).states_before(
            min(plan.n_steps, _GRID_ROWS),
            _THREADS,
            saved.y,
            saved.h0,
            saved.masks[0],
            offsets,
            plan.n_steps,
            self.spec.hidden_size,
            self.spec.reverse,
            before,
        )
        return before

    def _last(self, saved: _Saved, states: Array | None, start: Array | None) -> Array | None:
        """Return the states (B, H) after each sequence's last step."""
        if states is None:
            return None
        plan, (offsets, lengths) = saved.plan, self._backend.uploaded(saved.plan)
        last = self._backend.xp.empty((plan.n_sequences, self.spec.hidden_size), self._dtype)
        if last.size:
            _kernels(self._dtype).last_states(
                _blocks(last.size),
                _THREADS,
                states,
                start,
                offsets,
                lengths,
                plan.n_sequences,
                self.spec.hidden_size,
                self.spec.reverse,
                last,
            )
        return last

    def _carried(self, gradient: Array | None, plan: PackedPlan) -> Array:
        """Return a copy of a gradient (B, H) by the last states; None means zeros."""
        if gradient is None:
            shape = (plan.n_sequences, self.spec.hidden_size)
            return self._backend.xp.zeros(shape, self._dtype)
        return gradient.copy()

    def _tiling(self, saved: _Saved, *, backward: bool) -> Tiling:
        n_sequences = max(1, saved.plan.n_sequences)
        return self._backend.tiling(n_sequences, self.spec, self._dtype, backward=backward)

    def _kernels(self, tiling: Tiling) -> _Kernels:
        options = (*self._options, *tiling.options())
        return _layer_kernels(self.spec.cell, options, self._dtype, tiling.algorithm == "grid")

    def _recorded(self) -> _Saved:
        if self._saved is None:
            raise RuntimeError("call forward with training=True first, and backward only once")
        return self._saved


class _Saved(NamedTuple):
    """What a forward call leaves to backward."""

    plan: PackedPlan
    x: Array
    weights: dict[str, Array]
    h0: Array | None
    c0: Array | None
    masks: tuple[Array | None, ...]  # recurrent, and of zoneout for h and c
    keep: float  # what zoneout keeps where there is no mask
    gates: Array
    uh_n: Array | None
    y: Array
    c: Array | None
