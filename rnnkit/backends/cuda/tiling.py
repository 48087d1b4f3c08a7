"""How a recurrent layer is spread over a GPU: the algorithm, its tiles and teams of blocks.

Nothing here computes on a GPU: a device, a layer and a tiling are data.

Letters: B sequences, T steps, H hidden units, G gates.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from math import ceil, log2
from typing import NamedTuple

from rnnkit.backends.cuda.device import Device

__all__ = ["ALGORITHMS", "Tiling", "algorithm_asked_for", "choose_tiling"]

# Chosen by counting registers and loads; `python benchmarks/bench_gpu.py` shows them on a device.
_THREADS = 256  # of a block of the recurrent kernels
_LARGEST_CLUSTER = 8  # blocks, on every GPU that has clusters
_ROWS = (4, 8, 16)  # sequences of a tile; each costs a register for every gate
_UNITS = (8, 16, 32, 64)  # hidden units of a tile
_STEP_CHUNK = 128  # factors in shared memory at a time, where the weights do not stay there


class Tiling(NamedTuple):
    """How a recurrent kernel is spread over the GPU; see kernels/team.cu."""

    algorithm: str
    rows: int  # sequences of a tile
    units: int  # hidden units of a tile
    team_size: int  # blocks that split the hidden units
    n_teams: int
    chunk: int  # factors of the product that lie in shared memory at a time
    shared_bytes: int

    @property
    def slices(self) -> int:
        """Threads that share a hidden unit."""
        return _THREADS // self.units

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


class _Layer(NamedTuple):
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

    def tile(self, algorithm: str, rows: int, units: int, n_teams: int, chunk: int) -> Tiling:
        """Return a tiling with the shared memory it takes."""
        width = units * (1 if self.backward else self.n_gates)
        slices = _THREADS // units
        n_entries = chunk * rows + chunk * (width + 1) + slices * rows * width
        team_size = ceil(self.hidden_size / units)
        if algorithm == "cluster":
            team_size = 2 ** ceil(log2(team_size))
        return Tiling(algorithm, rows, units, team_size, n_teams, chunk, n_entries * self.itemsize)

    def n_row_tiles(self, rows: int) -> int:
        """Return into how many tiles of rows the sequences fall."""
        return ceil(self.n_sequences / rows)


@cache
def choose_tiling(
    device: Device,
    n_sequences: int,
    hidden_size: int,
    n_gates: int,
    itemsize: int,
    *,
    backward: bool,
    algorithm: str | None = None,
) -> Tiling:
    """Choose how a recurrent layer runs.

    Parameters
    ----------
    device : Device
    n_sequences, hidden_size, n_gates : int
        B, H and G, each at least 1.
    itemsize : int
        Bytes of a number.
    backward : bool
        Whether it is the backward pass.
    algorithm : {"cluster", "grid", "steps"}, default=None
        "cluster": the weights stay in the shared memory of a cluster of blocks (of one block
        before compute capability 9), which runs all steps of its sequences; "grid": in that of
        many blocks, which wait for each other after every step; "steps": a launch per step.
        None takes the first of these that the layer fits.

    Returns
    -------
    Tiling

    Raises
    ------
    RuntimeError
        If the layer does not fit the algorithm that is asked for.
    """
    layer = _Layer(n_sequences, hidden_size, n_gates, itemsize, backward)
    for name in (algorithm,) if algorithm else ALGORITHMS:
        tiling = ALGORITHMS[name](device, layer)
        if tiling is not None:
            return tiling
    raise RuntimeError(
        f"RNNKIT_CUDA_ALGO={algorithm!r} does not fit hidden_size={hidden_size} with "
        f"{n_gates} gates on this GPU; unset it or use 'steps'"
    )


def _cluster(device: Device, layer: _Layer) -> Tiling | None:
    """Return the smallest tile that leaves no block waiting for a place, else the fewest waves."""
    largest = _LARGEST_CLUSTER if device.is_hopper_or_later else 1
    fitting = []
    for rows in _ROWS:
        for units in _UNITS:
            tiling = layer.tile("cluster", rows, units, layer.n_row_tiles(rows), layer.n_factors)
            if tiling.team_size <= largest and tiling.shared_bytes <= device.shared_bytes:
                fitting.append(tiling)
    n_waves = lambda tiling: ceil(tiling.n_blocks / device.n_multiprocessors)
    return min(fitting, key=n_waves, default=None)


def _grid(device: Device, layer: _Layer) -> Tiling | None:
    """Return the tiling with the least work of a block for a step; all blocks fit at once."""
    fitting = []
    for rows in _ROWS:
        for units in _UNITS:
            n_at_once = device.n_multiprocessors // ceil(layer.hidden_size / units)
            n_teams = min(n_at_once, layer.n_row_tiles(rows))
            tiling = layer.tile("grid", rows, units, n_teams, layer.n_factors)
            if n_teams and tiling.shared_bytes <= device.shared_bytes:
                fitting.append(tiling)

    def work(tiling: Tiling) -> int:
        return ceil(layer.n_row_tiles(tiling.rows) / tiling.n_teams) * tiling.rows * tiling.units

    return min(fitting, key=work, default=None)


def _steps(device: Device, layer: _Layer) -> Tiling:
    rows, units = 8, 32
    chunk = min(_STEP_CHUNK, layer.n_factors)
    return layer.tile("steps", rows, units, layer.n_row_tiles(rows), chunk)


# In the order in which they are tried; the last always fits.
ALGORITHMS: dict[str, Callable[[Device, _Layer], Tiling | None]] = {
    "cluster": _cluster,
    "grid": _grid,
    "steps": _steps,
}


def algorithm_asked_for() -> str | None:
    """Return the algorithm that RNNKIT_CUDA_ALGO names, or None.

    Raises
    ------
    ValueError
        If it names none there is.
    """
    asked = os.environ.get("RNNKIT_CUDA_ALGO") or None
    if asked is not None and asked not in ALGORITHMS:
        raise ValueError(f"RNNKIT_CUDA_ALGO must be one of {', '.join(ALGORITHMS)}, got {asked!r}")
    return asked
