"""Times on an NVIDIA GPU against PyTorch's cuDNN layers: a layer's passes, and whole fits.

    python benchmarks/bench_gpu.py [--cells lstm gru] [--quick]

Layers are timed by the GPU's own clock, fits by the wall's, with CUDA graphs and without. A ratio
is PyTorch's time over ours in the same arithmetic, float32 without TF32: above 1 we are faster.
TF32 and bfloat16 are shown beside it, as what cuDNN does with less exact products.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
from harness import Results, geometric_mean
from look_at_gpu import milliseconds

from rnnkit import GRUClassifier, LSTMClassifier
from rnnkit.backends.cuda import CudaBackend, gpu_facts, why_no_gpu
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

N_SEQUENCES = (16, 64, 256)
N_STEPS = (100, 500)
HIDDEN_SIZES = (64, 128, 256, 512, 1024)
N_INPUTS = 64
SECONDS = 0.15  # of measuring, for each figure
FITS = ((64, 64), (64, 256), (256, 512))  # sequences of a batch, hidden size


class OurLayer:
    """One layer of rnnkit's CUDA backend."""

    name = "rnnkit"

    def __init__(self, cell, n_sequences, n_steps, hidden_size):
        self.backend = CudaBackend()
        xp = self.backend.xp
        spec = LayerSpec(cell, N_INPUTS, hidden_size)
        self.plan = pack(np.full(n_sequences, n_steps))
        self.operation = self.backend.recurrent(spec, np.float32)
        rng = np.random.default_rng(0)
        normal = lambda *shape: xp.asarray(rng.normal(0, 0.1, shape).astype(np.float32))
        self.x = normal(self.plan.n_rows, N_INPUTS)
        self.dy = normal(self.plan.n_rows, hidden_size)
        self.weights = {name: normal(*shape) for name, shape in spec.parameter_shapes().items()}
        self.gradients = {name: xp.zeros_like(w) for name, w in self.weights.items()}
        tilings = (
            self.operation.tiling(n_sequences, backward=backward) for backward in (False, True)
        )
        self.algorithms = [tiling.algorithm for tiling in tilings]

    def forward(self):
        self.operation.forward(self.plan, self.x, self.weights)

    def train(self):
        self.operation.forward(self.plan, self.x, self.weights, training=True)
        self.operation.backward(self.dy, self.gradients)

    def milliseconds(self, run):
        return repeated(lambda n: milliseconds(run, n))


class TorchLayer:
    """One layer of PyTorch, which cuDNN computes, in one of its arithmetics."""

    def __init__(self, cell, n_sequences, n_steps, hidden_size, arithmetic):
        import torch

        self.torch, self.name = torch, f"torch {arithmetic}"
        self.tf32 = arithmetic == "tf32"
        dtype = torch.bfloat16 if arithmetic == "bf16" else torch.float32
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
        self.layer = layer(N_INPUTS, hidden_size).to("cuda", dtype)
        self.x = torch.randn(n_steps, n_sequences, N_INPUTS, device="cuda", dtype=dtype)
        self.x.requires_grad_()
        self.dy = torch.randn(n_steps, n_sequences, hidden_size, device="cuda", dtype=dtype)

    def forward(self):
        with self.torch.no_grad():
            self.layer(self.x)

    def train(self):
        self.layer(self.x)[0].backward(self.dy)

    def milliseconds(self, run):
        torch = self.torch
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self.tf32
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

        def timed(n):
            start.record()
            for _ in range(n):
                run()
            end.record()
            end.synchronize()
            return start.elapsed_time(end) / n

        return repeated(timed)


def repeated(timed):
    """Return the median time of a call in milliseconds; `timed` gives the mean of n calls."""
    timed(2)
    once = max(timed(1), 1e-3)
    n = max(1, min(50, int(1e3 * SECONDS / 5 / once)))
    return statistics.median(timed(n) for _ in range(5))


