"""Recurrent layers by the GPU's kernels, run on the host, against the reference by value."""

from functools import cache

import numpy as np
import pytest
from backends.recurrent_problem import CASES, OPTIONS, make_problem
from backends.recurrent_problem import run_both as run_on_host
from gpu.arrays import ONE_BATCH, largest_error, run_both, uploaded
from gpu.cupy_stand_in import COUNTS, MACHINE, RawKernel, standing_in
from gpu.host_kernels import OverrunError, StandstillError, needs_compiler
from tolerances import tolerance

from rnnkit.backends import get_backend
from rnnkit.backends.cuda import CudaBackend
from rnnkit.backends.cuda.costs import Layer
from rnnkit.backends.cuda.device import device_of
from rnnkit.backends.cuda.kernels.sources import recurrent_source
from rnnkit.backends.cuda.recurrent import CudaRecurrent
from rnnkit.backends.cuda.tiling import ALGORITHMS, Tiling
from rnnkit.cells import LayerSpec, make_spec
from rnnkit.sequences import pack

REFERENCE = get_backend("reference")
CELLS = ("rnn", "lstm", "gru")
UNSUPPORTED = {"layer_norm", "all", "layer_norm_coupled"}
UNSUPPORTED |= {option for option in OPTIONS["lstm"] if option.startswith("gates")}
SUPPORTED = [(cell, option) for cell, option in CASES if option not in UNSUPPORTED]
RAGGED = (6, 5, 5, 3, 3, 1, 0)
MANY = tuple(sorted((k % 9 for k in range(75)), reverse=True))  # several tiles of sequences
SEEDS = (1, 2, 3)

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS, indirect=True)
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


@pytest.fixture
def algorithm(request, monkeypatch):
    """Force an algorithm."""
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", request.param)
    return request.param


@cache
def draw(dtype, *key):
    """Return a problem whose numbers are exact in the dtype."""
    return make_problem(*key).astype(dtype)


@cache
def expected_of(*key, **presence):
    return run_on_host(REFERENCE, draw(*key).astype(np.float64), **dict(presence))


def assert_equal_to_reference(backend, *key, **presence):
    problem = draw(*key)
    found = run_both(backend, problem, **presence)
    accumulations = problem.plan.n_rows * sum(problem.weights["weight_ih"].shape)
    allowed = tolerance(problem.x.dtype, accumulations)
    assert largest_error(found, expected_of(*key, **presence)) <= allowed


@both_directions
@pytest.mark.parametrize("cell, option", SUPPORTED)
def test_every_option(cell, option, reverse, gpu):
    assert_equal_to_reference(gpu, np.float32, cell, option, RAGGED, 5, 9, reverse)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softsign_of_infinity_is_one(dtype, gpu):
    spec = make_spec("rnn", 1, 4, activation="softsign")
    weights = {name: np.full(shape, 10, dtype) for name, shape in spec.parameter_shapes().items()}
    x = np.finfo(dtype).max * np.array([[1], [-1], [-1], [1]], dtype)
    result = gpu.recurrent(spec, np.dtype(dtype)).forward(
        pack(np.array([2, 2])), gpu.xp.asarray(x), uploaded(gpu, weights)
    )
    expected = np.repeat(np.sign(x), 4, axis=1)
    np.testing.assert_array_equal(gpu.download(result.y), expected)


@every_algorithm
@both_directions
@pytest.mark.parametrize(
    "cell, option", [("rnn", "masks"), ("lstm", "peephole_masks"), ("gru", "masks")]
)
def test_every_algorithm_in_float64(algorithm, cell, option, reverse, gpu):
    assert_equal_to_reference(gpu, np.float64, cell, option, RAGGED, 5, 9, reverse)


