"""The kernels' sources, what they are compiled with, and how a layer is spread over a GPU.

Nothing here needs CuPy or a GPU: the text, the options and the tilings are data.

Letters: B sequences, H hidden units, G gates.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from math import ceil, log2
from typing import NamedTuple

import numpy as np

from rnnkit.cells import Activation, LayerSpec

__all__ = [
    "ALGORITHMS",
    "GENERAL_KERNELS",
    "Device",
    "Parameter",
    "Tiling",
    "choose_tiling",
    "kernel_parameters",
    "kernel_source",
    "layer_options",
    "real_option",
    "recurrent_source",
    "refuse_unsupported",
]

ALGORITHMS = ("cluster", "grid", "steps")
GENERAL_KERNELS = ("gemm", "sums", "softmax", "updates", "add_rows", "layer", "states", "steps")
THREADS = 256  # of a block of the recurrent kernels

_WAIT = {"steps": 0, "cluster": 1, "grid": 2}  # RK_WAIT of team.cu
_LARGEST_CLUSTER = 8  # blocks, on every GPU of compute capability 9 and later
_ROWS = (4, 8, 16)  # sequences of a tile; each costs a register for every gate
_UNITS = (8, 16, 32, 64)  # hidden units of a tile
_STEP_CHUNK = 128  # factors in shared memory at a time, where the weights do not stay there


@cache
def kernel_source(*names: str) -> str:
    """Return the prelude and the named files of this folder as one text."""
    folder = files(__name__)
    texts = [(folder / f"{name}.cu").read_text(encoding="utf-8") for name in ("prelude", *names)]
    return "\n".join(texts)


def recurrent_source(cell: str) -> str:
    """Return the text of a cell's recurrent kernels."""
    return kernel_source(
        "activations",
        "layer",
        f"cell_{cell}",
        "team",
        "recurrent_forward",
        "recurrent_backward",
    )


class Parameter(NamedTuple):
    """A parameter of a kernel: its type without const, and whether it is an array."""

    name: str
    type: str
    is_array: bool


@cache
def kernel_parameters(source: str) -> dict[str, tuple[Parameter, ...]]:
    """Read the parameters of every kernel from the text."""
    kernels = {}
    for head, parameters in re.findall(
        r'extern "C" __global__ void ([\w\s(),]*?\w)\(((?:[^()])*)\)\s*\{', source
    ):
        found = []
        for text in parameters.split(","):
            words = text.replace("const ", "").replace("*", " * ").split()
            found.append(Parameter(words[-1], words[0], "*" in words))
        kernels[head.split()[-1]] = tuple(found)
    return kernels


def refuse_unsupported(spec: LayerSpec) -> None:
    """Raise ValueError if the layer has an option that the kernels lack."""
    if spec.layer_norm:
        raise ValueError("layer_norm=True is not supported on device 'cuda'; use device='cpu'")
    if spec.precision != "full":
        raise ValueError(
            f"precision={spec.precision!r} is not supported on device 'cuda'; use device='cpu'"
        )
    if spec.cell == "gru" and spec.reset == "before":
        raise ValueError("reset='before' is not supported on device 'cuda'; use device='cpu'")


def real_option(dtype: np.dtype) -> str:
    """Return the compiler option that names the compute type."""
    return f"-DRK_REAL={'float' if np.dtype(dtype) == np.float32 else 'double'}"


def layer_options(spec: LayerSpec, dtype: np.dtype) -> tuple[str, ...]:
    """Return the compiler options that a layer's cell is compiled with."""
    options = [
        real_option(dtype),
        *_activation_options("RK_PHI", spec.activation),
        *_activation_options("RK_SIGMA", spec.gate_activation),
        *_activation_options("RK_PHI_C", spec.output_activation),
    ]
    if spec.cell_clip is not None:
        options.append(f"-DRK_CLIP=((real){float(spec.cell_clip)!r})")
    if spec.peephole:
        options.append("-DRK_PEEPHOLE")
    if spec.coupled_gates:
        options.append("-DRK_COUPLED")
    return tuple(options)


def _activation_options(macro: str, activation: Activation) -> tuple[str, str, str]:
    return (
        f"-D{macro}=rk_f_{activation.name}",
        f"-D{macro}_ALPHA=((real){float(activation.alpha)!r})",
        f"-D{macro}_BETA=((real){float(activation.beta)!r})",
    )


class Device(NamedTuple):
    """What of a GPU decides how a layer is spread over it."""

    n_multiprocessors: int
    compute_capability: int  # 90 is 9.0
    shared_bytes: int  # the most that a block may ask for


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

    def options(self) -> tuple[str, ...]:
        """Return the compiler options of the tiling."""
        return (
            f"-DRK_WAIT={_WAIT[self.algorithm]}",
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
        slices = THREADS // units
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
    makers = {"cluster": _cluster, "grid": _grid, "steps": _steps}
    for name in (algorithm,) if algorithm else ALGORITHMS:
        tiling = makers[name](device, layer)
        if tiling is not None:
            return tiling
    raise RuntimeError(
        f"RNNKIT_CUDA_ALGO={algorithm!r} does not fit hidden_size={hidden_size} with "
        f"{n_gates} gates on this GPU; unset it or use 'steps'"
    )


def _cluster(device: Device, layer: _Layer) -> Tiling | None:
    """Return the smallest tile that leaves no block waiting for a place, else the fewest waves."""
    largest = _LARGEST_CLUSTER if device.compute_capability >= 90 else 1
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