def compare_layers(results, cell, shape):
    """Time a shape; print and record it; return the ratios of (forward, training)."""
    layers = [OurLayer(cell, *shape)]
    layers += [TorchLayer(cell, *shape, arithmetic) for arithmetic in ("fp32", "tf32", "bf16")]
    ratios = []
    for task in ("forward", "train"):
        times = {layer.name: layer.milliseconds(getattr(layer, task)) for layer in layers}
        ratios.append(times["torch fp32"] / times["rnnkit"])
        shown = "  ".join(f"{name} {ms:8.3f}" for name, ms in times.items())
        per_step = 1e3 * times["rnnkit"] / shape[1]
        algorithms = "/".join(dict.fromkeys(layers[0].algorithms))
        size = "B={:<4} T={:<4} H={:<5}".format(*shape)
        print(
            f"{cell:4} {task:7} {size} {shown}  {per_step:6.2f} us/step  {ratios[-1]:5.2f}x  "
            f"{algorithms}",
            flush=True,
        )
        results.write(
            kind="layer",
            cell=cell,
            task=task,
            shape=shape,
            milliseconds=times,
            algorithms=layers[0].algorithms,
            ratio=ratios[-1],
        )
    return ratios


def torch_fit(cell, X, y, hidden_size, batch_size, n_epochs):
    """Train as a plain PyTorch loop does; return the seconds of an epoch after the first."""
    import torch

    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    recurrent = layer(X.shape[2], hidden_size, batch_first=True).cuda()
    head = torch.nn.Linear(hidden_size, 2).cuda()
    solver = torch.optim.Adam([*recurrent.parameters(), *head.parameters()])
    X, y = torch.asarray(X, device="cuda"), torch.asarray(y, device="cuda")
    seconds = []
    for _ in range(n_epochs):
        start = time.perf_counter()
        for rows in torch.randperm(len(X), device="cuda").split(batch_size):
            solver.zero_grad()
            states, _ = recurrent(X[rows])
            loss = torch.nn.functional.cross_entropy(head(states[:, -1]), y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(recurrent.parameters(), 1.0)
            solver.step()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def our_fit(cell, X, y, hidden_size, batch_size, n_epochs, graphs):
    """Return the seconds of an epoch: those that more epochs take, divided by them."""
    os.environ["RNNKIT_CUDA_GRAPH"] = "1" if graphs else "0"
    estimator = {"lstm": LSTMClassifier, "gru": GRUClassifier}[cell]
    seconds = []
    for epochs in (1, 1 + n_epochs):
        model = estimator(
            hidden_size,
            device="cuda",
            batch_size=batch_size,
            max_iter=epochs,
            tol=0,
            learning_rate="linear",
            random_state=0,
        )
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
    return (seconds[1] - seconds[0]) / n_epochs


def compare_fits(results, cell, batch_size, hidden_size, n_epochs=4):
    """Time whole epochs of 2,048 sequences of 100 steps; print and record them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2048, 100, 16)).astype(np.float32)
    y = rng.integers(2, size=len(X))
    our_fit(cell, X[:256], y[:256], hidden_size, batch_size, 1, graphs=False)
    arguments = (cell, X, y, hidden_size, batch_size, n_epochs)
    seconds = {"torch": torch_fit(*arguments), "launches": our_fit(*arguments, graphs=False)}
    try:
        seconds["graphs"] = our_fit(*arguments, graphs=True)
    except RuntimeError as error:
        print(f"{cell:4} fit     no graphs: {error}")
    ratio = seconds["torch"] / seconds.get("graphs", seconds["launches"])
    rates = "  ".join(f"{name} {len(X) / s:9.0f} sequences/s" for name, s in seconds.items())
    print(f"{cell:4} fit     B={batch_size:<4} T=100  H={hidden_size:<5} {rates}  {ratio:5.2f}x")
    results.write(
        kind="fit",
        cell=cell,
        batch_size=batch_size,
        hidden_size=hidden_size,
        seconds=seconds,
        ratio=ratio,
    )


def main():
    """Time every shape and print the geometric mean of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"])
    parser.add_argument("--quick", action="store_true", help="a few shapes only")
    options = parser.parse_args()
    reason = why_no_gpu()
    if reason is not None:
        raise SystemExit(f"nothing to measure: {reason}")
    print(gpu_facts()[0])
    results = Results("gpu")
    shapes = [(b, t, h) for b in N_SEQUENCES for t in N_STEPS for h in HIDDEN_SIZES]
    shapes = shapes[::7] if options.quick else shapes
    for cell in options.cells:
        ratios = [compare_layers(results, cell, shape) for shape in shapes]
        for task, of_task in zip(("forward", "train"), zip(*ratios)):
            print(
                f"{cell:4} {task:7} geometric mean against torch fp32: "
                f"{geometric_mean(of_task):.2f}x"
            )
        for batch_size, hidden_size in FITS[:1] if options.quick else FITS:
            compare_fits(results, cell, batch_size, hidden_size)


if __name__ == "__main__":
    main()
