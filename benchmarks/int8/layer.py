"""int8/layer.c compiled and called: one LSTM layer with products of 8-bit integers."""

import ctypes
import os
import shlex
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("layer.c")
HEADERS = SOURCE.parents[2] / "rnnkit" / "_core" / "src"
FLAGS = (
    "-std=gnu11 -O3 -shared -fPIC -ffp-contract=off -fno-math-errno "
    "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma"
)
LANES, GATES = 16, 4
WORK_BYTES = 64 << 20
POINTER, SIZE = ctypes.c_void_p, ctypes.c_ssize_t


def processor_has_it():
    """Whether the processor has the instruction, as Linux tells it."""
    try:
        return " avx512_vnni " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@cache
def compiled():
    """Return the library, built anew in a folder that goes when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "layer.so"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        command = [*compiler, *FLAGS.split(), f"-I{HEADERS}", str(SOURCE), "-o", str(built)]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(str(built))
    arguments = [POINTER, *[SIZE] * 4, *[POINTER] * 9, ctypes.c_int]
    library.lstm_of_8_bits.argtypes, library.lstm_of_8_bits.restype = arguments, None
    library.products_alone.argtypes = [SIZE]
    return library


def aligned(a):
    """Return a flat copy that begins at a multiple of 64 bytes."""
    raw = np.empty(a.nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    out = raw[start : start + a.nbytes].view(a.dtype)
    out[...] = a.ravel()
    return out


def by_panels(columns):
    """Return what belongs to the gates' units (4 H,) as (panel, gate, unit)."""
    return aligned(columns.reshape(GATES, -1, LANES).swapaxes(0, 1))


def packed(weight):
    """Return [weights, scales, starts] of a matrix (4 H, K) as layer.c reads them."""
    largest = np.abs(weight).max(axis=1)
    scale = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
    n_inputs = weight.shape[1]
    integers = np.zeros((len(weight), -(-n_inputs // LANES) * LANES), np.int8)
    integers[:, :n_inputs] = np.rint(weight / scale[:, None])
    panels = integers.reshape(GATES, len(weight) // GATES // LANES, LANES, -1, 4)
    starts = -128 * integers.sum(axis=1, dtype=np.int32)
    weights = aligned(np.ascontiguousarray(panels.transpose(1, 3, 0, 2, 4)))
    return [weights, by_panels(scale), by_panels(starts)]


class LayerOf8Bits:
    """One layer over x (T, B, I) with rnnkit's weights; their packing is not part of a call."""

    def __init__(self, x, weights):
        n_steps, n_sequences, n_inputs = x.shape
        hidden_size = weights["weight_hh"].shape[1]
        self.x = np.ascontiguousarray(x)
        self.sizes = n_sequences, n_steps, n_inputs, hidden_size
        self.arrays = [
            *packed(weights["weight_ih"]),
            *packed(weights["weight_hh"]),
            by_panels(weights["bias"]),
        ]
        self.y = np.empty((n_steps * n_sequences, hidden_size), np.float32)
        self.work = aligned(np.zeros(WORK_BYTES, np.uint8))

    def forward(self, whole=1):
        """Return the outputs (T · B, H), or what costs the same without gate functions."""
        arrays = [a.ctypes.data for a in (*self.arrays, self.y, self.work)]
        compiled().lstm_of_8_bits(self.x.ctypes.data, *self.sizes, *arrays, whole)
        return self.y


def torch_layer(x, weights):
    """Return PyTorch's layer, dynamically quantised, as a function, or None where it is absent."""
    try:
        import torch
        from rivals.torch_recurrent import load
    except ImportError:
        return None
    layer = torch.nn.LSTM(x.shape[2], weights["weight_hh"].shape[1])
    load(layer, weights)
    rounded = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(layer), {torch.nn.LSTM}, dtype=torch.qint8
    )
    x = torch.from_numpy(np.array(x))

    def forward():
        with torch.inference_mode():
            return rounded(x)[0]

    return forward