@needs_compiler
@every_algorithm
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("hidden_size", [1, 7, 33])
@pytest.mark.parametrize("cell", CELLS)
def test_odd_sizes_in_every_order_of_the_threads(algorithm, cell, hidden_size, seed):
    with standing_in(seed):
        backend = CudaBackend(cublas=False)
        key = (cell, "plain", (3, 2, 2, 1), 1, hidden_size, bool(seed % 2))
        assert_equal_to_reference(backend, np.float32, *key)


@every_algorithm
@pytest.mark.parametrize("cell", CELLS)
def test_more_sequences_than_teams_take_at_once(algorithm, cell, gpu):
    assert_equal_to_reference(gpu, np.float32, cell, "plain", MANY, 3, 70, False)


@needs_compiler
@pytest.mark.parametrize("tile", [(4, 8), (8, 16), (16, 32), (8, 64)], ids=str)
@pytest.mark.parametrize("algorithm", ["cluster", "grid"])
def test_every_size_of_a_tile(algorithm, tile, monkeypatch):
    """By 2 to 16 blocks, and clusters of 2 to 8, of a layer with unit tiles that are not full."""
    hidden_size = 60 if tile[1] == 8 else 100

    def chosen(self, n_sequences, *, backward):
        layer = Layer(n_sequences, hidden_size, 4, 4, backward)
        fitting = ALGORITHMS[algorithm](device_of(0), layer)
        found = next(t for t in fitting if (t.rows, t.units) == tile)
        assert found.team_size > 1
        return found

    monkeypatch.setattr(CudaRecurrent, "tiling", chosen)
    key = (np.float32, "lstm", "masks", (4, 4, 3, 3, 3, 2, 2, 1, 1), 5, hidden_size, False)
    with standing_in(2, n_multiprocessors=16):
        assert_equal_to_reference(CudaBackend(cublas=False), *key)


@pytest.mark.parametrize("cell", CELLS)
def test_weights_that_do_not_fit_shared_memory(cell, gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "steps")
    assert_equal_to_reference(gpu, np.float32, cell, "plain", (3, 2), 3, 140, True)


@every_algorithm
@pytest.mark.parametrize("lengths", [(0, 0), (1,), (1, 0)], ids=str)
@both_directions
@pytest.mark.parametrize("cell", CELLS)
def test_hardly_any_step(algorithm, cell, reverse, lengths, gpu):
    assert_equal_to_reference(gpu, np.float64, cell, "plain", lengths, 3, 9, reverse)


@needs_compiler
@both_directions
@pytest.mark.parametrize(
    "cell, option",
    [("rnn", "masks"), ("lstm", "peephole_masks"), ("lstm", "coupled"), ("gru", "clip")],
)
def test_recurrent_products_by_cublas(cell, option, reverse, cublas, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "products")
    with standing_in():
        backend = CudaBackend()
        assert_equal_to_reference(backend, np.float64, cell, option, RAGGED, 5, 9, reverse)
    n_rounds = 2 * max(RAGGED) * (1 if cell != "gru" else 1.5)  # a GRU goes back by two products
    assert cublas.n_products >= n_rounds


@both_directions
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_absent_states_and_products(cell, starts, ends, reverse, gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "products")
    key = (np.float64, cell, "masks", RAGGED, 5, 9, reverse)
    assert_equal_to_reference(gpu, *key, starts=starts, ends=ends, dy=ends)


@pytest.mark.parametrize("lengths", [(0, 0), (1,), (1, 0)], ids=str)
@both_directions
def test_hardly_any_step_and_a_reset_before(reverse, lengths, gpu):
    assert_equal_to_reference(gpu, np.float64, "gru", "before", lengths, 3, 9, reverse)


@needs_compiler
@both_directions
@pytest.mark.parametrize("starts", [True, False])
def test_a_reset_before_by_cublas(starts, reverse, cublas):
    with standing_in():
        key = (np.float64, "gru", "before_masks", RAGGED, 5, 9, reverse)
        assert_equal_to_reference(CudaBackend(), *key, starts=starts, ends=starts)


