"""Training steps launched as CUDA graphs: the bits of steps that run directly."""

import contextlib
import gc
import warnings

import numpy as np
import pytest
from estimators.problems import estimator
from gpu.cupy_stand_in import (
    COUNTS,
    CUDARuntimeError,
    Memory,
    Stream,
    UseAfterFreeError,
    standing_in,
)
from gpu.host_kernels import needs_compiler
from networks import NOISY

from rnnkit.backends.cuda import CudaBackend, graphs
from rnnkit.backends.cuda.cublas import Cublas
from rnnkit.backends.cuda.uploads import Uploads
from rnnkit.backends.directions import OneAfterTheOther
from rnnkit.network import (
    CRF,
    CTC,
    Bernoulli,
    Embedding,
    HuberLoss,
    Inputs,
    PoissonLoss,
    Quantiles,
    SoftmaxCrossEntropy,
    SquaredError,
    build_network,
)
from rnnkit.training import SOLVERS, Trainer, TrainingData

EQUAL = np.full(20, 5)  # two full minibatches of 8 and one of 4 in an epoch
ONE_RAGGED = np.array([7, 3, 5, 5, 1, 2, 7])  # all of them in one minibatch, whatever the order
RAGGED = np.array([5, 3, 2, 5, 1, 4, 4, 5, 3, 2, 5, 1, 4, 4, 2, 2, 2, 2, 2, 2])


def data_of(lengths, output=None, weighted=False, per_step=False):
    rng = np.random.RandomState(2)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n = offsets[-1] if per_step else len(lengths)
    targets = rng.randint(2, size=n)
    if output is not None and not isinstance(output, (SoftmaxCrossEntropy, CRF)):
        targets = rng.randint(2, size=(n, output.n_outputs)).astype(np.float32)
    weights = rng.uniform(0.5, 1.5, size=n).astype(np.float32) if weighted else None
    values = rng.standard_normal((offsets[-1], 3)).astype(np.float32)
    return TrainingData(Inputs(values), offsets, targets, weights)


def fit(
    backend, data, cell="lstm", output=None, network=None, solver="adam", n_epochs=4, **options
):
    """Return losses and parameters of a fit."""
    built = build_network(
        *(cell, 3, SoftmaxCrossEntropy(2) if output is None else output),
        **{"per_step": False, "hidden_size": 5, "dtype": "float32", **(network or {})},
    )
    built.initialize(np.random.RandomState(0))
    trainer = Trainer(
        built,
        backend,
        solver,
        **{"learning_rate_init": 0.02, "batch_size": 8, "tol": 0, **options},
        random_state=np.random.RandomState(0),
    )
    result = trainer.fit(data, n_epochs)
    return np.append(built.parameters.flat, np.float32(result.loss_curve))


class Steps(list):
    """The `GraphedStep` of every fit."""

    @property
    def n_graphs(self):
        return sum(len(step._graphs) for step in self)

    @property
    def n_launches(self):
        return sum(step.n_launches for step in self)


@pytest.fixture
def steps(monkeypatch):
    made, initialize = Steps(), graphs.GraphedStep.__init__

    def noted(self, *arguments, **options):
        initialize(self, *arguments, **options)
        made.append(self)

    monkeypatch.setattr(graphs.GraphedStep, "__init__", noted)
    return made


@pytest.fixture
def fit_both(gpu, monkeypatch, steps):
    """Return a function that fits without and with graphs and returns both outcomes.

    It is told how many graphs there must be, and how many steps must be launches of one.
    """

    def fit_twice(*arguments, n_graphs, n_launches, required=True, **options):
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "0")
        direct = fit(gpu, *arguments, **options)
        assert not steps
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1" if required else "")
        replayed = fit(gpu, *arguments, **options)
        assert (steps.n_graphs, steps.n_launches) == (n_graphs, n_launches)
        return direct, replayed

    return fit_twice


def assert_same_bits(outcomes):
    direct, replayed = outcomes
    assert np.isfinite(direct).all()
    np.testing.assert_array_equal(replayed, direct)


@pytest.mark.parametrize("network", [{}, {"n_layers": 2, "bidirectional": True, **NOISY}])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_equal_lengths(cell, network, fit_both):
    """Of 12 steps the first two of each of the two plans run, the other eight are launched."""
    data = data_of(EQUAL, weighted=True)
    assert_same_bits(fit_both(data, cell=cell, network=network, n_graphs=2, n_launches=8))


