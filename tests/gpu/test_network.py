"""Whole networks and their training on the GPU, run on the host: the reference's numbers."""

import numpy as np
import pytest
from gpu.arrays import FIRST_LOSSES
from gpu.cupy_stand_in import COUNTS, standing_in
from gpu.host_kernels import needs_compiler
from networks import LENGTHS, NETWORKS
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cuda import CudaBackend
from rnnkit.network import (
    CRF,
    CTC,
    AbsoluteError,
    Bernoulli,
    CharacterEncoder,
    Embedding,
    HuberLoss,
    Inputs,
    PoissonLoss,
    QuantileLoss,
    Quantiles,
    SoftmaxCrossEntropy,
    SquaredError,
    build_network,
)
from rnnkit.sequences import pack
from rnnkit.training import SOLVERS, Trainer, TrainingData, make_solver

REFERENCE = get_backend("reference")
OUTPUTS = {
    "softmax": SoftmaxCrossEntropy(3, 0.1),
    "squared": SquaredError(3),
    "absolute": AbsoluteError(3),
    "huber": HuberLoss(3, 0.5),
    "quantile": QuantileLoss(3, 0.3),
    "quantiles": Quantiles(3, quantiles=(0.8, 0.1, 0.5)),
    "poisson": PoissonLoss(3),
    "bernoulli": Bernoulli(3),
}


def initialized(network):
    network.initialize(np.random.RandomState(0))
    return network


def loss_and_gradient(network, backend, plan, x, targets, weights):
    """Return loss, gradient, decisions and probabilities (or None) of one minibatch."""
    upload = backend.xp.asarray
    bound = network.bind(backend, training=True)
    scores = bound.forward(plan, x, np.random.Generator(np.random.Philox(5)))
    loss, dscores = bound.loss(
        plan, scores, upload(targets), None if weights is None else upload(weights)
    )
    decisions = bound.decision(plan, scores)
    bound.backward(dscores)
    (loss,) = backend.to_floats([loss])
    return loss, backend.download(bound.flat_gradient), backend.download(decisions)


