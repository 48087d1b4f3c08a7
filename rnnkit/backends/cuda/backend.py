"""The CUDA backend: CuPy holds the arrays, the kernels in this folder do the arithmetic.

Nothing here waits for the GPU but what gives a number or an array to the host: sums come back as
arrays of no dimension, on the GPU.

Letters: B sequences of the minibatch, T steps, P packed rows, I inputs, H hidden units, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnkit.backends.cpu import CoreLabels
from rnnkit.backends.cuda.device import import_cupy, pool_of, why_no_gpu
from rnnkit.backends.cuda.graphs import GraphedStep, graphs_asked_for
from rnnkit.backends.cuda.launching import THREADS, Kernel, general_kernels, n_blocks_for
from rnnkit.backends.cuda.products import CudaDense, Products, cublas_of
from rnnkit.backends.cuda.recurrent import CudaRecurrent
from rnnkit.backends.cuda.uploads import Uploads
from rnnkit.backends.directions import OneAfterTheOther
from rnnkit.backends.interface import (
    Array,
    AttentionOperation,
    Pace,
    PackedPlan,
    RecurrentOperation,
    Repeated,
    Scalar,
)
from rnnkit.backends.rules import require_rule
from rnnkit.backends.segments import segments_of
from rnnkit.backends.streaming import StepStream, drawn_from
from rnnkit.cells import LayerSpec

__all__ = ["CudaBackend"]

_PARTS = 256  # at most, in which a sum is computed


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
    n_threads = 1
    labels = CoreLabels()

    def __init__(self, device: int = 0, cublas: bool = True) -> None:
        self.xp = import_cupy()
        reason = why_no_gpu(device)
        if reason is not None:
            raise RuntimeError(f"device 'cuda:{device}' cannot be used: {reason}; use device='cpu'")
        self.device = device
        self.products = Products(self.xp, cublas_of(device) if cublas else None)
        self._uploads = Uploads(self.xp)

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
        pool = pool_of(self.device)
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

    def free_bytes(self) -> int:
        """Return how much more memory the GPU has, and what its pool keeps for later calls."""
        with self.xp.cuda.Device(self.device):
            free, _ = self.xp.cuda.runtime.memGetInfo()
        return int(free) + int(pool_of(self.device).free_bytes())

    def upload(self, array: np.ndarray) -> Array:
        """Return a host array on the GPU; see `interface.Backend`."""
        return self._uploads.constant(array)

    def download(self, array: Array) -> np.ndarray:
        """Return an array on the host; waits for the GPU."""
        on_host: np.ndarray = self.xp.asnumpy(array)
        return on_host

    def from_host(self, make: Callable[[], Any]) -> Array:
        """Return on the GPU what is made on the host; see `interface.Backend`."""
        return self._uploads.new(make)

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
        return GraphedStep(self.xp, run, self._uploads, required=bool(asked))

    def scalar(self, x: Array) -> Array:
        """Return a sum as a float64 array of no dimension, without waiting for it."""
        return x.astype(np.float64)

    def to_floats(self, numbers: Sequence[Any]) -> list[float]:
        """Return floats and arrays of no dimension as floats, in one download."""
        xp = self.xp
        waiting = [n for n in numbers if isinstance(n, xp.ndarray)]
        downloaded = iter(self.download(xp.stack(waiting)).tolist() if waiting else [])
        return [next(downloaded) if isinstance(n, xp.ndarray) else float(n) for n in numbers]

    def recurrent(
        self, spec: LayerSpec, dtype: np.dtype, *, constant: bool = False
    ) -> CudaRecurrent:
        """Bind one recurrent layer in one direction.

        Raises
        ------
        ValueError
            If the layer has an option that the kernels lack.
        """
        return CudaRecurrent(
            spec, np.dtype(dtype), self.xp, self.device, self.products, self._uploads
        )

    def recurrent_stream(
        self, spec: LayerSpec, dtype: np.dtype, weights: dict[str, Array], n: int = 1
    ) -> StepStream:
        """Bind one recurrent layer to its weights, for n sequences step by step."""
        return StepStream(self.recurrent(spec, dtype), weights, self.xp, n)

    def number_stream(self, shape: tuple[int, ...], streams: Any, heads: Any) -> None:
        """Return None: there is no shorter way than layer by layer."""

    def joined(self, one: RecurrentOperation, other: RecurrentOperation) -> OneAfterTheOther:
        """Return what runs one direction of a layer after the other."""
        return OneAfterTheOther((one, other), self.xp)

    def token_stream(self, table: Array, streams: Any, heads: Any) -> None:
        """Return None: there is no shorter way than layer by layer."""

    def draw(self, scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray:
        """Return an index drawn from the softmax of each row of scores, on the host."""
        return drawn_from(scores, temperature, at)

    def dense(
        self, n_inputs: int, n_outputs: int, dtype: np.dtype, *, constant: bool = False
    ) -> CudaDense:
        """Bind a dense layer."""
        return CudaDense(self.xp, self.products)

    def attention(self) -> AttentionOperation:
        """Raise ValueError: what attends to steps read is computed on the CPU."""
        raise ValueError("device='cuda' has no attention to steps read; use device='cpu'")

    def softmax_cross_entropy(
        self, scores: Array, labels: Array, weights: Array | None, label_smoothing: float = 0.0
    ) -> tuple[Array, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the raw scores."""
        xp = self.xp
        n, k = scores.shape
        losses, dscores = xp.empty(n, scores.dtype), xp.empty_like(scores)
        if n == 0:
            return xp.zeros((), np.float64), dscores
        general_kernels(scores.dtype).softmax_cross_entropy.over(
            n, scores, n, k, labels, weights, label_smoothing, losses, dscores
        )
        return self._sum(losses), dscores

    def largest(self, scores: Array) -> Array:
        """Return the place of the largest score of each row, the first of equals."""
        return scores.argmax(axis=1)

    def softmax(self, scores: Array) -> Array:
        """Return the class probabilities (P, K) of raw scores (P, K)."""
        n, k = scores.shape
        probabilities = self.xp.empty_like(scores)
        if n:
            general_kernels(scores.dtype).softmax.over(n, scores, n, k, probabilities)
        return probabilities

    def add_rows(self, table: Array, ids: np.ndarray, rows: Array) -> None:
        """Add each of rows (P, W) to the row of table (V, W) that its id names, in order."""
        if not len(ids):
            return
        xp = self.xp
        segments = segments_of(ids)
        if ids.min() < 0 or segments.ids[-1] >= len(table):
            raise IndexError(
                f"ids must lie in 0 .. {len(table) - 1}, got {ids.min()} .. {ids.max()}"
            )
        width = table.shape[1]
        general_kernels(table.dtype).add_rows.over(
            segments.n * width,
            xp.ascontiguousarray(rows),
            width,
            *(xp.asarray(array, np.int64) for array in segments),
            segments.n,
            table,
        )

    def add_steps(self, plan: PackedPlan, x: Array, total: Array) -> None:
        """Add the rows of x (P, W) to those of their sequences in total (B, W), step after step."""
        n, width = total.shape
        if n and plan.n_rows:
            kernel = general_kernels(x.dtype).add_steps
            kernel.over(n * width, x, *self._uploads.plan(plan), n, width, total)

    def largest_of_steps(
        self, plan: PackedPlan, x: Array, largest: Array, row: Array | None
    ) -> None:
        """Raise largest (B, W) to the maximum over each sequence's rows of x (P, W)."""
        n, width = largest.shape
        if n and plan.n_rows:
            kernel = general_kernels(x.dtype).largest_of_steps
            kernel.over(n * width, x, *self._uploads.plan(plan), n, width, largest, row)

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
            arguments = (energies, x, *self._uploads.plan(plan), n, width, *before)
            kernel = general_kernels(x.dtype).attend_to_steps
            kernel.over(n * width, *arguments, largest, total, weighted)

    def clip_norm(self, gradient: Array, limit: float, ranges: np.ndarray | None = None) -> Array:
        """Scale the flat gradient in place to a 2-norm of at most `limit`; return the norm."""
        norm = self._sum(gradient, norm=True)
        n = gradient.size
        if n and limit < np.inf:
            general_kernels(gradient.dtype).limit_norm.over(n, gradient, n, norm, limit)
        return norm

    def update(
        self,
        rule: str,
        parameters: Array,
        gradient: Array,
        state: dict[str, Array],
        pace: Pace,
        ranges: np.ndarray | None = None,
        **options: float,
    ) -> None:
        """Apply one optimizer step in place on flat vectors."""
        require_rule(rule)
        betas = [options[name] for name in ("beta_1", "beta_2") if name in options]
        dtype = parameters.dtype
        at_pace = self.from_host(
            lambda: np.array([pace.learning_rate, *(1 - b**pace.step for b in betas)], dtype)
        )
        n = parameters.size
        if n:
            kernel: Kernel = getattr(general_kernels(dtype), rule)
            arguments = {"n": n, "p": parameters, "g": gradient, "pace": at_pace}
            arguments |= {**state, **options}
            kernel.over(n, *(arguments[name] for name in kernel.names))

    def _sum(self, x: Array, norm: bool = False) -> Array:
        """Return the sum, or the 2-norm, of a flat array as a float64 array of no dimension."""
        xp, kernels = self.xp, general_kernels(x.dtype)
        n_parts = min(n_blocks_for(x.size), _PARTS)
        parts, total = xp.empty(n_parts, np.float64), xp.empty((), np.float64)
        shared = THREADS * parts.itemsize
        kernels.partial_sums(n_parts, THREADS, x, x.size, norm, parts, shared=shared)
        kernels.total_of_parts(1, THREADS, parts, n_parts, norm, total, shared=shared)
        return total
