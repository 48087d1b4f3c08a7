"""Forward and training times of one recurrent layer against PyTorch, ONNX Runtime and JAX.

    python benchmarks/bench_recurrent.py [--cells lstm gru rnn] [--threads 1 2] [--ragged] [--wide]

Each shape is timed through the backend's operations, float32, rivals in turn with ours, all from
the same inputs and weights; outputs and weight gradients are compared before anything is timed.
A ratio is the fastest rival's time over ours: above 1 we are faster. A rival may use at most as
many threads as we do and is taken at the number that suits it best. PyTorch runs forward in
inference mode, ragged batches both packed and padded; ONNX Runtime in its own time-major layout;
JAX compiles a scan. Rivals keep their own default for denormals; ours are zero inside a call.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from harness import Results, geometric_mean, interleaved, pin, require_equal, use_threads

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
FURTHER_SHAPES = [
    (1, 1, 8, 8),
    (1, 2000, 3, 8),
    (2, 33, 5, 17),
    (7, 61, 13, 100),
    (8, 400, 32, 64),
    (17, 40, 9, 33),
    (33, 25, 40, 129),
    (64, 100, 1, 64),
    (256, 10, 64, 256),
    (1, 50, 64, 1024),
    (64, 10, 128, 1024),
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
            name: rng.uniform(-(hidden_size**-0.5), hidden_size**-0.5, shape).astype(np.float32)
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

    def rows(self):
        """Return the outputs as packed rows (P, H)."""
        return self.forward().copy()

    def weight_gradients(self):
        """Return the gradients of `train`."""
        self.train()
        return self.gradients


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


def contenders(cell, shape, n_threads, ragged, backend="cpu"):
    """Return {name: (layer, its threads)}, ours first, and the lengths.

    A rival appears once for each number of threads up to n_threads.
    """
    n_sequences, n_steps, n_inputs, hidden_size = shape
    lengths = lengths_of(n_sequences, n_steps, ragged)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n_sequences, n_steps, n_inputs)).astype(np.float32)
    ours = OurLayer(cell, x, hidden_size, lengths, backend)
    problem = (cell, x, ours.weights, lengths)
    layers = {"rnnkit": (ours, n_threads)}
    for n in range(1, n_threads + 1):
        for name, layer in rivals(problem, n, ragged).items():
            layers[f"{name}/{n}"] = (layer, n)
    return layers, lengths


def rivals(problem, n_threads, ragged):
    """Return {name: layer} of the libraries that are installed."""
    layers = {}
    try:
        from rivals.torch_recurrent import TorchLayer
    except ImportError:
        pass
    else:
        layers["torch"] = TorchLayer(*problem)
        if ragged:
            layers["torch packed"] = TorchLayer(*problem, packed=True)
    try:
        from rivals.onnxruntime_recurrent import OnnxRuntimeLayer
    except ImportError:
        pass
    else:
        layers["onnxruntime"] = OnnxRuntimeLayer(*problem, n_threads)
    try:
        from rivals.jax_recurrent import JaxLayer
    except ImportError:
        pass
    else:
        layers["jax"] = JaxLayer(*problem)
    return layers


def check_agreement(layers, what):
    """Raise unless every layer gives our outputs and weight gradients."""
    ours = layers["rnnkit"][0]
    y = ours.rows()
    gradients = {name: g.copy() for name, g in ours.weight_gradients().items()}
    for name, (layer, _) in layers.items():
        require_equal(y, layer.rows(), f"{what}, outputs of {name}")
        if hasattr(layer, "weight_gradients"):
            theirs = layer.weight_gradients()
            for weight in ("weight_ih", "weight_hh"):
                require_equal(gradients[weight], theirs[weight], f"{what}, {weight} of {name}")


def measure(cell, shape, n_threads, ragged, repeats, seconds, backend="cpu", tasks=None):
    """Return ({task: {name: milliseconds}}, lengths) of one shape."""
    layers, lengths = contenders(cell, shape, n_threads, ragged, backend)
    check_agreement(layers, f"{cell} {shape}")
    # JAX has no other switch for its number of threads inside a process.
    prepare = {
        name: partial(use_threads, n, confine=name.startswith("jax"))
        for name, (_, n) in layers.items()
    }
    times = {}
    try:
        for task in tasks or ("forward", "train"):
            runs = {n: getattr(of, task) for n, (of, _) in layers.items() if hasattr(of, task)}
            times[task] = interleaved(runs, repeats, seconds, prepare)
    finally:
        pin(None)
    return times, lengths


def best_rival(times, library=""):
    """Return the fastest time of a rival whose name begins with `library`, nan without one."""
    found = [t for name, t in times.items() if name != "rnnkit" and name.startswith(library)]
    return min(found, default=float("nan"))


def compare(results, cell, shape, n_threads, options):
    """Time one shape; print and record it; return the ratios of (forward, training)."""
    tasks, lengths = measure(
        cell, shape, n_threads, options.ragged, options.repeats, options.seconds, options.backend
    )
    return [
        report(results, cell, task, shape, n_threads, options.ragged, times, lengths)
        for task, times in tasks.items()
    ]


def report(results, cell, task, shape, n_threads, ragged, times, lengths):
    """Print and record one line; return the ratio."""
    ratio = best_rival(times) / times["rnnkit"]
    flops = training_flops(cell, lengths, *shape[2:]) / (1 if task == "train" else 3)
    gflops = flops / times["rnnkit"] / 1e6
    shown = "  ".join(f"{name} {time:.3f}" for name, time in times.items())
    size = ",".join(map(str, shape))
    print(
        f"{cell:4} {task:7} {size:15} {n_threads} thr {gflops:6.1f} GFLOP/s {ratio:5.2f}x  {shown}",
        flush=True,
    )
    results.write(
        kind="recurrent",
        cell=cell,
        task=task,
        shape=shape,
        threads=n_threads,
        ragged=ragged,
        milliseconds=times,
        gflops=gflops,
        ratio=ratio,
    )
    return ratio


def main():
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"], choices=list(CELLS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--shapes", nargs="+", type=int, help="indices of SHAPES; all by default")
    parser.add_argument("--ragged", action="store_true", help="lengths uniform in T/4..T")
    parser.add_argument("--wide", action="store_true", help="FURTHER_SHAPES too, odd sizes")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=10.0, help="at most, a shape and task")
    options = parser.parse_args()
    results = Results("recurrent")
    shapes = [SHAPES[i] for i in options.shapes] if options.shapes else SHAPES
    if options.wide:
        shapes = shapes + FURTHER_SHAPES
    for n_threads in options.threads:
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
