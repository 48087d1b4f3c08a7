"""Forward and training times of one recurrent layer against PyTorch and ONNX Runtime.

    python benchmarks/bench_recurrent.py [--cells lstm gru rnn] [--threads 1 2] [--ragged]

Each shape is timed through the backend's operations, float32, rivals in turn with ours. A ratio
is the fastest rival's time over ours: above 1 we are faster. PyTorch keeps its own default for
denormals; ours are flushed to zero inside a call.
"""

from __future__ import annotations

import argparse

import numpy as np
from harness import Results, geometric_mean, interleaved, threads

from rnnkit.backends import get_backend
from rnnkit.cells import CELLS, LayerSpec
from rnnkit.sequences import pack

# B, T, I, H
SHAPES = [
    (32, 100, 16, 32),
    (32, 100, 32, 64),
    (32, 100, 64, 128),
    (64, 50, 64, 256),
    (128, 50, 128, 512),
    (1, 500, 16, 64),
    (256, 28, 28, 128),
]


class OurLayer:
    """One layer of a backend over a packed minibatch."""

    def __init__(self, cell, x, hidden_size, lengths, backend):
        self.spec = LayerSpec(cell, x.shape[2], hidden_size)
        self.operation = get_backend(backend).recurrent(self.spec, np.dtype(np.float32))
        self.plan = pack(lengths)
        steps = np.repeat(np.arange(self.plan.n_steps), np.diff(self.plan.step_offsets))
        columns = np.arange(self.plan.n_rows) - self.plan.step_offsets[steps]
        self.x = np.ascontiguousarray(x[self.plan.order[columns], steps])
        rng = np.random.default_rng(0)
        self.weights = {
            name: rng.normal(0, 0.1, shape).astype(np.float32)
            for name, shape in self.spec.parameter_shapes().items()
        }
        self.gradients = {name: np.zeros_like(w) for name, w in self.weights.items()}
        self.dy = np.ones((self.plan.n_rows, hidden_size), np.float32)

    def forward(self):
        """Run without keeping anything for a backward pass."""
        y, _, _ = self.operation.forward(self.plan, self.x, self.weights)
        return y

    def train(self):
        """Run forward and backward to the gradients of all weights."""
        self.operation.forward(self.plan, self.x, self.weights, training=True)
        for gradient in self.gradients.values():
            gradient[...] = 0
        self.operation.backward(self.dy, self.gradients, input_gradient=False)


def training_flops(cell, lengths, n_inputs, hidden_size):
    """Return the floating-point operations of a training step: three times the forward pass."""
    n_gates = len(CELLS[cell].gates)
    return 3 * 2 * n_gates * hidden_size * (n_inputs + hidden_size) * int(np.sum(lengths))


def lengths_of(n_sequences, n_steps, ragged):
    """Return the lengths, longest first: all n_steps, or uniform in n_steps / 4 .. n_steps."""
    if not ragged:
        return np.full(n_sequences, n_steps, np.intp)
    rng = np.random.default_rng(0)
    lengths = rng.integers(n_steps // 4, n_steps + 1, n_sequences)
    lengths[0] = n_steps
    return np.sort(lengths)[::-1].astype(np.intp)


def contenders(cell, shape, n_threads, ragged, backend):
    """Return {name: layer}, ours first; a rival that is not installed is left out."""
    n_sequences, n_steps, n_inputs, hidden_size = shape
    lengths = lengths_of(n_sequences, n_steps, ragged)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n_sequences, n_steps, n_inputs)).astype(np.float32)
    layers = {"rnnkit": OurLayer(cell, x, hidden_size, lengths, backend)}
    try:
        from rivals.torch_recurrent import TorchLayer
    except ImportError:
        print("torch is not installed: not compared")
    else:
        layers["torch"] = TorchLayer(cell, x, hidden_size)
        if ragged:
            layers["torch packed"] = TorchLayer(cell, x, hidden_size, lengths)
    try:
        from rivals.onnxruntime_recurrent import OnnxRuntimeLayer
    except ImportError:
        print("onnxruntime is not installed: not compared")
    else:
        layers["onnxruntime"] = OnnxRuntimeLayer(cell, x, hidden_size, n_threads)
    return layers, lengths


def compare(results, cell, shape, n_threads, options):
    """Time one shape; print and record it; return the ratios of (forward, training)."""
    layers, lengths = contenders(cell, shape, n_threads, options.ragged, options.backend)
    ratios = []
    for task in ("forward", "train"):
        runs = {
            name: getattr(layer, task) for name, layer in layers.items() if hasattr(layer, task)
        }
        times = interleaved(runs, options.repeats, options.seconds)
        rivals = [time for name, time in times.items() if name != "rnnkit"]
        ratio = min(rivals) / times["rnnkit"] if rivals else float("nan")
        ratios.append(ratio)
        flops = training_flops(cell, lengths, *shape[2:]) / (1 if task == "train" else 3)
        gflops = flops / times["rnnkit"] / 1e6
        shown = "  ".join(f"{name} {time:8.3f}" for name, time in times.items())
        size = ",".join(map(str, shape))
        print(
            f"{cell:4} {task:7} {size:15} {n_threads} thr  {shown}  {gflops:6.1f} GFLOP/s  "
            f"{ratio:5.2f}x",
            flush=True,
        )
        results.write(
            kind="recurrent",
            cell=cell,
            task=task,
            shape=shape,
            threads=n_threads,
            ragged=options.ragged,
            backend=options.backend,
            milliseconds=times,
            gflops=gflops,
            ratio=ratio,
        )
    return ratios


def main():
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"], choices=list(CELLS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--shapes", nargs="+", type=int, help="indices of SHAPES; all by default")
    parser.add_argument("--ragged", action="store_true", help="lengths uniform in T/4..T")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=10.0, help="at most, a shape and task")
    options = parser.parse_args()
    results = Results("recurrent")
    shapes = [SHAPES[i] for i in options.shapes] if options.shapes else SHAPES
    for n_threads in options.threads:
        with threads(n_threads):
            for cell in options.cells:
                ratios = [compare(results, cell, shape, n_threads, options) for shape in shapes]
                for task, of_task in zip(("forward", "train"), zip(*ratios)):
                    print(
                        f"{cell:4} {task:7} {n_threads} thr: lowest {min(of_task):.2f}x, "
                        f"geometric mean {geometric_mean(of_task):.2f}x",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
