"""Estimators with device="cuda": the CPU's answers, clear errors, pickles that need no GPU."""

import copy
import multiprocessing
import pickle
import pickletools
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, numbers_of, padded, ragged, tags_of
from gpu.arrays import FIRST_LOSSES
from gpu.cupy_stand_in import CUPY, MemoryPool, standing_in
from gpu.host_kernels import needs_compiler
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import rnnkit
from rnnkit import backends
from rnnkit.backends import get_backend
from rnnkit.backends.cuda import CudaBackend
from rnnkit.backends.cuda.device import pool_of
from rnnkit.exceptions import MissingExtraError

pytestmark = needs_compiler

X = ragged(24)
Y = labels_of(X)
NO_DRIVER = "cudaErrorInsufficientDriver: CUDA driver version is insufficient"

TASKS = {
    "Classifier": (Y, "predict_proba"),
    "Regressor": (np.array([x[-1].sum() for x in X]), "predict"),
    "SequenceTagger": (tags_of(X), "predict_proba"),
    "SequenceRegressor": (numbers_of(X), "predict"),
    "Autoencoder": (None, "transform"),
    "SequenceLabeller": ([["up"], ["down", "up"]] * 12, "predict_proba"),
}


@pytest.fixture
def on_gpu(cublas):
    """A machine with two GPUs that are stood in for, and cuBLAS."""
    with standing_in(n_devices=2):
        yield CUPY


@pytest.fixture(autouse=True)
def warned_of_nothing():
    backends._warn_of_fall_back.cache_clear()
    yield
    backends._warn_of_fall_back.cache_clear()


def flat(predictions):
    return np.concatenate([np.ravel(piece) for piece in predictions])


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_answers_as_on_the_cpu(task, cell, on_gpu):
    y, method = TASKS[task]
    answers = []
    for device in ("cpu", "cuda"):
        model = estimator(cell, task, device=device, max_iter=3, batch_size=8).fit(X, y)
        assert all(type(weight) is np.ndarray for weight in model.weights_.values())
        answers.append(flat(getattr(model, method)(X)))
        assert isinstance(model.score(X, y), float)
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


