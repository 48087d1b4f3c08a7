"""Training steps recorded as CUDA graphs and launched again for other minibatches of their plan.

A graph repeats launches with the very arguments they were recorded with. So what a step takes from
the host lies at addresses that stay, and so does all memory that the step works in.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from rnnkit.backends.cuda.uploads import HostArrays, Uploads
from rnnkit.backends.interface import Array, ArrayModule, PackedPlan, Scalar

__all__ = ["GraphedStep", "graphs_asked_for"]

_ALIGNMENT = 256  # bytes, of arrays on the GPU
# Bounds of memory, not measured: `python benchmarks/bench_gpu.py` shows what a graph saves.
_MOST_GRAPHS = 16  # of one step
_MOST_PLANS = 1024  # of one step that are remembered
_SHARE_OF_MEMORY = 4  # graphs may keep a fourth of the GPU's memory


def graphs_asked_for() -> bool | None:
    """Return whether steps must (True) or must not (False) be graphs; None: where they can be.

    Raises
    ------
    ValueError
        If RNNKIT_CUDA_GRAPH has another value than 0 or 1.
    """
    asked = os.environ.get("RNNKIT_CUDA_GRAPH") or None
    if asked not in (None, "0", "1"):
        raise ValueError(f"RNNKIT_CUDA_GRAPH must be 0 or 1, got {asked!r}")
    return None if asked is None else asked == "1"


class _NotedArrays(HostArrays):
    """The same, and kept in mind for a record of the step."""

    def __init__(self, xp: ArrayModule) -> None:
        super().__init__(xp)
        self.constants: list[Array] = []
        self.kinds: list[tuple[tuple[int, ...], np.dtype]] = []

    def constant(self, array: np.ndarray) -> Array:
        self.constants.append(super().constant(array))
        return self.constants[-1]

    def new(self, make: Callable[[], Any]) -> Array:
        array = super().new(make)
        self.kinds.append((array.shape, array.dtype))
        return array


class _RecordedArrays(HostArrays):
    """Where a record finds what was noted: constants as they are, the rest in one block."""

    def __init__(self, xp: ArrayModule, noted: _NotedArrays) -> None:
        super().__init__(xp)
        self._constants = noted.constants
        self._n_constants = 0
        self._kinds = noted.kinds
        self._makers: list[Callable[[], Any]] = []
        self._starts = [0]
        for kind in noted.kinds:
            n_units = -(-_n_bytes(*kind) // _ALIGNMENT)
            self._starts.append(self._starts[-1] + n_units * _ALIGNMENT)
        self._block = xp.empty(self._starts[-1], np.uint8)

    def constant(self, array: np.ndarray) -> Array:
        number = self._n_constants
        self._n_constants += 1
        self._require(number < len(self._constants))
        return self._constants[number]

    def new(self, make: Callable[[], Any]) -> Array:
        number = len(self._makers)
        self._makers.append(make)
        self._require(number < len(self._kinds))
        return self._place(self._block, number)

    def require_all(self) -> None:
        """Raise RuntimeError if the record took less than was noted."""
        self._require(self._n_constants == len(self._constants))
        self._require(len(self._makers) == len(self._kinds))

    def _require(self, as_noted: bool) -> None:
        if not as_noted:
            raise RuntimeError("a step does not take the same arrays from the host every time")

    def fill(self) -> None:
        """Make everything anew, in its order, and upload it in one go, without waiting."""
        block = np.empty(self._starts[-1], np.uint8)
        for number, make in enumerate(self._makers):
            made, place = make(), self._place(block, number)
            if (made.shape, made.dtype) != (place.shape, place.dtype):
                raise RuntimeError(
                    f"a recorded step takes {place.dtype} of shape {place.shape}, "
                    f"got {made.dtype} of shape {made.shape}"
                )
            place[...] = made
        self._block[...] = self._xp.asarray(block)

    def _place(self, block: Any, number: int) -> Any:
        shape, dtype = self._kinds[number]
        start = self._starts[number]
        return block[start : start + _n_bytes(shape, dtype)].view(dtype).reshape(shape)


def _n_bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape)) * dtype.itemsize


class _KeptMemory:
    """An allocator whose memory is nobody else's as long as it lives.

    Memory belongs to the stream that the graph is launched on, not to the one that is captured.
    """

    def __init__(self, malloc: Callable[[int], Any], stream: Any, limit: int) -> None:
        self._malloc = malloc
        self._stream = stream
        self._limit = limit
        self._kept: list[Any] = []
        self.n_bytes = 0

    def malloc(self, n_bytes: int) -> Any:
        self.n_bytes += n_bytes
        if self.n_bytes > self._limit:
            raise MemoryError(f"a graph may keep {self._limit} bytes, its step takes more")
        with self._stream:
            self._kept.append(self._malloc(n_bytes))
        return self._kept[-1]


class _Graph:
    """A recorded step: its graph, and all that the graph reads and writes but the fit's own."""

    def __init__(
        self, graph: Any, arrays: _RecordedArrays, memory: _KeptMemory, results: tuple[Scalar, ...]
    ) -> None:
        self._graph = graph
        self._arrays = arrays
        self._memory = memory
        self._results = results

    def launch(self) -> tuple[Scalar, ...]:
        """Do the step once more; return copies of its results, which the next launch overwrites."""
        self._arrays.fill()
        self._graph.launch()
        return tuple(result.copy() for result in self._results)


