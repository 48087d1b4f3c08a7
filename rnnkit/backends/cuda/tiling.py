"""How a recurrent layer is spread over a GPU: the algorithm, its tiles and teams of blocks.

Nothing here computes on a GPU: a device, a layer and a tiling are data. Of the tilings that fit,
that with the fewest nanoseconds by `costs` is chosen.

Letters: B sequences, T steps, H hidden units, G gates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, product
from math import ceil, log2

from rnnkit.backends.cuda.costs import THREADS, Layer, Tiling, step_nanoseconds
from rnnkit.backends.cuda.device import Device

__all__ = ["ALGORITHMS", "Tiling", "algorithm_asked_for", "choose_tiling"]

_LARGEST_CLUSTER = 8  # blocks, on every GPU that has clusters
_ROWS = (4, 8, 16)  # sequences of a tile; each costs a register for every gate
_UNITS = (8, 16, 32, 64)  # hidden units of a tile
_MOST_CELLS = {4: 1024, 8: 512}  # of a tile, by the bytes of a number: registers hold their inputs
_STEP_UNITS = 32  # of a tile, where the weights do not stay in shared memory
_STEP_CHUNKS = (128, 64, 32, 16)  # factors in shared memory at a time, the same


@cache
def choose_tiling(
    device: Device,
    n_sequences: int,
    hidden_size: int,
    n_gates: int,
    itemsize: int,
    *,
    backward: bool,
    cublas: bool = True,
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
    cublas : bool, default=True
        Whether cuBLAS multiplies matrices.
    algorithm : {"cluster", "grid", "products", "steps"}, default=None
        "cluster": the weights stay in the shared memory of a cluster of blocks (of one block
        before compute capability 9), which runs all steps of its sequences; "grid": in that of
        many blocks, which wait for each other after every step; "products": a matrix product and
        a launch of the cells per step; "steps": one launch per step, which reads the weights.
        None takes the one that is expected to be fastest.

    Returns
    -------
    Tiling

    Raises
    ------
    RuntimeError
        If the layer does not fit the algorithm that is asked for.
    """
    layer = Layer(n_sequences, hidden_size, n_gates, itemsize, backward)
    asked = [algorithm] if algorithm else ALGORITHMS
    fitting = chain.from_iterable(ALGORITHMS[name](device, layer) for name in asked)
    cost = lambda tiling: step_nanoseconds(device, layer, tiling, cublas)
    tiling = min(fitting, key=cost, default=None)
    if tiling is None:
        raise RuntimeError(
            f"RNNKIT_CUDA_ALGO={algorithm!r} does not fit hidden_size={hidden_size} with "
            f"{n_gates} gates on this GPU; unset it or use 'products' or 'steps'"
        )
    return tiling


def _tile(layer: Layer, algorithm: str, rows: int, units: int, n_teams: int, chunk: int) -> Tiling:
    """Return a tiling with the shared memory it takes; kernels/team.cu lays it out."""
    width = units * layer.sums_of_unit
    stride = width + (2 if units == 16 else 1)
    n_sums = layer.sums_of_unit * THREADS + units
    n_entries = rows * max(chunk, n_sums) + chunk * stride
    team_size = ceil(layer.hidden_size / units)
    if algorithm == "cluster":
        team_size = 2 ** ceil(log2(team_size))
    return Tiling(algorithm, rows, units, team_size, n_teams, chunk, n_entries * layer.itemsize)


def _tiles(layer: Layer) -> Iterator[tuple[int, int]]:
    """Yield rows and units of the tiles that the registers of a block hold."""
    for rows, units in product(_ROWS, _UNITS):
        if rows * units <= _MOST_CELLS[layer.itemsize]:
            yield rows, units


def _cluster(device: Device, layer: Layer) -> Iterator[Tiling]:
    """Yield tilings whose clusters hold all weights."""
    largest = _LARGEST_CLUSTER if device.is_hopper_or_later else 1
    for rows, units in _tiles(layer):
        n_teams = layer.n_row_tiles(rows)
        tiling = _tile(layer, "cluster", rows, units, n_teams, layer.n_factors)
        if tiling.team_size <= largest and tiling.shared_bytes <= device.shared_bytes:
            yield tiling


def _grid(device: Device, layer: Layer) -> Iterator[Tiling]:
    """Yield tilings whose blocks hold all weights and fit the device at once."""
    for rows, units in _tiles(layer):
        n_at_once = device.n_multiprocessors // ceil(layer.hidden_size / units)
        n_teams = min(n_at_once, layer.n_row_tiles(rows))
        tiling = _tile(layer, "grid", rows, units, n_teams, layer.n_factors)
        if n_teams and tiling.shared_bytes <= device.shared_bytes:
            yield tiling


def _products(device: Device, layer: Layer) -> Iterator[Tiling]:
    yield Tiling("products")


def _steps(device: Device, layer: Layer) -> Iterator[Tiling]:
    """Yield the largest chunk that fits for each number of rows."""
    for rows in (8, 4):
        for chunk in _STEP_CHUNKS:
            n_teams, fitting = layer.n_row_tiles(rows), min(chunk, layer.n_factors)
            tiling = _tile(layer, "steps", rows, _STEP_UNITS, n_teams, fitting)
            if tiling.shared_bytes <= device.shared_bytes:
                yield tiling
                break


# The last two always fit.
ALGORITHMS: dict[str, Callable[[Device, Layer], Iterator[Tiling]]] = {
    "cluster": _cluster,
    "grid": _grid,
    "products": _products,
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