@pytest.mark.parametrize("dy", [True, False])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_absent_states_and_gradients(cell, starts, ends, dy, gpu):
    key = (np.float64, cell, "masks", RAGGED, 5, 9, False)
    assert_equal_to_reference(gpu, *key, starts=starts, ends=ends, dy=dy)


@both_directions
@pytest.mark.parametrize(
    "cell, option", [("rnn", "plain"), ("lstm", "coupled"), ("gru", "clip"), ("gru", "before")]
)
def test_gates_and_inference(cell, option, reverse, gpu):
    problem = draw(np.float64, cell, option, RAGGED, 5, 9, reverse)
    expected = REFERENCE.recurrent(problem.spec, np.float64)
    found = gpu.recurrent(problem.spec, np.float64)
    weights, x = uploaded(gpu, problem.weights), uploaded(gpu, problem.x)
    expected.forward(problem.plan, problem.x, problem.weights, training=True)
    found.forward(problem.plan, x, weights, training=True)
    for gate in problem.spec.gates:
        difference = np.abs(gpu.download(found.gate(gate)) - expected.gate(gate))
        assert difference.max() <= tolerance(np.float64, 15)
    y = REFERENCE.recurrent(problem.spec, np.float64).forward(
        problem.plan, problem.x, problem.weights
    )[0]
    difference = np.abs(gpu.download(found.forward(problem.plan, x, weights)[0]) - y)
    assert difference.max() <= tolerance(np.float64, 15 * problem.plan.n_steps)
    with pytest.raises(RuntimeError, match="training=True"):
        found.backward(None, {})


def test_zoneout_takes_its_rate_outside_training(gpu):
    problem = draw(np.float64, "lstm", "masks", RAGGED, 5, 9, False)
    arguments = (problem.plan, problem.x, problem.weights)
    expected = REFERENCE.recurrent(problem.spec, np.float64).forward(*arguments)
    uploads = (problem.plan, *(uploaded(gpu, part) for part in arguments[1:]))
    found = gpu.recurrent(problem.spec, np.float64).forward(*uploads)
    for got, want in zip(found, expected):
        assert np.abs(gpu.download(got) - want).max() <= tolerance(np.float64, 100)


@every_algorithm
def test_one_launch_runs_all_steps_unless_told_otherwise(algorithm, host_gpu):
    gpu = host_gpu
    problem = draw(np.float32, "lstm", "plain", RAGGED, 5, 9, False)
    weights, x = uploaded(gpu, problem.weights), uploaded(gpu, problem.x)
    operation = gpu.recurrent(problem.spec, np.float32)
    operation.forward(problem.plan, x, weights)
    before = COUNTS.launches
    operation.forward(problem.plan, x, weights)
    n_states, n_products = 2, 1  # h_n and c_n; W x
    n_steps = {"steps": 1, "products": 2}.get(algorithm, 0) * problem.plan.n_steps or 1
    assert COUNTS.launches - before == n_states + n_products + n_steps
    assert COUNTS.waits == 0


LOADED = "        __syncthreads();\n        for (int k = slice;"
READ = "        __syncthreads(); /* nobody reads the chunk or the sums before any more */\n"
SUMMED = "    __syncthreads();\n    for (int i = 0; i < RK_CELLS_OF_A_THREAD;"
TAKEN = (
    "    __syncthreads(); /* nobody reads the factors any more, in whose place the sums come */\n"
)
WAITED = "            rk_team_wait(team, arrivals, ++round);\n"
ARRIVED = "        atomicAdd(arrivals + team.number, 1u);\n"
PLANTED = {
    "nobody waits until the chunk is loaded": ("steps", LOADED, LOADED.split("\n")[1]),
    "nobody waits until the chunk was read": ("steps", READ, ""),
    "nobody waits until the factors were read": ("cluster", TAKEN, ""),
    "nobody waits for the sums": ("cluster", SUMMED, SUMMED.split("\n")[1]),
    "a cluster does not wait": ("cluster", WAITED, "            ;\n"),
    "a grid does not wait": ("grid", WAITED, "            ;\n"),
    "a grid is waited for but does not arrive": ("grid", ARRIVED, ""),
}


