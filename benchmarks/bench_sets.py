"""Times of one recurrent layer with each set of kernels that this machine has, on one thread.

    python benchmarks/bench_sets.py [--cells lstm gru rnn] [--quick]

A column for each set of kernels, the slowest first, as RNNKIT_ISA names them: GFLOP/s of the
layer's products, forward and in training (three times the operations of forward), float32. "blas"
calls the BLAS of SciPy, which is held to one thread.
"""

from __future__ import annotations

import argparse

import numpy as np
from bench_recurrent import SHAPES, OurLayer, training_flops
from harness import Results, interleaved
from threadpoolctl import threadpool_limits

from rnnkit.backends.cpu import isa_available, using_isa, using_threads


def rates(cell, shape, repeats):
    """Return {set: (forward, training)} in GFLOP/s."""
    n_sequences, n_steps, n_inputs, hidden_size = shape
    lengths = np.full(n_sequences, n_steps, np.intp)
    x = np.random.default_rng(0).normal(size=(n_sequences, n_steps, n_inputs)).astype(np.float32)
    layers = {}
    for name in isa_available():
        with using_isa(name):
            layers[name] = OurLayer(cell, x, hidden_size, lengths, "cpu")
    flops = training_flops(cell, lengths, n_inputs, hidden_size)
    forward = interleaved({name: layer.forward for name, layer in layers.items()}, repeats, 4)
    training = interleaved({name: layer.train for name, layer in layers.items()}, repeats, 4)
    return {
        name: (flops / 3 / forward[name] / 1e6, flops / training[name] / 1e6) for name in layers
    }


def main():
    """Print a row for each cell and shape."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["lstm"], choices=["lstm", "gru", "rnn"])
    parser.add_argument("--quick", action="store_true", help="three shapes, few repeats")
    options = parser.parse_args()
    shapes = SHAPES[1:4] if options.quick else SHAPES
    results = Results("sets")
    print(f"{'cell and B, T, I, H':28}", *(f"{name:>16}" for name in isa_available()))
    with threadpool_limits(1), using_threads(1):
        for cell in options.cells:
            for shape in shapes:
                found = rates(cell, shape, 3 if options.quick else 15)
                pairs = (f"{forward:8.1f}{training:8.1f}" for forward, training in found.values())
                print(f"{cell:5}{shape!s:23}", *pairs, flush=True)
                results.write(kind="rates", cell=cell, shape=shape, rates=found)


if __name__ == "__main__":
    main()
