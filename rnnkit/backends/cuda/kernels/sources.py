"""The kernels' text: assembled, read for what Python must know of it, and its compiler options."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from rnnkit.cells import Activation, LayerSpec

__all__ = [
    "Parameter",
    "defined_number",
    "general_source",
    "kernel_parameters",
    "kernel_source",
    "layer_options",
    "real_option",
    "recurrent_source",
    "refuse_unsupported",
    "resets_before",
    "visit_source",
]


@cache
def kernel_source(*names: str) -> str:
    """Return the prelude and the named files of this folder as one text."""
    folder = files(__package__)
    texts = [(folder / f"{name}.cu").read_text(encoding="utf-8") for name in ("prelude", *names)]
    return "\n".join(texts)


def general_source() -> str:
    """Return the text of the kernels that do not depend on a layer's options."""
    return kernel_source(
        "gemm",
        "sums",
        "softmax",
        "updates",
        "add_rows",
        "layer",
        "states",
        "steps",
    )


def recurrent_source(cell: str, *, backward: bool) -> str:
    """Return the text of the kernel that takes a cell through all visits, or back."""
    names = ["activations", "layer", f"cell_{cell}", "team", "recurrent_forward"]
    if backward:
        names[-2:] = ["backward_row", "team", "recurrent_backward"]
    return kernel_source(*names)


def visit_source(cell: str, *, resets_before: bool = False) -> str:
    """Return the text of a cell's kernels that take one visit each, and of its gates' values."""
    resets = ("resets",) if resets_before else ()
    return kernel_source("activations", "layer", f"cell_{cell}", "backward_row", "visits", *resets)


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


def defined_number(source: str, name: str) -> int:
    """Read from the text the number that a macro stands for."""
    found = re.search(rf"^#define {name} (\d+)\b", source, re.MULTILINE)
    if found is None:
        raise ValueError(f"the kernels define no number {name}")
    return int(found.group(1))


def refuse_unsupported(spec: LayerSpec) -> None:
    """Raise ValueError if the layer has an option that the kernels lack."""
    lacking = None
    if spec.layer_norm:
        lacking = "layer_norm=True"
    elif spec.precision != "full":
        lacking = f"precision={spec.precision!r}"
    elif spec.full_gate_recurrence:
        lacking = "full_gate_recurrence=True"
    if lacking is not None:
        raise ValueError(f"{lacking} is not supported on device 'cuda'; use device='cpu'")


def resets_before(spec: LayerSpec) -> bool:
    """Whether a GRU's reset acts before the recurrent product."""
    return spec.cell == "gru" and spec.reset == "before"


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
    if resets_before(spec):
        options.append("-DRK_RESET_BEFORE")
    if spec.coupled_gates:
        options.append("-DRK_COUPLED")
    return tuple(options)


def _activation_options(macro: str, activation: Activation) -> tuple[str, str, str]:
    return (
        f"-D{macro}=rk_f_{activation.name}",
        f"-D{macro}_ALPHA=((real){float(activation.alpha)!r})",
        f"-D{macro}_BETA=((real){float(activation.beta)!r})",
    )
