"""A first look at an NVIDIA GPU: what is there, what waiting costs, what is right.

    python benchmarks/look_at_gpu.py [--parts facts waits results graphs]

`waits` times what `rnnkit/backends/cuda/costs.py` estimates: a barrier of a block, of a cluster and
of blocks that count arrivals, each with a store before it, and a kernel in a CUDA graph. `results`
compares every way to run a layer with the NumPy reference, forward and backward; `graphs` fits with
CUDA graphs and without, which must give the same bits. A part that fails prints where, and the next
one begins. Times of whole layers and fits are bench_gpu.py's.
"""

from __future__ import annotations

import argparse
import os
import time
import traceback
import warnings
from unittest import mock

import numpy as np

from rnnkit import LSTMClassifier
from rnnkit.backends.cuda import CudaBackend, gpu_facts
from rnnkit.backends.cuda.costs import Tiling
from rnnkit.backends.cuda.device import device_of, import_cupy
from rnnkit.backends.cuda.kernels.sources import kernel_source
from rnnkit.backends.cuda.products import cublas_of
from rnnkit.backends.reference import ReferenceBackend
from rnnkit.cells import CELLS, LayerSpec
from rnnkit.sequences import pack

ROUNDS = 2000  # waits of a launch
TEAMS = (("cluster", 1), ("cluster", 2), ("cluster", 4), ("cluster", 8), ("grid", 64))
LAYERS = ((37, 12, 200), (20, 6, 1000))  # sequences, steps, hidden units
FITS = (("cluster", 64), ("grid", 320), ("products", 64))  # algorithm, hidden units
WORST = 2e-5  # of the largest number, in float32

WAITS = r"""
extern "C" __global__ void RK_CLUSTER_DIMS rounds(unsigned* arrivals, real* x, int n, int size)
{
    rk_gpu_team team = rk_team_of(size);
    for (int i = 0; i < n; ++i) {
        x[blockIdx.x * RK_THREADS + threadIdx.x] = (real)i;
        rk_team_wait(team, arrivals, i + 1);
    }
}
extern "C" __global__ void nothing(real* x) {}
"""


def milliseconds(run, n=1):
    """Return the time of a call by the GPU's own clock, the mean of n."""
    cuda = import_cupy().cuda
    start, end = cuda.Event(), cuda.Event()
    start.record()
    for _ in range(n):
        run()
    end.record()
    end.synchronize()
    return cuda.get_elapsed_time(start, end) / n


def facts():
    """What there is, and what rnnkit takes it for."""
    cupy = import_cupy()
    for fact in gpu_facts():
        print(fact)
    print(device_of(0))
    print("cuBLAS", "is MISSING" if cublas_of(0) is None else "is there")
    print("cupy", cupy.__version__, "numpy", np.__version__, "nvrtc", cupy.cuda.nvrtc.getVersion())


