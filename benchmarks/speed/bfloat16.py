"""Rows of products rounded to bfloat16 against our own float32 and PyTorch's bfloat16, training.

B=64, T=50, I=64, one thread. The goals follow from the machine's peaks in both (speed/peaks.py):
with AMX bfloat16 multiplies six times as fast as float32, with AVX512-BF16 twice, elsewhere the
products are those of float32. PyTorch's layer,
inputs and weights are bfloat16 throughout; ours keeps weights, sums, states and gradients float32.
"""

from __future__ import annotations

import numpy as np
from bench_recurrent import OurLayer, training_flops
from harness import geometric_mean, interleaved, use_threads
from speed.rows import Row, at_least

HIDDEN_SIZES = (128, 256, 512)
AGAINST_OURS, AGAINST_TORCH = 3.5, 1.5  # as set with AMX


def training(run):
    """Rows of the geometric mean over the hidden sizes."""
    use_threads(1)
    rows = []
    lengths = np.full(64, 50, np.intp)
    x = np.random.default_rng(1).standard_normal((64, 50, 64)).astype(np.float32)
    for cell in ("lstm", "gru"):
        own, theirs, goals = [], [], []
        for hidden_size in HIDDEN_SIZES:
            single, rounded = (
                OurLayer(cell, x, hidden_size, lengths, "cpu", precision)
                for precision in ("full", "bf16")
            )
            runs = {"float32": single.train, "bf16": rounded.train}
            runs |= rival(cell, x, single.weights, lengths)
            times = interleaved(runs, run.repeats, run.seconds)
            shown = "  ".join(f"{name} {time:.2f}" for name, time in times.items())
            print(f"bf16 {cell} H={hidden_size}  {shown} ms", flush=True)
            run.results.write(kind="bf16", cell=cell, hidden_size=hidden_size, milliseconds=times)
            own.append(times["float32"] / times["bf16"])
            theirs.append(times.get("torch bf16", float("nan")) / times["bf16"])
            flops = training_flops(cell, lengths, 64, hidden_size)
            rival_time = times.get("torch bf16", float("inf"))
            goals.append(
                run.peaks.limited(
                    AGAINST_TORCH, rival_time, times["bf16"], flops, 1, kind="bfloat16"
                )
            )
        what = f"{cell} training in bf16 against"
        goal = run.peaks.of_bfloat16(AGAINST_OURS)
        row = f"{what} our float32, geometric mean"
        if goal is None:
            rows.append(Row(row, f"{geometric_mean(own):.2f}×", "", None))
        else:
            rows.append(at_least(row, geometric_mean(own), goal))
        rows.append(
            at_least(
                f"{what} torch bf16, geometric mean", geometric_mean(theirs), geometric_mean(goals)
            )
        )
    return rows


def rival(cell, x, weights, lengths):
    """Return PyTorch's training step in bfloat16, where it is installed."""
    try:
        import torch
        from rivals.torch_recurrent import TorchLayer
    except ImportError:
        return {}
    layer = TorchLayer(cell, x, weights, lengths)
    layer.layer, layer.x, layer.dy = (
        part.to(torch.bfloat16) for part in (layer.layer, layer.x, layer.dy)
    )
    return {"torch bf16": layer.train}