@needs_compiler
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_noticed(bug, seed, monkeypatch):
    chosen, text, becomes = PLANTED[bug]
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", chosen)
    key = (np.float32, "lstm", "plain", (6, 6, 5, 5, 4), 5, 72, False)  # two blocks or more
    with standing_in(seed, changes={text: becomes}):
        assert text in recurrent_source("lstm", backward=False)
        backend = CudaBackend(cublas=False)
        try:
            error = largest_error(run_both(backend, draw(*key)), expected_of(*key))
        except StandstillError:
            return
        assert not error <= tolerance(np.float32, 10_000)


@needs_compiler
def test_blocks_that_would_wait_for_others_in_vain_are_not_launched(monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "grid")
    problem = draw(np.float32, "lstm", "plain", (2, 2), 3, 40, False)
    with standing_in(blocks_at_once=0):
        backend = CudaBackend(cublas=False)
        with pytest.raises(RuntimeError, match="must be on the GPU at once, but only 0 are"):
            run_both(backend, problem)


@needs_compiler
def test_a_grid_that_is_made_smaller_stands_still(monkeypatch):
    """What the check of `Kernel.require_room` prevents: fewer blocks than were asked for."""
    problem = draw(np.float32, "rnn", "plain", (2,) * 8, 3, 40, False)
    two_teams_of_three = Tiling("grid", 4, 16, 3, 2, 40, 40_000)
    monkeypatch.setattr(CudaRecurrent, "tiling", lambda *_, **__: two_teams_of_three)
    with standing_in(n_multiprocessors=6):
        backend = CudaBackend(cublas=False)
        device_of(0)  # six of them, as it was when the layer was spread
        monkeypatch.setattr(MACHINE, "n_multiprocessors", 4)
        with (
            pytest.warns(UserWarning, match="The grid size will be reduced from 6 to 4"),
            pytest.raises(StandstillError),
        ):
            run_both(backend, problem)


@needs_compiler
def test_the_limit_of_shared_memory_is_that_of_the_gpu_for_every_tiling(monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "steps")
    with standing_in(n_devices=2):
        for device in (0, 1):
            backend = CudaBackend(device, cublas=False)
            for hidden_size in (40, 9, 140):  # of one text, with limits of their own otherwise
                problem = draw(np.float32, "lstm", "plain", (2, 2), 3, hidden_size, False)
                with backend.active():
                    run_both(backend, problem)
                assert set(RawKernel.limits.values()) == {MACHINE.shared_bytes}


SUMS = "parts.weights = memory + (n_factors > n_sums ? n_factors : n_sums)"
OVERRUNS = {
    "shared memory": (f"{SUMS};", f"{SUMS} + 16;"),
    "beyond y": ("layer.y[at] =", "layer.y[at + 2 * layer.hidden_size] ="),
}


@needs_compiler
@pytest.mark.parametrize("what", OVERRUNS)
def test_a_planted_overrun_is_noticed(what):
    text, becomes = OVERRUNS[what]
    problem = draw(np.float32, "rnn", "plain", (2, 2), 3, 9, False)
    with standing_in(changes={text: becomes}):
        backend = CudaBackend(cublas=False)
        with pytest.raises(OverrunError, match=what):
            run_both(backend, problem)


@pytest.mark.parametrize("cell", CELLS)
def test_layer_norm_is_refused_by_name(cell, gpu):
    with pytest.raises(ValueError, match="layer_norm=True is not supported on device 'cuda'"):
        gpu.recurrent(LayerSpec(cell, 2, 3, layer_norm=True), np.float32)