@pytest.mark.parametrize("network", [{}, {"n_layers": 2, "bidirectional": True, **NOISY}])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_one_ragged_minibatch(cell, network, fit_both):
    data = data_of(ONE_RAGGED)
    assert_same_bits(fit_both(data, cell=cell, network=network, n_graphs=1, n_launches=2))


def test_several_ragged_plans_alive_together(fit_both):
    options = {"shuffle": False, "network": NOISY, "cell": "gru"}
    assert_same_bits(fit_both(data_of(RAGGED), **options, n_graphs=3, n_launches=6))


@pytest.mark.parametrize("algorithm", ["cluster", "grid", "products", "steps"])
def test_every_algorithm(algorithm, fit_both, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", algorithm)
    assert_same_bits(fit_both(data_of(EQUAL), n_graphs=2, n_launches=8))


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "lbfgs"])
def test_every_solver_at_rates_that_change(solver, fit_both):
    options = {"solver": solver, "schedule": "cosine"}
    assert_same_bits(fit_both(data_of(EQUAL), **options, n_graphs=2, n_launches=8))


TRAINERS = {
    "penalties": {"alpha": 0.1, "l1": 0.01},
    "clipping": {"clip_norm": 0.01, "clip_value": 0.05},
    "no clipping": {"clip_norm": None},
}


@pytest.mark.parametrize("options", TRAINERS.values(), ids=TRAINERS)
def test_penalties_and_clipping(options, fit_both):
    data = data_of(EQUAL, weighted=True)
    assert_same_bits(fit_both(data, **options, n_graphs=2, n_launches=8))


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize(
    "output",
    [
        *(SoftmaxCrossEntropy(2, 0.1), SquaredError(2), HuberLoss(2, 0.5), PoissonLoss(2)),
        *(Bernoulli(2), Quantiles(2, quantiles=(0.1, 0.9, 0.6))),
    ],
    ids=lambda output: type(output).__name__,
)
def test_losses_per_sequence_and_per_step(output, per_step, fit_both):
    data = data_of(ONE_RAGGED, output, weighted=True, per_step=per_step)
    options = {"output": output, "network": {"per_step": per_step}}
    assert_same_bits(fit_both(data, **options, n_graphs=1, n_launches=2))


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_poolings(pooling, fit_both):
    network = {"pooling": pooling, "bidirectional": True}
    data = data_of(RAGGED)
    options = {"network": network, "shuffle": False}
    assert_same_bits(fit_both(data, **options, n_graphs=3, n_launches=6))


def test_a_reset_before_the_product(fit_both):
    options = {"cell": "gru", "network": {"reset": "before", "bidirectional": True}}
    assert_same_bits(fit_both(data_of(EQUAL), **options, n_graphs=2, n_launches=8))


@pytest.mark.parametrize("algorithm", ["", "products"])
def test_products_by_cublas(algorithm, cublas, monkeypatch, steps):
    monkeypatch.setenv("RNNKIT_CUDA_ALGO", algorithm)
    outcomes = []
    for asked in "01":
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", asked)
        with standing_in():
            outcomes.append(fit(CudaBackend(), data_of(EQUAL)))
    assert_same_bits(outcomes)
    assert cublas.n_products > 0
    assert steps.n_launches == 8


def test_a_minibatch_without_weight_draws_its_noise(fit_both):
    data = data_of(EQUAL, weighted=True)
    data.weights[:8] = 0
    options = {"shuffle": False, "network": NOISY}
    assert_same_bits(fit_both(data, **options, n_graphs=2, n_launches=4))


def test_plans_that_do_not_come_again_are_not_recorded(fit_both):
    lengths = np.random.RandomState(0).randint(1, 9, size=24)
    assert_same_bits(fit_both(data_of(lengths), n_epochs=2, n_graphs=0, n_launches=0))


def test_a_step_has_so_many_graphs_and_no_more(fit_both, monkeypatch):
    monkeypatch.setattr(graphs, "_MOST_GRAPHS", 1)
    assert_same_bits(fit_both(data_of(EQUAL), n_graphs=1, n_launches=6))


def test_so_many_plans_are_remembered_and_no_more(fit_both, monkeypatch):
    monkeypatch.setattr(graphs, "_MOST_PLANS", 1)
    assert_same_bits(fit_both(data_of(EQUAL), n_graphs=1, n_launches=6))