class GraphedStep:
    """A step that is recorded when a plan comes the second time, and launched from then on.

    The first time all its kernels are compiled. The second time it runs as well, and what it takes
    from the host is noted; then it is recorded, which computes nothing and draws nothing: whether
    that succeeds makes no difference to any result.

    Parameters
    ----------
    xp : module
        cupy.
    run : callable
        The step; see `interface.Backend.repeated`. Its results are arrays.
    uploads : Uploads
        What the step takes from the host goes through it.
    required : bool
        Whether RuntimeError or MemoryError is raised where a step cannot be recorded; otherwise
        it runs as ever, and no other is recorded.

    Attributes
    ----------
    n_launches : int
        How often a graph was launched.
    """

    def __init__(
        self,
        xp: ArrayModule,
        run: Callable[[], tuple[Scalar, ...]],
        uploads: Uploads,
        *,
        required: bool,
    ) -> None:
        self._xp = xp
        self._run = run
        self._uploads = uploads
        self._required = required
        self._graphs: dict[bytes, _Graph] = {}
        self._plans: set[bytes] = set()
        self._free_bytes = xp.cuda.runtime.memGetInfo()[1] // _SHARE_OF_MEMORY
        self._is_possible = True
        self.n_launches = 0

    def __call__(self, plan: PackedPlan | None) -> tuple[Scalar, ...]:
        """Do the step for a minibatch of a plan; None: the plan does not tell all of the step."""
        if plan is None:
            if self._required:
                raise RuntimeError(
                    "RNNKIT_CUDA_GRAPH=1, but this training step cannot be a graph: it takes token "
                    "ids, computes its loss on the host, or is computed in parts"
                )
            return self._run()
        key = plan.lengths.tobytes()
        graph = self._graphs.get(key)
        if graph is not None:
            self.n_launches += 1
            return graph.launch()
        if self._is_due(key):
            return self._run_and_record(key)
        return self._run()

    def _is_due(self, key: bytes) -> bool:
        """Whether a plan has come before and there is room for its graph; note that it came."""
        if key in self._plans:
            return self._is_possible and len(self._graphs) < _MOST_GRAPHS
        if len(self._plans) < _MOST_PLANS:
            self._plans.add(key)
        return False

    def _run_and_record(self, key: bytes) -> tuple[Scalar, ...]:
        noted = _NotedArrays(self._xp)
        with self._uploads.taken_from(noted):
            results = self._run()
        try:
            self._graphs[key] = self._record(noted)
        except (RuntimeError, MemoryError) as error:
            if self._required:
                raise
            self._is_possible = False
            _warn_of_no_graph(str(error))
        return results

    def _record(self, noted: _NotedArrays) -> _Graph:
        """Record the step; nothing of it is computed."""
        cuda = self._xp.cuda
        arrays = _RecordedArrays(self._xp, noted)
        memory = _KeptMemory(cuda.get_allocator(), cuda.get_current_stream(), self._free_bytes)
        stream = cuda.Stream(non_blocking=True)
        with self._uploads.taken_from(arrays), cuda.using_allocator(memory.malloc), stream:
            stream.begin_capture()
            try:
                results = self._run()
                arrays.require_all()
            except BaseException:
                with suppress(RuntimeError):  # of a capture that the driver has given up
                    stream.end_capture()
                raise
            graph = stream.end_capture()
        self._free_bytes -= memory.n_bytes
        return _Graph(graph, arrays, memory, results)


@cache
def _warn_of_no_graph(reason: str) -> None:
    """Say once in a process for each reason that steps are launched kernel by kernel."""
    warnings.warn(
        f"a training step could not be recorded as a CUDA graph ({reason}); training goes on "
        "without, with the same results, slower",
        UserWarning,
        stacklevel=2,
    )