@pytest.mark.parametrize("algorithm", ["cluster", "grid", "steps"], indirect=True)
def test_reset_before_by_another_algorithm_is_refused_by_name(algorithm, gpu):
    layer = gpu.recurrent(LayerSpec("gru", 2, 3, reset="before"), np.float32)
    message = f"RNNKIT_CUDA_ALGO='{algorithm}' does not compute reset='before'; unset it or use"
    with pytest.raises(RuntimeError, match=message):
        layer.tiling(4, backward=False)


def test_rounded_factors_are_refused_by_name(gpu):
    with pytest.raises(ValueError, match="precision='bf16' is not supported on device 'cuda'"):
        gpu.recurrent(LayerSpec("lstm", 2, 3, precision="bf16"), np.float32)


def test_an_algorithm_that_does_not_exist_is_refused(gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", "warp")
    problem = draw(np.float32, "rnn", "plain", (1,), 1, 1, False)
    with pytest.raises(
        ValueError, match="RNNKIT_CUDA_ALGO must be one of cluster, grid, products, steps"
    ):
        run_both(gpu, problem)


LARGE = {
    "cluster": (64, 256),
    "grid": (64, 512),
    "products": (64, 700),
    "steps": (100, 2000),
}


@pytest.mark.gpu
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("algorithm", LARGE, indirect=True)
def test_large_layers(algorithm, cell, reverse, nvidia):
    """By the CPU core in float64, which the reference has proven."""
    n_sequences, hidden_size = LARGE[algorithm]
    lengths = tuple(sorted((k % 21 for k in range(n_sequences)), reverse=True))
    problem = draw(np.float32, cell, "masks", lengths, 40, hidden_size, reverse)
    expected = run_on_host(get_backend("cpu"), problem.astype(np.float64))
    assert largest_error(run_both(nvidia, problem), expected) <= ONE_BATCH


@pytest.mark.gpu
@pytest.mark.parametrize("algorithm", ALGORITHMS, indirect=True)
def test_again_the_same_bits(algorithm, nvidia):
    problem = draw(np.float32, "lstm", "plain", MANY, 30, 200, False)
    first, again = run_both(nvidia, problem), run_both(nvidia, problem)
    for one, other in zip(first, again):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_call_within_a_call_is_refused(gpu):
    problem = draw(np.float32, "gru", "plain", (2, 1), 3, 5, False)
    layer = gpu.recurrent(problem.spec, problem.x.dtype)
    weights, x = uploaded(gpu, problem.weights), gpu.xp.asarray(problem.x)

    class Meddling:
        @property
        def n_rows(self):
            return layer.forward(problem.plan, x, weights)

    with pytest.raises(RuntimeError, match="this CudaRecurrent is in use"):
        layer.forward(Meddling(), x, weights)
    assert layer.forward(problem.plan, x, weights).y.shape == (3, 5)


def test_a_plan_that_is_none_reaches_no_kernel(gpu):
    problem = draw(np.float32, "gru", "plain", (2, 1), 3, 5, False)
    layer = gpu.recurrent(problem.spec, problem.x.dtype)
    plan = problem.plan

    class Wrong:
        lengths, step_offsets = np.array([2, 1]), np.array([0, 2, 300])
        n_sequences, n_steps, n_rows = plan.n_sequences, plan.n_steps, plan.n_rows

    with pytest.raises(ValueError, match="step_offsets must begin with 0 and grow"):
        layer.forward(Wrong(), gpu.xp.asarray(problem.x), uploaded(gpu, problem.weights))


def test_ids_beyond_the_table_reach_no_kernel(gpu):
    rows = gpu.xp.zeros((2, 3), np.float32)
    for ids in ([0, 4], [-1, 0]):
        with pytest.raises(IndexError, match="ids must lie in 0"):
            gpu.add_rows(gpu.xp.zeros((4, 3), np.float32), np.array(ids), rows)