@pytest.mark.parametrize("graph", ["0", "1"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_an_autoencoder_gives_back_what_the_one_on_the_cpu_does(cell, graph, on_gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", graph)
    dense = np.stack([x[:3] for x in X])  # whose plans come again
    answers = []
    for device in ("cpu", "cuda"):
        model = estimator(cell, "Autoencoder", device=device, max_iter=3, batch_size=8, code_size=3)
        codes = model.fit(dense).transform(dense)
        back = model.inverse_transform(codes, lengths=np.arange(24) % 3 + 1)
        errors = model.reconstruction_error(X, per_step=True)
        answers.append(np.concatenate([codes.ravel(), back.ravel(), *errors, [model.offset_]]))
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


@pytest.mark.parametrize("pooling", ["mean", None])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_a_generator_of_series_makes_what_the_one_on_the_cpu_does(cell, pooling, on_gpu):
    answers = []
    weights = np.arange(24) % 3 + 0.5
    for device in ("cpu", "cuda"):
        options = {"device": device, "max_iter": 2, "batch_size": 8, "pooling": pooling}
        model = estimator(cell, "SeriesGenerator", **options).fit(X, Y, weights)
        made, _ = model.sample(9, random_state=0)
        realness = [model.decision_function(X, Y), model.decision_function(X)]
        curves = [model.loss_curve_, model.discriminator_loss_curve_]
        answers.append(flat([*made, *realness, *curves]))
        plain = estimator(cell, "SeriesGenerator", **options).fit(X)
        answers[-1] = np.concatenate([answers[-1], flat(plain.sample(3, random_state=0))])
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


@pytest.mark.parametrize("name", ["EvolinoRegressor", "EvolinoSequenceRegressor", "forecast"])
def test_evolved_and_drawn_networks_answer_as_on_the_cpu(name, on_gpu):
    answers = []
    for device in ("cpu", "cuda"):
        options = dict(hidden_size=5, alpha=0.1, random_state=0, device=device)
        evolved = dict(population=8, generations=2, input_scaling=1.0, **options)
        data, y = X, TASKS[name[7:]][0] if name != "forecast" else None
        if name == "forecast":
            data, y = [x[:-1] for x in X], [x[1:] for x in X]
            model = rnnkit.EvolinoSequenceRegressor(horizon=2, **evolved)
            drawn = rnnkit.EchoStateSequenceRegressor(**options)
        else:
            model = getattr(rnnkit, name)(**evolved)
            drawn = getattr(rnnkit, name.replace("Evolino", "EchoState"))(**options)
        answers.append(flat([*model.fit(data, y).predict(data), *drawn.fit(data, y).predict(data)]))
        if name == "forecast":
            assert model.forecast(data, 3).shape == (24, 3, 2)
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


@pytest.mark.parametrize("graph", ["0", "1"])
def test_gates_that_are_always_open_stay_so(graph, on_gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", graph)
    dense = np.array([x[-3:] for x in X])
    answers = []
    for device in ("cpu", "cuda"):
        options = {"fixed_gates": ("i", "o"), "output_activation": "softsign", "solver": "adamw"}
        model = estimator("LSTM", "Classifier", device=device, max_iter=4, batch_size=8, **options)
        answers.append(model.fit(dense, Y).predict_proba(dense))
        for name, rows, value in model.network_.recurrent_layers[0].fixed_entries():
            assert (model.weights_[name][rows] == value).all()
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


GAPS = {
    "softmax": ("SequenceTagger", {"class_weight": "balanced"}),
    "crf": ("SequenceTagger", {"output": "crf"}),
    "squared": ("SequenceRegressor", {}),
    "huber": ("SequenceRegressor", {"loss": "huber"}),
    "quantile": ("SequenceRegressor", {"loss": "quantile"}),
    "poisson": ("SequenceRegressor", {"loss": "poisson"}),
    "indicators": ("SequenceTagger", {"class_weight": "balanced"}),
}


@pytest.mark.parametrize("graph", ["0", ""])
@pytest.mark.parametrize("mode", GAPS)
def test_steps_without_a_target_count_for_nothing(mode, graph, on_gpu, monkeypatch):
    if graph:
        monkeypatch.setenv("RNNKIT_CUDA_GRAPH", graph)
    task, options = GAPS[mode]
    rng = np.random.RandomState(0)
    dense = np.stack([x[:3] for x in X])  # whose plans come again
    if mode in ("softmax", "crf"):
        y = [[tag if rng.rand() < 0.6 else None for tag in tags[:3]] for tags in tags_of(X)]
        y[1] = [None] * 3
    else:
        y = np.where(rng.rand(*dense.shape) < 0.6, abs(dense) > 0.5, np.nan)
        y = y if mode == "indicators" else y + abs(dense)
    answers = []
    for device in ("cpu", "cuda"):
        model = estimator("GRU", task, device=device, max_iter=3, batch_size=8, **options)
        model.fit(dense, y, validation_data=(dense, y))
        answers.append([*model.loss_curve_, *model.validation_loss_curve_, model.score(dense, y)])
        answers[-1] += flat(model.predict(dense)).tolist() if task.endswith("Regressor") else []
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


def test_early_stopping_partial_fit_and_tokens(on_gpu):
    ids = [np.arange(1, 4) % (i % 3 + 2) for i in range(12)]
    y = [i % 2 for i in range(12)]
    options = {
        "embedding_dim": 3,
        "max_iter": 2,
        "early_stopping": True,
        "validation_fraction": 0.3,
    }
    scores = [
        estimator("GRU", "Classifier", device=device, **options).fit(ids, y).loss_curve_
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(scores[1], scores[0], rtol=FIRST_LOSSES)
    model = estimator("GRU", "Classifier", device="cuda")
    losses = [model.partial_fit(X, Y, ["down", "up"]).loss_ for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_see_epochs_as_on_the_cpu(solver, on_gpu):
    dense = np.random.RandomState(0).standard_normal((12, 5, 2))
    y = dense[:, -1, 0] > 0
    seen = []
    for device in ("cpu", "cuda"):
        model = estimator("GRU", "Classifier", device=device, max_iter=3, solver=solver)
        look = lambda epoch: seen.append(
            [*epoch.fitted().predict_proba(dense).ravel(), epoch.training_score()]
        )
        plain = clone(model).fit(dense, y)
        model.set_callbacks(look).fit(dense, y)
        np.testing.assert_array_equal(
            model.network_.parameters.flat, plain.network_.parameters.flat
        )
        seen.append([*model.predict_proba(dense).ravel(), model.score(dense, y)])
    np.testing.assert_allclose(seen[4:], seen[:4], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


def test_stream_forecast_states_and_gates(on_gpu):
    dense = np.random.RandomState(0).standard_normal((6, 5, 1))
    found, expected = (
        estimator("LSTM", "SequenceRegressor", device=device, max_iter=2).fit(dense, dense)
        for device in ("cuda", "cpu")
    )
    close = dict(rtol=FIRST_LOSSES, atol=FIRST_LOSSES)
    np.testing.assert_allclose(found.forecast(dense, 3), expected.forecast(dense, 3), **close)
    np.testing.assert_allclose(found.hidden_states(dense), expected.hidden_states(dense), **close)
    gates, wanted = found.gate_activations(dense), expected.gate_activations(dense)
    for gate in "ifgo":
        np.testing.assert_allclose(gates[gate], wanted[gate], **close)
    stream = found.stream()
    steps = [stream.step(step) for step in dense[0]]
    np.testing.assert_allclose(steps, found.predict(dense)[0], **close)


def test_arrays_of_the_gpu_are_answered_on_the_gpu(on_gpu):
    dense, lengths = padded(X, fill=0.0)
    y = np.array([len(x) % 2 for x in X])
    model = estimator("GRU", "Classifier", device="cuda", max_iter=2)
    gpu_X, gpu_y, gpu_lengths = map(on_gpu.asarray, (dense, y, lengths))
    weights = on_gpu.ones(len(X))
    model.fit(gpu_X, gpu_y, sample_weight=weights, lengths=gpu_lengths)
    answers = {
        name: getattr(model, name) for name in ("predict", "predict_proba", "predict_log_proba")
    }
    for name, method in answers.items():
        on_host = method(dense, lengths=lengths)
        assert type(on_host) is np.ndarray, name
        on_device = method(gpu_X, lengths=gpu_lengths)
        assert type(on_device) is on_gpu.ndarray, name
        np.testing.assert_array_equal(on_device.get(), on_host)
    assert type(model.gate_activations(gpu_X)["r"]) is on_gpu.ndarray
    assert model.score(gpu_X, gpu_y, lengths=lengths) == model.score(dense, y, lengths=lengths)


def test_labels_that_are_no_numbers_come_back_on_the_host(on_gpu):
    dense = np.random.RandomState(0).standard_normal((8, 4, 1))
    model = estimator("GRU", "Classifier", device="cuda", max_iter=1).fit(dense, list("ab" * 4))
    assert type(model.predict(on_gpu.asarray(dense))) is np.ndarray


def test_the_cpu_still_refuses_arrays_of_a_gpu(on_gpu):
    with pytest.raises(TypeError, match=r'X lies on a GPU .* use device="cuda"'):
        estimator("GRU", "Classifier").fit(on_gpu.ones((4, 3, 1)), [0, 1, 0, 1])


def test_a_gpu_of_another_number(on_gpu):
    used = []
    device = on_gpu.cuda.Device
    entered = device.__enter__
    device.__enter__ = lambda self: used.append(self.number) or entered(self)
    try:
        estimator("GRU", "Classifier", device="cuda:1", max_iter=1).fit(X, Y)
    finally:
        device.__enter__ = entered
    assert set(used) == {1}
    model = estimator("GRU", "Classifier", max_iter=1).fit(X, Y).set_params(device="cuda:2")
    with pytest.warns(UserWarning, match="device='cuda:2' cannot be used here, the CPU"):
        model.predict(X)
    with pytest.raises(RuntimeError, match=r"'cuda:2' cannot be used: .* has 2 GPU\(s\)"):
        estimator("GRU", "Classifier", device="cuda:2").fit(X, Y)


def test_auto_takes_the_gpu_where_there_is_one(on_gpu):
    assert get_backend("auto").name == "cuda"


def test_auto_takes_the_cpu_where_there_is_no_gpu():
    with standing_in(error=NO_DRIVER):
        assert get_backend("auto").name == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:k", "auto:1", 3, None])
def test_other_names_are_refused(device):
    with pytest.raises(ValueError, match=r"'device' parameter of GRUClassifier must be .*cuda:k"):
        estimator("GRU", "Classifier", device=device).fit(X, Y)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_without_a_gpu_fit_says_so(device):
    with (
        standing_in(error=NO_DRIVER),
        pytest.raises(RuntimeError, match=r"CuPy finds no usable NVIDIA GPU .*use device='cpu'"),
    ):
        estimator("GRU", "Classifier", device=device).fit(X, Y)


def test_without_cupy_fit_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r'"rnnkit\[cuda12\]"'):
        estimator("GRU", "Classifier", device="cuda").fit(X, Y)


def test_an_option_the_gpu_lacks_is_named(on_gpu):
    with pytest.raises(ValueError, match="layer_norm=True is not supported on device 'cuda'"):
        estimator("GRU", "Classifier", device="cuda", layer_norm=True).fit(X, Y)


def test_a_reset_before_the_product_answers_as_on_the_cpu(on_gpu):
    answers = []
    for device in ("cpu", "cuda"):
        model = estimator("GRU", "Classifier", device=device, max_iter=3, reset="before").fit(X, Y)
        stream = model.stream()
        steps = [stream.step(step) for step in X[0]]
        answers.append(flat([model.predict_proba(X), np.asarray(steps, dtype=object) == "up"]))
    np.testing.assert_allclose(answers[1], answers[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)


def test_a_pickle_holds_no_array_of_the_gpu_and_predicts_without_one(on_gpu):
    model = estimator("LSTM", "Classifier", device="cuda", max_iter=2).fit(X, Y)
    model.partial_fit(X, Y)
    pickled = pickle.dumps(model)
    names = {str(argument) for _, argument, _ in pickletools.genops(pickled)}
    assert not [name for name in names if "cupy" in name]
    expected = model.predict_proba(X)
    with standing_in(error=NO_DRIVER):
        again = pickle.loads(pickled)
        with pytest.warns(UserWarning, match="device='cuda' cannot be used here, the CPU"):
            found = again.predict_proba(X)
        with warnings.catch_warnings(action="error"):  # said once, not again
            again.predict(X)
        np.testing.assert_allclose(found, expected, rtol=FIRST_LOSSES, atol=FIRST_LOSSES)
        with pytest.raises(RuntimeError, match="device 'cuda:0' cannot be used"):
            again.fit(X, Y)
    assert copy.deepcopy(model).predict(X).tolist() == model.predict(X).tolist()


def test_grid_search(on_gpu):
    model = estimator("GRU", "Classifier", device="cuda", max_iter=1)
    search = GridSearchCV(clone(model), {"hidden_size": [2, 3]}, cv=2, n_jobs=1).fit(X, Y)
    assert search.best_params_["hidden_size"] in (2, 3)


def test_memory_is_given_back_after_a_fit_and_no_more_taken_than_a_worker_may(on_gpu, monkeypatch):
    pool = pool_of(0)
    estimator("GRU", "Classifier", device="cuda", max_iter=1).fit(X, Y)
    assert pool.n_freed == 1
    assert MemoryPool.limit is pool.limit is None
    pool_of.cache_clear()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "the first process")
    free, _ = on_gpu.cuda.runtime.memGetInfo()
    assert pool_of(0).limit == free // 2


def test_show_config_tells_the_gpu(on_gpu):
    gpus = rnnkit.show_config(mode="dicts")["gpus"]
    assert [gpu["compute_capability"] for gpu in gpus] == ["9.0", "9.0"]
    with standing_in(error=NO_DRIVER):
        assert NO_DRIVER in rnnkit.show_config(mode="dicts")["gpus"]


def test_nothing_of_cupy_is_imported_before_a_gpu_is_asked_for():
    program = """
    import sys
    import numpy as np
    import rnnkit, rnnkit.backends.cuda
    X = np.zeros((4, 3, 1))
    rnnkit.GRUClassifier(2, max_iter=1, tol=0).fit(X, [0, 1, 0, 1]).predict(X)
    assert not [name for name in sys.modules if name.split(".")[0] in ("cupy", "cuda")]
    """
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("options", [{}, {"bptt_steps": 2}], ids=str)
def test_a_failed_partial_fit_has_not_happened(options, on_gpu, monkeypatch):
    model = estimator("GRU", "Classifier", device="cuda", batch_size=6, **options)
    model.partial_fit(X, Y, classes=["down", "up"])
    twin = pickle.loads(pickle.dumps(model))
    before, answers = dict(vars(model)), model.predict_proba(X)
    loss, calls = CudaBackend.softmax_cross_entropy, []

    def third_fails(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("planted")
        return loss(self, *arguments)

    monkeypatch.setattr(CudaBackend, "softmax_cross_entropy", third_fails)
    with pytest.raises(OSError, match="planted"):
        model.partial_fit(X, Y)
    monkeypatch.undo()
    assert vars(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), answers)
    for other in (model, twin):
        other.weights_["head.bias"][:] = 1
        other.partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))


def test_what_does_not_fit_the_gpu_is_refused_before_it_is_allocated(cublas):
    with standing_in(memory_bytes=10**8):
        model = rnnkit.LSTMClassifier(1500, device="cuda")
        with pytest.raises(MemoryError, match=r"hidden_size=1500 .* and 0\.05 GB are available"):
            model.fit(X, Y)
        assert not hasattr(model, "network_")


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_static_columns_and_frozen_tables_answer_as_on_the_cpu(cell, on_gpu):
    rng = np.random.RandomState(0)
    steady = [np.column_stack([np.full(len(x), rng.randn()), x]) for x in X]
    dense = np.concatenate([np.repeat(rng.randn(8, 1, 2), 5, axis=1), rng.randn(8, 5, 1)], axis=2)
    table = rng.randn(3, 2)
    labels = [np.array([["ab"[len(x) % 2], value] for value in x[:, 0]], dtype=object) for x in X]
    words = {"embedding_init": table, "embedding_trainable": False, "categorical_features": [0]}
    for data, y, options in (
        (steady, Y, {"static": "state"}),
        (steady, Y, {"static": "state", "bidirectional": True}),
        (dense, Y[:8], {"static": "state"}),
        (labels, Y, {**words, "solver": "adamw", "alpha": 0.1}),
        (labels, Y, {**words, "static": "state"}),
    ):
        found = []
        for device in ("cpu", "cuda"):
            model = estimator(
                cell, "Classifier", device=device, max_iter=3, batch_size=8, **options
            )
            found.append(model.fit(data, y).predict_proba(data))
            if "embedding_init" in options:
                weight = model.weights_["embedding.weight_0"]
                np.testing.assert_array_equal(weight, table.astype("f4"))
        np.testing.assert_allclose(found[1], found[0], rtol=FIRST_LOSSES, atol=FIRST_LOSSES)