def test_an_epoch_waits_once_and_a_launch_uploads_once(host_gpu, steps, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")
    fit(host_gpu, data_of(EQUAL), network=NOISY, n_epochs=2)
    counts = []
    for n_epochs in (3, 5):
        COUNTS.waits = COUNTS.uploads = COUNTS.launches = COUNTS.replays = 0
        fit(host_gpu, data_of(EQUAL), network=NOISY, n_epochs=n_epochs)
        counts.append((COUNTS.waits, COUNTS.uploads, COUNTS.launches, COUNTS.replays))
    shorter, longer = np.array(counts)
    assert (longer - shorter).tolist() == [2, 6, 0, 6]  # two epochs of three minibatches


def test_no_memory_is_kept_after_a_fit(host_gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")
    gc.collect()
    gc.disable()  # memory must go without it
    try:
        before = set(Memory.everywhere)
        fit(host_gpu, data_of(EQUAL), network=NOISY)
        host_gpu._uploads._last = None  # the last plan is kept, whoever gave it
        assert set(Memory.everywhere) == before
    finally:
        gc.enable()


def spelled_out():
    """Return data with a label array of each sequence, and data with a token of each step."""
    data = data_of(EQUAL)
    labels = np.empty(len(EQUAL), dtype=object)
    labels[:] = [np.array([i % 2]) for i in range(len(EQUAL))]
    tokens = np.arange(EQUAL.sum())[:, None] % 4
    return (
        TrainingData(data.inputs, data.offsets, labels),
        TrainingData(Inputs(data.inputs.numeric, tokens), data.offsets, data.targets),
    )


LABELLED, TOKENS = spelled_out()
NOT_RECORDED = {
    "crf": (data_of(EQUAL, CRF(2), per_step=True), CRF(2), {"per_step": True}, {}),
    "ctc": (LABELLED, CTC(2), {"per_step": True}, {}),
    "tokens": (TOKENS, None, {"tokens": [Embedding([4], [2])]}, {}),
    "parts": (data_of(EQUAL), None, {}, {"max_activation_bytes": 2000}),
}
not_recorded = pytest.mark.parametrize("case", NOT_RECORDED.values(), ids=NOT_RECORDED)


@not_recorded
def test_what_cannot_be_a_graph_runs_as_ever(case, fit_both):
    data, output, network, options = case
    options = {"output": output, "network": network, "required": False, **options}
    assert_same_bits(fit_both(data, **options, n_graphs=0, n_launches=0))


@not_recorded
def test_what_cannot_be_a_graph_is_refused_where_it_must_be_one(case, gpu, monkeypatch):
    data, output, network, options = case
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")
    with pytest.raises(RuntimeError, match="RNNKIT_CUDA_GRAPH=1, but this training step cannot"):
        fit(gpu, data, output=output, network=network, **options)


@pytest.mark.parametrize("options", [{"bptt_steps": 2}, {"solver": "lbfgs"}], ids=str)
def test_windows_and_lbfgs_have_no_step_to_repeat(options, fit_both):
    assert_same_bits(fit_both(data_of(EQUAL), **options, n_graphs=0, n_launches=0))


@needs_compiler
@pytest.mark.parametrize("refuses", ["begin", "end"])
def test_a_driver_that_refuses(refuses, steps, monkeypatch):
    with standing_in(refuses=refuses):
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "0")
        direct = fit(CudaBackend(cublas=False), data_of(EQUAL))
        monkeypatch.delenv("RNNKIT_CUDA_GRAPH")
        graphs._warn_of_no_graph.cache_clear()
        with pytest.warns(UserWarning, match=r"as a CUDA graph \(cudaError.*; training goes on"):
            assert_same_bits((direct, fit(CudaBackend(cublas=False), data_of(EQUAL))))
        with warnings.catch_warnings(action="error"):  # said once
            fit(CudaBackend(cublas=False), data_of(EQUAL))
        assert steps.n_graphs == 0
        assert not steps[-1]._is_possible
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")
        with pytest.raises(CUDARuntimeError, match="cudaError"):
            fit(CudaBackend(cublas=False), data_of(EQUAL))


def test_graphs_keep_no_more_than_their_share_of_memory(fit_both, gpu, monkeypatch):
    monkeypatch.setattr(graphs, "_SHARE_OF_MEMORY", 2**35)
    options = {"required": False, "n_graphs": 0, "n_launches": 0}
    assert_same_bits(fit_both(data_of(EQUAL), **options))
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")
    with pytest.raises(MemoryError, match=r"a graph may keep .* bytes, its step takes more"):
        fit(gpu, data_of(EQUAL))


def test_another_value_of_the_variable_is_refused(gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "yes")
    with pytest.raises(ValueError, match="RNNKIT_CUDA_GRAPH must be 0 or 1, got 'yes'"):
        fit(gpu, data_of(EQUAL))


def test_an_interrupted_record_leaves_no_captured_stream(host_gpu, monkeypatch):
    update = CudaBackend.update

    def interrupted(self, *arguments, **options):
        if Stream.captured is not None:
            raise KeyboardInterrupt
        update(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(CudaBackend, "update", interrupted)
        fit(host_gpu, data_of(EQUAL))
    assert Stream.captured is None
    fit(host_gpu, data_of(EQUAL))


@needs_compiler
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_an_estimator_has_the_same_weights(cell, cublas, steps, monkeypatch):
    X = np.random.RandomState(0).standard_normal((20, 4, 2)).astype(np.float32)
    y = X.sum(axis=(1, 2)) > 0
    weights = []
    for asked in "01":
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", asked)
        with standing_in():
            options = {"device": "cuda", "max_iter": 4, "batch_size": 8, "dropout": 0.2}
            weights.append(estimator(cell, "Classifier", **options).fit(X, y).weights_)
    assert steps.n_launches > 0
    for name, weight in weights[0].items():
        np.testing.assert_array_equal(weights[1][name], weight)


BAKED = {
    "the rows of a minibatch": "BoundData._rows",
    "its targets": "BoundData._target_places",
    "its weights": "BoundData._weights_held",
    "the sum of its weights": "Updater._share_of_one",
    "the learning rate and the bias corrections": "CudaBackend.update.",
    "the masks of dropout": "dropout_mask.",
    "the masks of zoneout": "_Direction._zoneout_mask.",
    "the noise on the inputs": "_InputNoiseOperation.forward.",
}


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("what", BAKED)
def test_what_a_graph_would_hold_on_to_is_noticed(what, solver, fit_both, monkeypatch):
    """Each of what is new in every step, planted as a constant, changes the outcome."""
    new, found = CudaBackend.from_host, []

    def baked(self, make):
        if make.__qualname__.startswith(BAKED[what]):
            found.append(make)
            return self.upload(np.asarray(make()))
        return new(self, make)

    monkeypatch.setattr(CudaBackend, "from_host", baked)
    options = {"network": NOISY, "solver": solver, "schedule": "linear", "n_epochs": 4}
    data = data_of(EQUAL, weighted=True)
    direct, replayed = fit_both(data, **options, n_graphs=2, n_launches=8)
    assert found
    assert not np.array_equal(direct, replayed)


class TestPlantedBugs:
    """What would go wrong on a GPU alone, and is noticed here."""

    @pytest.fixture(autouse=True)
    def required(self, monkeypatch):
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")

    def test_memory_that_a_graph_does_not_keep(self, host_gpu, monkeypatch):
        monkeypatch.setattr(graphs._KeptMemory, "malloc", lambda self, size: self._malloc(size))
        with pytest.raises(UseAfterFreeError, match="touches memory given back"):
            fit(host_gpu, data_of(EQUAL))

    def test_a_buffer_that_grows(self, host_gpu, monkeypatch):
        monkeypatch.setattr(OneAfterTheOther, "forward", joined_into_one_buffer)
        lengths = np.concatenate([np.full(16, 2), np.full(8, 4)])
        network = {"bidirectional": True, "pooling": "mean"}
        with pytest.raises(UseAfterFreeError, match="touches memory given back"):
            fit(host_gpu, data_of(lengths), network=network, shuffle=False)

    def test_a_plan_that_was_uploaded_before(self, host_gpu, monkeypatch):
        monkeypatch.setattr(Uploads, "taken_from", taking_from_but_keeping_the_plan)
        with pytest.raises(RuntimeError, match="does not take the same arrays from the host"):
            fit(host_gpu, data_of(np.array([2] * 8 + [4] * 8)), shuffle=False)

    @pytest.mark.parametrize(
        "work, message",
        [
            (lambda xp: xp.asarray(np.zeros(3)), "an array is uploaded when stream is capturing"),
            (lambda xp: float(xp.zeros(())), "given to the host when stream is capturing"),
        ],
    )
    def test_a_step_that_uploads_or_waits(self, work, message, host_gpu, monkeypatch):
        update = CudaBackend.update

        def working(self, *arguments, **options):
            work(self.xp)
            update(self, *arguments, **options)

        monkeypatch.setattr(CudaBackend, "update", working)
        with pytest.raises(CUDARuntimeError, match=message):
            fit(host_gpu, data_of(EQUAL))

    def test_a_step_that_differs_from_the_one_before(self, host_gpu, monkeypatch):
        update, calls = CudaBackend.update, []

        def uneven(self, *arguments, **options):
            calls.append(len(calls))
            for _ in calls:
                self.from_host(lambda: np.zeros(2))
            update(self, *arguments, **options)

        monkeypatch.setattr(CudaBackend, "update", uneven)
        with pytest.raises(RuntimeError, match="does not take the same arrays from the host"):
            fit(host_gpu, data_of(EQUAL))

    def test_an_array_of_another_shape(self, host_gpu, monkeypatch):
        update, calls = CudaBackend.update, []

        def growing(self, *arguments, **options):
            self.from_host(lambda: calls.append(1) or np.zeros(max(3, len(calls))))
            update(self, *arguments, **options)

        monkeypatch.setattr(CudaBackend, "update", growing)
        with pytest.raises(RuntimeError, match=r"takes float64 of shape \(3,\), got .* \(4,\)"):
            fit(host_gpu, data_of(np.full(16, 3)))

    def test_a_product_without_a_workspace(self, cublas, monkeypatch):
        cublas.cublasSetWorkspace_v2 = lambda *arguments: 0
        with standing_in(), pytest.raises(AssertionError, match="allocated by the graph"):
            fit(CudaBackend(), data_of(EQUAL))

    def test_a_product_for_another_stream(self, cublas, monkeypatch):
        use = Cublas._use
        monkeypatch.setattr(Cublas, "_use", lambda self, stream: use(self, 0))
        with standing_in(), pytest.raises(AssertionError):
            fit(CudaBackend(), data_of(EQUAL))


joined = OneAfterTheOther.forward


def joined_into_one_buffer(operation, plan, *arguments, **options):
    y, state = joined(operation, plan, *arguments, **options)
    kept = vars(operation).get("kept")
    if kept is None or len(y) > len(kept):
        kept = operation.kept = operation._xp.empty(y.shape, y.dtype)
    kept[: len(y)] = y
    return kept[: len(y)], state


@contextlib.contextmanager
def taking_from_but_keeping_the_plan(uploads, arrays):
    before = uploads._arrays
    uploads._arrays = arrays
    try:
        yield
    finally:
        uploads._arrays = before


@needs_compiler
class TestStandIn:
    """A captured stream computes nothing; its graph computes on what is there when launched."""

    @pytest.fixture
    def captured(self):
        with standing_in() as cupy:
            stream = cupy.cuda.Stream(non_blocking=True)
            with stream:
                stream.begin_capture()
                yield cupy, stream
            Stream.captured = None

    def test_a_graph_repeats_what_was_recorded(self, captured):
        cupy, stream = captured
        Stream.captured = None
        x, y = cupy.asarray(np.arange(3.0)), cupy.zeros(3)
        stream.begin_capture()
        y += x
        first = y[:1].copy()
        graph = stream.end_capture()
        assert y.get().tolist() == [0, 0, 0]
        graph.launch()
        x[...] = 1.0
        graph.launch()
        assert y.get().tolist() == [1, 2, 3]
        assert first.get().tolist() == [1]

    def test_a_kernel_is_recorded(self, captured):
        cupy, stream = captured
        Stream.captured = None
        backend = CudaBackend(cublas=False)
        a, sums = cupy.asarray(np.ones((2, 3))), cupy.zeros(3)
        stream.begin_capture()
        backend.products.add_column_sums(a, sums)
        graph = stream.end_capture()
        for n in (0, 2, 4):
            assert backend.download(sums).tolist() == [n] * 3
            graph.launch()

    def test_memory_given_back(self, captured):
        cupy, stream = captured
        y = cupy.zeros(3)
        y += 1
        graph = stream.end_capture()
        graph.launch()
        del y
        with pytest.raises(UseAfterFreeError, match="touches memory given back"):
            graph.launch()

    def test_the_default_stream_is_not_captured(self, captured):
        cupy, _ = captured
        Stream.captured = None
        with pytest.raises(AssertionError, match="default"):
            cupy.cuda.Stream.null.begin_capture()
        with pytest.raises(AssertionError, match="would wait"):
            cupy.cuda.Stream().begin_capture()

    def test_work_for_another_stream(self, captured):
        cupy, _ = captured
        with cupy.cuda.Stream.null, pytest.raises(AssertionError, match="another stream"):
            cupy.zeros(3)

    @pytest.mark.parametrize("give", ["get", "item", "tolist"])
    def test_what_waits_is_refused(self, give, captured):
        cupy, _ = captured
        with pytest.raises(CUDARuntimeError, match="when stream is capturing"):
            getattr(cupy.zeros(()), give)()