def assert_equal_to_reference(network, gpu, *arguments):
    expected = loss_and_gradient(network, REFERENCE, *arguments)
    found = loss_and_gradient(network, gpu, *arguments)
    n_terms = int(LENGTHS.sum()) * 12 * 12
    for got, want in zip(found[:2], expected):
        assert_close(got, want, network.dtype, n_terms)
    if network.output.__class__.__name__ not in ("AbsoluteError", "QuantileLoss"):
        assert_close(found[2], expected[2], network.dtype, n_terms)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name, per_step, cell, gpu):
    network = initialized(
        build_network(
            *(cell, 3, SoftmaxCrossEntropy(4)),
            per_step=per_step,
            hidden_size=9,
            dtype="float32",
            **NETWORKS[name],
        )
    )
    rng = np.random.RandomState(1)
    plan = pack(LENGTHS)
    labels = rng.randint(4, size=plan.n_rows if per_step else plan.n_sequences)
    x = Inputs(rng.standard_normal((plan.n_rows, 3)).astype(np.float32))
    assert_equal_to_reference(network, gpu, plan, x, labels, None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_loss(name, weighted, gpu):
    network = initialized(build_network("gru", 3, OUTPUTS[name], per_step=True, hidden_size=5))
    rng = np.random.RandomState(1)
    plan = pack(LENGTHS)
    x = Inputs(rng.standard_normal((plan.n_rows, 3)))
    targets = rng.randint(2, size=(plan.n_rows, 3)).astype(float)
    if name == "softmax":
        targets = rng.randint(3, size=plan.n_rows)
    weights = rng.uniform(size=plan.n_rows) if weighted else None
    assert_equal_to_reference(network, gpu, plan, x, targets, weights)


def test_losses_that_stay_on_the_host(gpu):
    """CRF and CTC score whole sequences on the host; everything else of the network does not."""
    rng = np.random.RandomState(1)
    plan = pack(LENGTHS)
    x = Inputs(rng.standard_normal((plan.n_rows, 3)))
    field = initialized(build_network("lstm", 3, CRF(4), per_step=True, hidden_size=5))
    labels = rng.randint(4, size=plan.n_rows)
    assert_equal_to_reference(field, gpu, plan, x, labels, rng.uniform(size=8))

    temporal = initialized(build_network("lstm", 3, CTC(4), per_step=True, hidden_size=5))
    targets = np.empty(8, dtype=object)
    for i, length in enumerate(plan.lengths):
        targets[i] = rng.randint(4, size=length // 3)
    results = []
    for backend in (REFERENCE, gpu):
        bound = temporal.bind(backend, training=True)
        loss, dscores = bound.loss(plan, bound.forward(plan, x), targets, None)
        bound.backward(dscores)
        results.append((float(loss), backend.download(bound.flat_gradient)))
    assert_close(results[1][0], results[0][0], np.float64, 1000)
    assert_close(results[1][1], results[0][1], np.float64, 1000)


def test_tokens(gpu):
    """Tables with unknown ids drawn, and spellings read character by character."""
    rates = [np.full(6, 0.4, np.float32)]
    parts = [
        Embedding([6], [4], unknown_rates=rates),
        CharacterEncoder(5, 3, 4, (1, 4)),
    ]
    network = initialized(
        build_network("gru", 2, SoftmaxCrossEntropy(3), per_step=True, hidden_size=5, tokens=parts)
    )
    rng = np.random.RandomState(1)
    plan = pack(LENGTHS)
    tokens = np.concatenate(
        [rng.randint(6, size=(plan.n_rows, 1)), rng.randint(5, size=(plan.n_rows, 3))], axis=1
    )
    x = Inputs(rng.standard_normal((plan.n_rows, 2)), tokens)
    labels = rng.randint(3, size=plan.n_rows)
    assert_equal_to_reference(network, gpu, plan, x, labels, None)


def training_data(n=30, weighted=True):
    rng = np.random.RandomState(2)
    lengths = rng.randint(1, 7, size=n)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.standard_normal((offsets[-1], 3)).astype(np.float32)
    weights = rng.uniform(0.5, 1.5, size=n).astype(np.float32) if weighted else None
    return TrainingData(Inputs(values), offsets, rng.randint(2, size=n), weights)


def fit(backend, solver="adam", n_epochs=4, data=None, validate=None, **options):
    network = initialized(
        build_network(
            *("lstm", 3, SoftmaxCrossEntropy(2)),
            per_step=False,
            hidden_size=5,
            dtype="float32",
            dropout=0.1,
        )
    )
    trainer = Trainer(
        network,
        backend,
        solver,
        learning_rate_init=0.01,
        batch_size=8,
        tol=0,
        random_state=np.random.RandomState(0),
        **options,
    )
    result = trainer.fit(training_data() if data is None else data, n_epochs, validate)
    return result, network.parameters.flat


OPTIONS = {
    "plain": {},
    "penalties": {"alpha": 0.1, "l1": 0.01},
    "clipping": {"clip_norm": 0.01, "clip_value": 0.05},
    "windows": {"bptt_steps": 2},
    "parts": {"max_activation_bytes": 2000},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_first_losses_of_a_fit(options, gpu):
    """Twenty updates; fits of any two backends part in the end, however little they differ."""
    expected, parameters = fit(REFERENCE, n_epochs=5, **options)
    found, on_gpu = fit(gpu, n_epochs=5, **options)
    np.testing.assert_allclose(found.loss_curve, expected.loss_curve, rtol=FIRST_LOSSES)
    assert np.abs(on_gpu - parameters).max() < FIRST_LOSSES


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver(solver, gpu):
    expected, _ = fit(REFERENCE, make_solver(solver), n_epochs=2)
    found, _ = fit(gpu, make_solver(solver), n_epochs=2)
    np.testing.assert_allclose(found.loss_curve, expected.loss_curve, rtol=FIRST_LOSSES)


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["penalties"], OPTIONS["windows"]])
def test_an_epoch_waits_for_the_gpu_once(options, host_gpu):
    fit(host_gpu, n_epochs=1, **options)
    COUNTS.waits = 0
    fit(host_gpu, n_epochs=3, **options)
    n_downloads = 2  # whether all is finite and the parameters, at the end
    assert COUNTS.waits == 3 + n_downloads


def test_a_loss_that_is_not_finite_ends_the_fit_with_the_last_finite_weights(gpu):
    data = training_data()
    data.inputs.numeric[40, 1] = np.inf
    expected, parameters = fit(REFERENCE, data=data)
    found, on_gpu = fit(gpu, data=data)
    assert found.reason == expected.reason == "non_finite"
    assert found.message == expected.message
    np.testing.assert_array_equal(on_gpu, parameters)


def test_the_best_weights_come_back(gpu):
    scores = iter([1.0, 3.0, 2.0, 0.0])
    result, parameters = fit(gpu, validate=lambda: next(scores))
    assert result.best_validation_score == 3.0
    _, after_two = fit(gpu, n_epochs=2)
    np.testing.assert_array_equal(parameters, after_two)


@needs_compiler
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fit_has_the_same_bits_in_every_order_of_the_threads(seed):
    with standing_in(0):
        expected = fit(CudaBackend(cublas=False), n_epochs=1)[1]
    with standing_in(seed):
        found = fit(CudaBackend(cublas=False), n_epochs=1)[1]
    np.testing.assert_array_equal(found, expected)


def test_states_are_carried_from_step_to_step(gpu):
    ways = [(5, pooling) for pooling in ("last", "mean", "max", "attention")]
    for size, pooling in [*ways, ((), "last"), ((5, 4), "last")]:
        network = initialized(
            build_network(
                *("lstm", 3, SoftmaxCrossEntropy(2)),
                per_step=False,
                hidden_size=size,
                pooling=pooling,
            )
        )
        x = Inputs(np.random.RandomState(0).standard_normal((6, 3)))
        bound = network.bind(gpu)
        whole = gpu.download(bound.forward(pack(np.array([6])), x))
        states = None
        for step in range(6):
            scores = bound.forward(pack(np.array([1])), x.take(np.array([step])), states=states)
            states = bound.states
        assert_close(gpu.download(scores), whole, np.float64, 100)


def test_inner_states_and_gates(gpu):
    network = initialized(
        build_network(
            *("gru", 3, SoftmaxCrossEntropy(2)), per_step=True, hidden_size=5, bidirectional=True
        )
    )
    plan = pack(LENGTHS)
    x = Inputs(np.random.RandomState(0).standard_normal((plan.n_rows, 3)))
    bound, expected = network.bind(gpu, training=True), network.bind(REFERENCE, training=True)
    assert_close(
        gpu.download(bound.hidden_states(plan, x)), expected.hidden_states(plan, x), np.float64, 200
    )
    gates = bound.gate_activations(plan, x)
    for name, want in expected.gate_activations(plan, x).items():
        assert_close(gpu.download(gates[name]), want, np.float64, 200)
