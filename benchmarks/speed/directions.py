"""Rows of a bidirectional layer on the minibatches of a tagger: 32 sentences of 5 to 40 words.

64 inputs, 64 units, float32, training with the gradient by the inputs, as the network runs it. The
rate of the ragged minibatch over that of 32 sentences of 40 words; and one thread's time over that
of two.
"""

from __future__ import annotations

import numpy as np
from bench_recurrent import CELLS, LayerSpec, get_backend, training_flops
from harness import interleaved, use_threads
from speed.rows import at_least

from rnnkit.network.layers import Binding, Call
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.sequences import pack

N_SENTENCES, SHORTEST, LONGEST, SIZE = 32, 5, 40, 64
RAGGED_GOAL, SECOND_THREAD = 0.8, 0.8  # of the dense rate; of what a large product gains


class Directions:
    """Both directions over minibatches of given lengths."""

    def __init__(self, cell, lengths):
        layer = Recurrent(both_directions(LayerSpec(cell, SIZE, SIZE)))
        rng = np.random.default_rng(0)
        shapes = layer.parameter_shapes()
        parameters = {
            name: rng.uniform(-(SIZE**-0.5), SIZE**-0.5, shape).astype(np.float32)
            for name, shape in shapes.items()
        }
        gradients = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._operation = layer.bind(
            Binding(
                get_backend("cpu"),
                parameters,
                gradients,
                np.dtype(np.float32),
                training=True,
                input_gradient=True,
            )
        )
        self._call = Call()
        self._call.plan, self._call.noise, self._call.training = pack(lengths), None, True
        self._x = rng.standard_normal((int(lengths.sum()), SIZE)).astype(np.float32)
        self._dy = np.ones((len(self._x), 2 * SIZE), np.float32)
        self.flops = 2 * training_flops(cell, lengths, SIZE, SIZE)

    def train(self):
        """Run forward and back."""
        self._operation.state = None
        self._operation.forward(self._x, self._call)
        self._operation.backward(self._dy)


def rows(run):
    """Rows of each cell."""
    found = []
    lengths = {
        "dense": np.full(N_SENTENCES, LONGEST),
        "ragged": np.random.default_rng(0).integers(SHORTEST, LONGEST + 1, N_SENTENCES),
    }
    lengths = {name: np.sort(one)[::-1].astype(np.intp) for name, one in lengths.items()}
    for cell in CELLS:
        layers = {name: Directions(cell, one) for name, one in lengths.items()}
        calls = {name: layer.train for name, layer in layers.items()}
        times = {}
        for n_threads in (1, 2):
            use_threads(n_threads)
            times[n_threads] = interleaved(calls, run.repeats, run.seconds)
        rates = {
            name: {n: layer.flops / times[n][name] / 1e6 for n in times}
            for name, layer in layers.items()
        }
        run.results.write(kind="directions", cell=cell, gflops=rates)
        shown = "  ".join(
            f"{name} {' / '.join(f'{rate:.1f}' for rate in of.values())}"
            for name, of in rates.items()
        )
        print(f"{cell:4} both directions, 1 / 2 thr: {shown} GFLOP/s", flush=True)
        what = f"{cell} both directions, short sentences"
        share = rates["ragged"][1] / rates["dense"][1]
        gain = rates["ragged"][2] / rates["ragged"][1]
        found.append(at_least(f"{what}, ragged rate over dense", share, RAGGED_GOAL))
        goal = run.peaks.of_threads(SECOND_THREAD)
        found.append(at_least(f"{what}, second thread", gain, goal))
    return found
