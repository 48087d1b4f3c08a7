"""How the recurrent kernels use memory: no two threads in a bank, no trip to global memory twice.

Values do not show it; a trace of the kernels' own text does.
"""

import numpy as np
import pytest
from backends.recurrent_problem import make_problem
from gpu.arrays import run_both
from gpu.cupy_stand_in import standing_in
from gpu.host_kernels import needs_compiler
from gpu.traces import READS, WAITS, WRITES, tracing

from rnnkit.backends.cuda import CudaBackend
from rnnkit.backends.cuda.costs import Layer
from rnnkit.backends.cuda.device import device_of
from rnnkit.backends.cuda.recurrent import CudaRecurrent
from rnnkit.backends.cuda.tiling import ALGORITHMS
from rnnkit.cells import CELLS

pytestmark = needs_compiler

PASSES = ("recurrent_forward", "recurrent_backward")
N_STEPS, HIDDEN_SIZE = 2, 64


def launches_of(cell, option, rows, units, dtype, monkeypatch, changes=None):
    """Return the traces of both passes over full tiles."""

    def chosen(self, n_sequences, *, backward):
        layer = Layer(n_sequences, HIDDEN_SIZE, len(self.spec.gates), dtype().itemsize, backward)
        fitting = ALGORITHMS["grid"](device_of(0), layer)
        return next(t for t in fitting if (t.rows, t.units) == (rows, units))

    monkeypatch.setattr(CudaRecurrent, "tiling", chosen)
    lengths = (N_STEPS,) * rows
    problem = make_problem(cell, option, lengths, 3, HIDDEN_SIZE, False).astype(dtype)
    with standing_in(n_multiprocessors=8, changes=changes or {}), tracing(*PASSES) as launches:
        run_both(CudaBackend(cublas=False), problem)
    assert set(launches) == set(PASSES)
    return launches


def weights_and_sums(launch):
    """Return the turns of the reads and writes of weights and sums: one number at a time."""
    return {key: n for key, n in launch.conflicts().items() if key[2] <= 8}


@pytest.mark.parametrize("units", [8, 16, 32, 64])
@pytest.mark.parametrize(
    "cell, dtype", [("lstm", np.float32), ("rnn", np.float32), ("gru", np.float64)]
)
def test_no_two_threads_meet_in_a_bank(cell, dtype, units, monkeypatch):
    """But where weights are stored, once in a launch: there two do."""
    for launch in launches_of(cell, "plain", 4, units, dtype, monkeypatch).values():
        found = weights_and_sums(launch)
        reads = [n for (kind, _, _), n in found.items() if kind == READS]
        writes = [n for (kind, _, _), n in found.items() if kind == WRITES]
        assert reads
        assert set(reads) == {1}
        assert max(writes) <= 2


PLANTED = {
    "rows of weights without a gap": (
        "((width) + (RK_UNITS == 16 ? 2 : 1))",
        "(width)",
    ),
    "sums of a sequence without a gap": ("((gates) * RK_THREADS + RK_UNITS)", "((gates) * 256)"),
    "slices next to each other": (
        "return group % RK_GROUPS * (RK_SLICES / RK_GROUPS) + group / RK_GROUPS;",
        "return group;",
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_conflict_is_noticed(bug, monkeypatch):
    text, becomes = PLANTED[bug]
    changes = {text: becomes}
    launches = launches_of("lstm", "plain", 4, 8, np.float32, monkeypatch, changes)
    assert max(weights_and_sums(launches["recurrent_forward"]).values()) >= 4


def read_late(accesses):
    """Return what a thread reads from the kernel's arrays after its block has waited for it.

    Between two waits it stores what the next part works on: factors, then sums.
    """
    late, has_stored, waited_for_stores = set(), False, False
    for access in accesses:
        if access.kind == WAITS:
            waited_for_stores, has_stored = has_stored, False
        elif access.array == "shared":
            has_stored = access.kind == WRITES
        elif waited_for_stores and access.kind == READS and access.array is not None:
            late.add(access.array)
    return late


def stops_between_rows(accesses, n_rows):
    """Whether a thread reads the mask before the states of all rows are on their way."""
    n_states = 0
    for access in accesses:
        if access.kind == WAITS:
            n_states = 0
        elif access.kind == READS and access.array in ("y", "h0"):
            n_states += 1
        elif access.kind == READS and access.array == "mask" and n_states % n_rows:
            return True
    return False


@pytest.mark.parametrize("cell", CELLS)
def test_all_that_a_step_reads_is_on_its_way_before_the_products(cell, monkeypatch):
    for launch in launches_of(cell, "masks", 8, 32, np.float32, monkeypatch).values():
        assert any(access.array == "gates" for access in launch.threads[0])
        for accesses in launch.threads.values():
            assert not read_late(accesses)
            assert not stops_between_rows(accesses, 8)


STATE = "rk_load_fresh(from + (rk_index)r * h) : (real)0;"
MASK = "(layer.mask ? layer.mask[at + k + (rk_index)r * h] : 1)"
INPUTS = {
    "recurrent_forward": (
        "inputs[i], products",
        "rk_forward_inputs(layer, visit, cell.b, cell.unit), products",
    ),
    "recurrent_backward": (
        "inputs[i], product,",
        "rk_inputs_of_row(layer, visit, cell.b, cell.unit, gradients), product,",
    ),
}


@pytest.mark.parametrize("name", PASSES)
def test_cells_that_read_after_the_products_are_noticed(name, monkeypatch):
    changes = dict([INPUTS[name]])
    launches = launches_of("lstm", "masks", 8, 32, np.float32, monkeypatch, changes)
    assert {"gates", "c"} <= read_late(launches[name].threads[0])


def test_a_mask_between_the_rows_is_noticed(monkeypatch):
    changes = {STATE: STATE.replace(" :", f" * {MASK} :")}
    launches = launches_of("lstm", "masks", 8, 32, np.float32, monkeypatch, changes)
    assert stops_between_rows(launches["recurrent_forward"].threads[0], 8)
