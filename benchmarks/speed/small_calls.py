"""Rows of what is not arithmetic: a streaming step, a minibatch's orchestration, gate functions.

Streaming: one sequence, 16 features, 64 units, one step at a time. `RecurrentStream.step` does what
PyTorch's cell (in inference mode) and ONNX Runtime (inputs, outputs and states bound once) do;
`stream().step` also checks its input, and ends in the head and a label.

The Python share is the time of work that is trivially small, one sequence of one step and one
unit: of a layer, its forward and backward call; of a whole minibatch, the difference of two fits
of different length, so that set-up cancels. The kernels' own few hundred floating-point
operations are counted in: the figures are upper bounds.

Gate functions: elements per nanosecond on one thread, 65536 float32, in cache, result allocated.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from bench_recurrent import OurLayer
from harness import interleaved, use_threads
from speed.rows import at_least, at_most, missing
from speed.searches import quietly

import rnnkit
from rnnkit._core.recurrent import activate
from rnnkit.cells import make_activation
from rnnkit.functional import RecurrentStream

N_INPUTS, HIDDEN_SIZE, CALLS = 16, 64, 500
MATRICES = ("weight_ih", "weight_hh")


def streaming(run):
    """Rows of one step in microseconds, and of its ratio to the best peer."""
    use_threads(1)
    rng = np.random.default_rng(0)
    rows = []
    for cell, kind in (("lstm", rnnkit.LSTMClassifier), ("gru", rnnkit.GRUClassifier)):
        X = rng.standard_normal((8, 4, N_INPUTS)).astype(np.float32)
        model = quietly(kind(HIDDEN_SIZE, max_iter=1, random_state=0).fit, X, np.arange(8) % 2)
        layer = OurLayer(cell, X[:1, :1], HIDDEN_SIZE, np.ones(1, np.intp), "cpu")
        bound = RecurrentStream({f"{name}_l0": layer.weights[name] for name in MATRICES}, cell)
        steps = {"rnnkit stream": model.stream().step, "rnnkit layer": bound.step}
        steps |= rival_steps(cell, layer.weights)
        runs = {name: lambda step=step, x=X[0, 0]: repeat(step, x) for name, step in steps.items()}
        times = interleaved(runs, run.repeats, run.seconds)
        times = {name: 1e3 * value / CALLS for name, value in times.items()}
        run.results.write(kind="streaming", cell=cell, microseconds=times)
        print(f"streaming {cell}", "  ".join(f"{n} {t:.2f}" for n, t in times.items()), "µs")
        ours = times["rnnkit layer"]
        rows.append(at_most(f"{cell} RecurrentStream.step", ours, 1.5, " µs"))
        best = min((t for name, t in times.items() if "rnnkit" not in name), default=float("nan"))
        rows.append(at_least(f"{cell} RecurrentStream.step against the best peer", best / ours, 4))
        rows.append(at_most(f"{cell} stream().step, label", times["rnnkit stream"], 1.5, " µs"))
    return rows


def rival_steps(cell, weights):
    """Return {name: step function} of what is installed."""
    steps = {}
    try:
        from rivals.torch_step import TorchStep

        steps["torch cell"] = TorchStep(cell, weights).step
    except ImportError:
        pass
    try:
        from rivals.onnxruntime_recurrent import OnnxRuntimeStep

        steps["onnxruntime"] = OnnxRuntimeStep(cell, weights).step
    except ImportError:
        pass
    return steps


def repeat(step, x):
    """Take many steps: a single one is too short for the clock."""
    for _ in range(CALLS):
        step(x)


def python_share(run):
    """Rows of a trivially small minibatch: all of training, and the layer's two calls."""
    use_threads(1)
    n_steps = 300
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_steps, 1, 1)).astype(np.float32), np.arange(n_steps) % 2
    x_one = np.ones((1, 1, 1), np.float32)
    rows = []
    for cell, kind in (("lstm", rnnkit.LSTMClassifier), ("gru", rnnkit.GRUClassifier)):

        def seconds(max_iter, kind=kind):
            model = kind(1, batch_size=1, max_iter=max_iter, tol=0, random_state=0)
            begin = time.perf_counter()
            quietly(model.fit, X, y)
            return time.perf_counter() - begin

        seconds(1)
        found = [(seconds(6) - seconds(1)) / (5 * n_steps) for _ in range(5)]
        step = 1e6 * statistics.median(found)
        layer = OurLayer(cell, x_one, 1, np.ones(1, np.intp), "cpu")
        calls = interleaved({"layer": lambda layer=layer: many(layer.train)}, run.repeats)
        share = 1e3 * calls["layer"] / CALLS
        run.results.write(kind="python share", cell=cell, minibatch=step, layer=share)
        rows.append(at_most(f"{cell} Python share of a layer's step", share, 15, " µs"))
        rows.append(at_most(f"{cell} Python share, whole minibatch of fit", step, 15, " µs"))
    return rows


def many(call):
    """Call many times."""
    for _ in range(CALLS):
        call()


def gate_functions(run):
    """Rows of tanh and sigmoid against PyTorch."""
    try:
        import torch
    except ImportError:
        return [missing("gate functions", "torch is not installed", ">= 1×")]
    use_threads(1)
    x = np.random.default_rng(0).uniform(-4, 4, 65536).astype(np.float32)
    rows = []
    for name in ("tanh", "sigmoid"):
        function, theirs, x_torch = make_activation(name), getattr(torch, name), torch.from_numpy(x)
        times = interleaved(
            {
                "rnnkit": lambda function=function: activate(function, x),
                "torch": lambda theirs=theirs, x_torch=x_torch: theirs(x_torch),
            },
            run.repeats,
        )
        rates = {library: x.size / (1e6 * value) for library, value in times.items()}
        run.results.write(kind="gate function", name=name, elements_per_ns=rates)
        what = f"{name}, {rates['rnnkit']:.2f} elements/ns (torch {rates['torch']:.2f})"
        rows.append(at_least(what, rates["rnnkit"] / rates["torch"], 1))
    return rows
