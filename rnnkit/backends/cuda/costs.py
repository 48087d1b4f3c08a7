"""What a step of a recurrent layer costs on a GPU, by counting: which tiling is expected to win.

A step is what its slowest multiprocessor does one after the other, and what all wait for. Counted
are the tiles that a block takes in series, clusters that wait for a place, and for every tile the
trips to the second-level cache, the bytes it loads, the products, and the rows of banks that shared
memory gives out for them. The rates are those of a data-centre GPU of compute capability 9 at its
usual clock, from its data sheet and from what others measured; algorithms are compared on one
device, so that a GPU which is slower in everything chooses the same.

Letters: B sequences of the minibatch, H hidden units, G gates.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from rnnkit.backends.cuda.device import Device

__all__ = ["THREADS", "Layer", "Tiling", "step_nanoseconds"]

# Not measured: `python benchmarks/bench_gpu.py` shows on a device what they promise.
THREADS = 256  # of a block of the recurrent kernels
_WARP = 32
_CYCLES = 1.6  # in a nanosecond
_ISSUED = 0.7  # of all cycles, a product is begun in: two warps of a scheduler hide no more
_LATENCY = 600.0  # ns until a number that another block wrote lies in shared memory
_CELL = 150.0  # ns of a tile for its cells, once their products are summed
_WAIT_BLOCK, _WAIT_CLUSTER, _WAIT_GRID = 50.0, 300.0, 1200.0  # ns
_LAUNCH = 1500.0  # ns of a kernel in a CUDA graph: its begin and its end
_BYTES_OF_L2 = 40.0  # a ns and multiprocessor, when all of them load
_PRODUCT, _PRODUCT_SHARE = 1500.0, 0.75  # of cuBLAS: ns at least, and its share of the peak
_PRODUCT_SHARE_OF_OURS = 0.15  # the same of gemm.cu


class Tiling(NamedTuple):
    """How a recurrent layer is spread over the GPU; see kernels/team.cu.

    With the algorithm "products" only the name is of use: cuBLAS spreads those.
    """

    algorithm: str
    rows: int = 0  # sequences of a tile
    units: int = 0  # hidden units of a tile
    team_size: int = 0  # blocks that split the hidden units
    n_teams: int = 0
    chunk: int = 0  # factors of the product that lie in shared memory at a time
    shared_bytes: int = 0

    @property
    def slices(self) -> int:
        """Threads that share a hidden unit."""
        return THREADS // self.units

    @property
    def n_blocks(self) -> int:
        """Blocks of a launch."""
        return self.team_size * self.n_teams

    @property
    def n_threads(self) -> int:
        """Threads of a block."""
        return self.units * self.slices

    @property
    def cluster_size(self) -> int:
        """Blocks of a cluster; 1 without clusters."""
        return self.team_size if self.algorithm == "cluster" else 1

    @property
    def counts_arrivals(self) -> bool:
        """Whether teams wait in global memory, so that all blocks must be launched together."""
        return self.algorithm == "grid"

    def launches(self, n_rounds: int) -> list[tuple[int, int]]:
        """Return the first and last round of each launch."""
        if self.algorithm == "steps":
            return [(number, number + 1) for number in range(n_rounds)]
        return [(0, n_rounds)]

    def options(self) -> tuple[str, ...]:
        """Return the compiler options of the tiling."""
        return (
            f"-DRK_WAIT_{self.algorithm.upper()}",
            f"-DRK_ROWS={self.rows}",
            f"-DRK_UNITS={self.units}",
            f"-DRK_SLICES={self.slices}",
            *([f"-DRK_CLUSTER={self.cluster_size}"] if self.cluster_size > 1 else []),
        )


class Layer(NamedTuple):
    """What of a layer and its minibatch decides the tiling."""

    n_sequences: int
    hidden_size: int
    n_gates: int
    itemsize: int
    backward: bool

    @property
    def n_factors(self) -> int:
        """Terms of a recurrent product: states forward, gate gradients backward."""
        return self.hidden_size * (self.n_gates if self.backward else 1)

    @property
    def sums_of_unit(self) -> int:
        """Recurrent products of a hidden unit: one for every gate forward, one backward."""
        return 1 if self.backward else self.n_gates

    def n_row_tiles(self, rows: int) -> int:
        """Return into how many tiles of rows the sequences fall."""
        return ceil(self.n_sequences / rows)


def step_nanoseconds(device: Device, layer: Layer, tiling: Tiling, cublas: bool) -> float:
    """Return how long a step is expected to take."""
    if tiling.algorithm == "products":
        return _products_step(device, layer, cublas)
    tile = _tile(device, layer, tiling)
    if tiling.algorithm == "cluster":
        waves = ceil(tiling.n_teams / device.n_places(tiling.cluster_size))
        return waves * (tile + (_WAIT_CLUSTER if tiling.cluster_size > 1 else _WAIT_BLOCK))
    if tiling.algorithm == "grid":
        n_series = ceil(layer.n_row_tiles(tiling.rows) / tiling.n_teams)
        return n_series * tile + _WAIT_GRID
    weights = tiling.units * layer.sums_of_unit * layer.n_factors * layer.itemsize
    waves = ceil(tiling.n_blocks / device.n_multiprocessors)
    return _LAUNCH + waves * (tile + weights / _BYTES_OF_L2)


def _tile(device: Device, layer: Layer, tiling: Tiling) -> float:
    """Return the nanoseconds of a tile without its weights, which lie in shared memory."""
    words, rows, sums = layer.itemsize // 4, tiling.rows, layer.sums_of_unit
    n_warps = THREADS // _WARP
    groups = max(1, _WARP // tiling.units)  # of a warp, each with a factor of its own
    n_terms = ceil(layer.n_factors / tiling.slices)  # of a thread
    given = n_terms * n_warps * (sums * words + ceil(rows * words / 4) * groups)
    begun = n_terms * THREADS * rows * sums / device.products_of_a_cycle(layer.itemsize)
    summed = 2 * rows * sums * n_warps * words  # stored, and loaded by those who add them
    loaded = rows * layer.n_factors * layer.itemsize
    cycles = max(given, begun / _ISSUED) + summed
    return _LATENCY + loaded / _BYTES_OF_L2 + cycles / _CYCLES + _CELL


def _products_step(device: Device, layer: Layer, cublas: bool) -> float:
    """Return the nanoseconds of one matrix product and one kernel of the cells."""
    b, n_weights = layer.n_sequences, layer.n_gates * layer.hidden_size**2
    of_a_ns = device.n_multiprocessors * _CYCLES * device.products_of_a_cycle(layer.itemsize)
    share = _PRODUCT_SHARE if cublas else _PRODUCT_SHARE_OF_OURS
    loading = n_weights * layer.itemsize / (_BYTES_OF_L2 * device.n_multiprocessors)
    product = _PRODUCT + max(b * n_weights / of_a_ns / share, loading)
    return 2 * _LAUNCH + product + _LATENCY + _CELL
