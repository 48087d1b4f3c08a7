"""Random calls of the core's objects, right and wrong ones, for so many seconds: none may crash.

Run it in a build with sanitizers, as `.ci/hardening` does: ``python fuzz_core.py SECONDS [SEED]``.
"""

import sys
import time

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.cells import ACTIVATIONS, make_activation, make_spec
from rnnkit.sequences import pack

CPU = get_backend("cpu")
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, KeyError, MemoryError, AttributeError)
ODD = (None, 0, "text", [1.0], np.zeros(0), np.zeros((1, 1)), np.zeros((2, 3), np.int8), np.nan)


class Plan:
    """A plan that need not be one."""

    def __init__(self, lengths, step_offsets):
        self.lengths, self.step_offsets = lengths, step_offsets

    @property
    def n_sequences(self):
        return len(self.lengths)

    @property
    def n_steps(self):
        return len(self.step_offsets) - 1

    @property
    def n_rows(self):
        return int(self.step_offsets[-1])


class Fuzz:
    """Draws problems and calls.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.n_calls = self.n_refused = 0

    def flip(self, probability):
        return self.rng.random() < probability

    def spec(self):
        """Return any layer that there is."""
        while True:
            try:
                return self.options()
            except ValueError:  # of options that do not go together
                continue

    def options(self):
        rng = self.rng
        cell = str(rng.choice(["rnn", "lstm", "gru"]))
        options = {"reverse": self.flip(0.3)}
        for argument in ("activation", "gate_activation", "output_activation"):
            if self.flip(0.2) and (cell == "lstm" or argument != "output_activation"):
                options[argument] = make_activation(str(rng.choice(list(ACTIVATIONS))))
        if cell == "lstm":
            options |= {"peephole": self.flip(0.2), "coupled_gates": self.flip(0.2)}
            options["full_gate_recurrence"] = self.flip(0.2)
        if cell == "gru" and self.flip(0.3):
            options["reset"] = "before"
        if self.flip(0.2):
            options["layer_norm"] = True
        if self.flip(0.2):
            options["cell_clip"] = 0.5
        if self.flip(0.2):
            options["zoneout"] = 0.3
        if self.flip(0.2):
            options = {"reverse": options["reverse"], "precision": "bf16"}
        return make_spec(cell, int(rng.integers(1, 40)), int(rng.integers(1, 70)), **options)

    def plan(self):
        rng = self.rng
        lengths = rng.integers(0, int(rng.choice([2, 6, 20])), int(rng.integers(0, 40)))
        plan = pack(lengths)
        if not self.flip(0.1):
            return plan
        arrays = [plan.lengths.copy(), plan.step_offsets.copy()]
        array = arrays[int(rng.integers(2))]
        if len(array):
            array[int(rng.integers(len(array)))] = int(rng.choice([-1, 10**6, -(10**6), 3, 2**62]))
        return Plan(*arrays)

    def numbers(self, shape, dtype):
        """Return an array of the shape, or now and then another one, or something else."""
        if self.flip(0.03):
            return ODD[int(self.rng.integers(len(ODD)))]
        if self.flip(0.03):
            shape = tuple(max(0, n + int(self.rng.integers(-2, 3))) for n in shape)
        array = self.rng.standard_normal(shape).astype(dtype)
        kind = self.rng.random()
        if kind < 0.03:
            array = np.asfortranarray(array)
        elif kind < 0.06:
            array = array.astype(np.float32 if dtype == np.float64 else np.float64)
        elif kind < 0.09:  # not aligned
            memory = np.empty(array.nbytes + 1, np.uint8)[1:]
            memory[:] = np.frombuffer(array.tobytes(), np.uint8)
            array = memory.view(array.dtype).reshape(array.shape)
        elif kind < 0.12:
            array.flags.writeable = False
        return array

    def maybe(self, shape, dtype):
        return None if self.flip(0.5) else self.numbers(shape, dtype)

    def call(self, act, *arguments, **options):
        self.n_calls += 1
        try:
            return act(*arguments, **options)
        except REFUSALS:
            self.n_refused += 1
            return None

    def layer(self):
        spec = self.spec()
        dtype = np.dtype(np.float32 if self.flip(0.5) else np.float64)
        layer = self.call(CPU.recurrent, spec, dtype)
        if layer is None:
            return
        weights = {n: self.numbers(s, dtype) for n, s in spec.parameter_shapes().items()}
        gradients = {n: self.numbers(s, dtype) for n, s in spec.parameter_shapes().items()}
        for _ in range(int(self.rng.integers(1, 5))):
            plan = self.plan()
            b, p = plan.n_sequences, min(plan.n_rows, 10**4)
            p = max(p, 0)
            state, rows = (b, spec.hidden_size), (p, spec.hidden_size)
            x = self.numbers((p, spec.n_inputs), dtype)
            options = {"training": self.flip(0.7)}
            if self.flip(0.2):
                options["recurrent_mask"] = self.numbers(state, dtype)
            if self.flip(0.2):
                options["zoneout_masks"] = (self.numbers(rows, dtype), self.maybe(rows, dtype))
            h0, c0 = self.maybe(state, dtype), self.maybe(state, dtype)
            self.call(layer.forward, plan, x, weights, h0, c0, **options)
            if self.flip(0.3):
                self.call(layer.gate, str(self.rng.choice(["i", "r", "n", "a", "x"])))
            for _ in range(int(self.rng.integers(0, 3))):
                ends = self.maybe(state, dtype), self.maybe(state, dtype)
                dy, wanted = self.maybe(rows, dtype), self.flip(0.5)
                self.call(layer.backward, dy, gradients, *ends, input_gradient=wanted)
        if self.flip(0.3) and not spec.reverse:
            stream = self.call(CPU.recurrent_stream, spec, dtype, weights)
            if stream is not None:
                for _ in range(5):
                    self.call(stream.step, self.numbers((spec.n_inputs,), dtype))
                    if self.flip(0.2):
                        one = (1, spec.hidden_size)
                        state = (self.maybe(one, dtype), self.maybe(one, dtype))
                        self.call(setattr, stream, "state", state)

    def heads(self):
        rng, dtype = self.rng, np.dtype(np.float32 if self.flip(0.5) else np.float64)
        p, i, k = (int(n) for n in rng.integers(0, 50, 3))
        dense = CPU.dense(i, k, dtype)
        x, weight = self.numbers((p, i), dtype), self.numbers((k, i), dtype)
        self.call(dense.forward, x, weight, self.numbers((k,), dtype))
        sums = self.numbers((k, i), dtype), self.numbers((k,), dtype)
        self.call(dense.backward, x, self.numbers((p, k), dtype), weight, *sums)
        labels = rng.integers(-1 if self.flip(0.1) else 0, max(k, 1) + self.flip(0.1), p)
        scores = self.numbers((p, k), dtype)
        self.call(CPU.softmax, scores)
        self.call(CPU.softmax_cross_entropy, scores, labels, self.maybe((p,), dtype), 0.1)

    def updates(self):
        dtype, n = np.dtype(np.float64), int(self.rng.integers(0, 100))

        class Pace:
            learning_rate, step = 0.1, 3

        vectors = [self.numbers((n,), dtype) for _ in range(4)]
        self.call(CPU.clip_norm, vectors[0], 1.0)
        states = {"mean": vectors[2], "square": vectors[3]}
        options = {"beta_1": 0.9, "beta_2": 0.9, "epsilon": 1e-8, "weight_decay": 0.1}
        self.call(CPU.update, "adam", *vectors[:2], states, Pace, **options)
        states = {"velocity": vectors[2]}
        self.call(CPU.update, "sgd", *vectors[:2], states, Pace, momentum=0.9, nesterov=True)


def main(seconds, seed=0):
    """Draw and call until the time is over; say how much was done."""
    fuzz, end = Fuzz(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        isa = str(fuzz.rng.choice(isa_available()))
        with using_isa(isa), using_threads(int(fuzz.rng.integers(0, 4))):
            for act in (fuzz.layer, fuzz.layer, fuzz.layer, fuzz.heads, fuzz.updates):
                act()
    print(f"{fuzz.n_calls} calls, of which {fuzz.n_refused} were refused")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(float(sys.argv[1]), *map(int, sys.argv[2:]))
