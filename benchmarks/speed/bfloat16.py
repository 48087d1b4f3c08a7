"""Rows of products rounded to bfloat16 against our own float32 and PyTorch's bfloat16, training.

B=64, T=50, I=64, one thread. The goal was set for CPUs with AMX; where there is none the products
run through AVX512-BF16, or through float products where that is absent too. PyTorch's layer,
inputs and weights are bfloat16 throughout; ours keeps weights, sums, states and gradients float32.
"""

from __future__ import annotations

import numpy as np
from bench_recurrent import OurLayer
from harness import geometric_mean, interleaved, use_threads
from speed.rows import at_least

HIDDEN_SIZES = (128, 256, 512)


def training(run):
    """Rows of the geometric mean over the hidden sizes."""
    use_threads(1)
    rows = []
    lengths = np.full(64, 50, np.intp)
    x = np.random.default_rng(1).standard_normal((64, 50, 64)).astype(np.float32)
    for cell in ("lstm", "gru"):
        own, theirs = [], []
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
        what = f"{cell} training in bf16 against"
        rows.append(at_least(f"{what} our float32, geometric mean", geometric_mean(own), 3.5))
        rows.append(at_least(f"{what} torch bf16, geometric mean", geometric_mean(theirs), 1.5))
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