def waits():
    """Microseconds of a store and a barrier, and of a kernel in a graph."""
    cupy = import_cupy()
    n_multiprocessors = device_of(0).n_multiprocessors
    for algorithm, size in TEAMS:
        n_teams = max(1, n_multiprocessors // size)
        tiling = Tiling(algorithm, rows=4, units=32, team_size=size, n_teams=n_teams)
        module = cupy.RawModule(
            code=kernel_source("team") + WAITS,
            options=("-std=c++17", "-DRK_REAL=float", *tiling.options()),
            enable_cooperative_groups=tiling.counts_arrivals,
        )
        kernel = module.get_function("rounds")
        arrivals = cupy.zeros(n_teams, np.uint32)
        x = cupy.zeros(tiling.n_blocks * tiling.n_threads, np.float32)
        arguments = (arrivals, x, np.int32(ROUNDS), np.int32(size))

        def run(kernel=kernel, arrivals=arrivals, tiling=tiling, arguments=arguments):
            arrivals.fill(0)
            kernel((tiling.n_blocks,), (tiling.n_threads,), arguments)

        run()
        us = 1e3 * milliseconds(run) / ROUNDS
        print(f"{algorithm} of {size} blocks, {n_teams} at once: {us:.3f} us a round", flush=True)
    nothing = module.get_function("nothing")
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        for _ in range(500):
            nothing((1,), (32,), (x,))
        graph = stream.end_capture()
        graph.launch()
        print(f"a kernel in a graph: {1e3 * milliseconds(graph.launch, 5) / 500:.2f} us")


def passes(backend, cell, shape):
    """Return what a layer computes forward and backward, by name, as NumPy arrays."""
    n_sequences, n_steps, hidden_size = shape
    spec = LayerSpec(cell, 24, hidden_size)
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(0, 0.1, shape).astype(np.float32)
    weights = {name: draw(*shape) for name, shape in spec.parameter_shapes().items()}
    x, dy = draw(n_sequences * n_steps, 24), draw(n_sequences * n_steps, hidden_size)
    xp = backend.xp
    operation = backend.recurrent(spec, np.float32)
    weights = {name: xp.asarray(value) for name, value in weights.items()}
    gradients = {name: xp.zeros_like(value) for name, value in weights.items()}
    plan = pack(np.full(n_sequences, n_steps))
    y = operation.forward(plan, xp.asarray(x), weights, training=True).y
    dx = operation.backward(xp.asarray(dy), gradients)[0]
    found = {"y": y, "dx": dx, **gradients}
    return {name: v.get() if hasattr(v, "get") else v for name, v in found.items()}


def results():
    """Each cell and way to run it against the NumPy reference."""
    for cell in CELLS:
        for shape in LAYERS:
            expected = passes(ReferenceBackend(), cell, shape)
            for algorithm in ("cluster", "grid", "products", "steps"):
                with mock.patch.dict(os.environ, RNNKIT_CUDA_ALGO=algorithm):
                    try:
                        found = passes(CudaBackend(), cell, shape)
                    except (RuntimeError, ValueError) as error:
                        print(cell, shape, algorithm, "is refused:", error, flush=True)
                        continue
                errors = {
                    name: np.abs(found[name] - v).max() / max(1e-3, np.abs(v).max())
                    for name, v in expected.items()
                }
                worst = max(errors, key=errors.get)
                verdict = "right" if errors[worst] < WORST else "WRONG"
                print(cell, shape, algorithm, verdict, f"{worst} {errors[worst]:.1e}", flush=True)


def graphs():
    """Fits with CUDA graphs and without have the same losses."""
    X = np.random.default_rng(0).standard_normal((256, 30, 8)).astype(np.float32)
    y = (X[:, -1, 0] > 0).astype(int)
    for algorithm, hidden_size in FITS:
        curves = []
        for asked in "01":
            with mock.patch.dict(os.environ, RNNKIT_CUDA_ALGO=algorithm, RNNKIT_CUDA_GRAPH=asked):
                model = LSTMClassifier(
                    hidden_size, device="cuda", batch_size=64, max_iter=4, tol=0, random_state=0
                )
                curves.append(model.fit(X, y).loss_curve_)
        verdict = "the same losses" if np.array_equal(*curves) else f"OTHER losses {curves}"
        print("graphs,", algorithm, hidden_size, verdict, flush=True)


PARTS = {part.__name__: part for part in (facts, waits, results, graphs)}


def main(arguments=None):
    """Run the parts; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    warnings.simplefilter("ignore")
    n_failed = 0
    for name in parser.parse_args(arguments).parts:
        start = time.perf_counter()
        try:
            PARTS[name]()
        except Exception:  # the next part may say more
            n_failed += 1
            traceback.print_exc()
        print(f"-- {name}: {time.perf_counter() - start:.1f} s", flush=True)
    return n_failed


if __name__ == "__main__":
    raise SystemExit(main() > 0)
