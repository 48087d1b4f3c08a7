"""What only a real GPU can show: cuDNN's numbers, memory, processes, threads, the sanitizer.

RNNKIT_REQUIRE_GPU=1 pytest -m gpu
"""

import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged
from gpu.arrays import FIRST_LOSSES, ONE_BATCH
from sklearn.model_selection import GridSearchCV

from rnnkit.backends.cuda.device import pool_of
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

pytestmark = pytest.mark.gpu

X = ragged(24)
Y = labels_of(X)
TORCH_LAYERS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def run_python(program, **environment):
    """Run a program in a fresh interpreter that finds the tests; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "n_sequences, n_steps, hidden_size", [(3, 7, 33), (64, 50, 256), (32, 20, 768)]
)
@pytest.mark.parametrize("cell", TORCH_LAYERS)
def test_the_numbers_of_cudnn(cell, n_sequences, n_steps, hidden_size, nvidia):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch is here, but not built for this GPU")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    n_inputs = 24
    layer = getattr(torch.nn, TORCH_LAYERS[cell])(n_inputs, hidden_size, device="cuda")
    x = torch.randn(n_steps, n_sequences, n_inputs, device="cuda", requires_grad=True)
    y, _ = layer(x)
    dy = torch.randn_like(y)
    y.backward(dy)

    xp = nvidia.xp
    taken = {name: xp.asarray(value.detach()) for name, value in layer.named_parameters()}
    weights = {
        "weight_ih": taken["weight_ih_l0"],
        "weight_hh": taken["weight_hh_l0"],
        "bias": taken["bias_ih_l0"] + taken["bias_hh_l0"],
    }
    if cell == "gru":
        first_n = 2 * hidden_size
        weights["bias"][first_n:] = taken["bias_ih_l0"][first_n:]
        weights["bias_hn"] = taken["bias_hh_l0"][first_n:]
    operation = nvidia.recurrent(LayerSpec(cell, n_inputs, hidden_size), np.float32)
    plan = pack(np.full(n_sequences, n_steps))
    found = operation.forward(
        plan, xp.asarray(x.detach()).reshape(-1, n_inputs), weights, training=True
    )
    gradients = {name: xp.zeros_like(weight) for name, weight in weights.items()}
    dx, _, _ = operation.backward(xp.asarray(dy).reshape(-1, hidden_size), gradients)
    pairs = {
        "y": (found.y, y.detach()),
        "dx": (dx, x.grad),
        "dweight_ih": (gradients["weight_ih"], layer.weight_ih_l0.grad),
        "dweight_hh": (gradients["weight_hh"], layer.weight_hh_l0.grad),
        "dbias": (gradients["bias"], layer.bias_ih_l0.grad),
    }
    for name, (got, want) in pairs.items():
        want = want.cpu().numpy().reshape(got.shape)
        error = np.abs(nvidia.download(got) - want).max() / max(1.0, np.abs(want).max())
        assert error <= ONE_BATCH, f"{name} is off by {error:.2g}"


def test_entries_beyond_the_range_of_int32(nvidia):
    """Gates of more than 2^31 entries: the last sequence of the last step is as it is alone."""
    free, _ = nvidia.xp.cuda.runtime.memGetInfo()
    n_sequences, n_steps, hidden_size = 256, 8200, 256
    if free < 8 * n_sequences * n_steps * hidden_size * 4:
        pytest.skip(f"the GPU has only {free} bytes free")
    xp = nvidia.xp
    spec = LayerSpec("lstm", 2, hidden_size)
    rng = np.random.RandomState(0)
    weights = {
        name: xp.asarray((rng.standard_normal(shape) / np.sqrt(hidden_size)).astype(np.float32))
        for name, shape in spec.parameter_shapes().items()
    }
    plan = pack(np.full(n_sequences, n_steps))
    assert plan.n_rows * 4 * hidden_size > 2**31
    x = xp.asarray(rng.standard_normal((n_steps, 2)).astype(np.float32))
    repeated = xp.repeat(x, n_sequences, axis=0)
    y = nvidia.recurrent(spec, np.float32).forward(plan, repeated, weights).y
    alone = nvidia.recurrent(spec, np.float32).forward(pack(np.array([n_steps])), x, weights).y
    assert float(xp.abs(y[-1] - alone[-1]).max()) <= FIRST_LOSSES


def test_fifty_fits_take_no_more_memory_than_one():
    """From the third epoch on a step is a graph."""
    model = estimator("LSTM", "Classifier", device="cuda", max_iter=3)
    model.fit(X, Y)
    used = pool_of(0).total_bytes()
    for _ in range(50):
        model.fit(X, Y)
    assert pool_of(0).total_bytes() <= used


def test_a_layer_larger_than_the_gpu_says_how_large(nvidia):
    _, total = nvidia.xp.cuda.runtime.memGetInfo()

    def ask():
        with nvidia.active():
            nvidia.xp.empty(2 * total, np.uint8)

    with pytest.raises(MemoryError, match=f"it has {total} bytes"):
        ask()


def test_a_pickle_predicts_where_no_gpu_is_seen(tmp_path):
    model = estimator("LSTM", "Classifier", device="cuda", max_iter=2).fit(X, Y)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((model, X, model.predict_proba(X))))
    run_python(
        f"""
        import pickle, warnings
        import numpy as np
        model, X, expected = pickle.load(open({str(path)!r}, "rb"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = model.predict_proba(X)
        assert [str(w.message) for w in caught if "cannot be used here" in str(w.message)]
        assert np.abs(found - expected).max() <= {FIRST_LOSSES}
        """,
        CUDA_VISIBLE_DEVICES="-1",
    )


def test_a_grid_search_in_two_processes():
    model = estimator("GRU", "Classifier", device="cuda", max_iter=2)
    search = GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2, n_jobs=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_two_threads_fit_at_once():
    def fit(seed):
        model = estimator("LSTM", "Classifier", device="cuda", max_iter=5, random_state=seed)
        return model.fit(X, Y).predict_proba(X)

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(fit, (0, 1)))
    for seed, found in enumerate(together):
        np.testing.assert_array_equal(found, fit(seed))


def test_arrays_of_torch_are_taken(nvidia):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch is here, but not built for this GPU")
    dense = np.random.RandomState(0).standard_normal((8, 4, 1)).astype(np.float32)
    model = estimator("GRU", "Classifier", device="cuda", max_iter=1).fit(dense, [0, 1] * 4)
    found = model.predict_proba(torch.asarray(dense, device="cuda"))
    np.testing.assert_array_equal(found.get(), model.predict_proba(dense))


SANITIZED = """
import os, sys
sys.path.insert(0, {tests!r})
from estimators.problems import estimator, labels_of, ragged
X = ragged(6)
for algorithm in ("cluster", "grid", "products", "steps"):
    os.environ["RNNKIT_CUDA_ALGO"] = algorithm
    for cell in ("RNN", "LSTM", "GRU"):
        model = estimator(cell, "Classifier", device="cuda", max_iter=3, bidirectional=True)
        model.fit(X, labels_of(X))
"""


@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck"])
def test_the_sanitizer_finds_nothing(tool):
    sanitizer = shutil.which("compute-sanitizer")
    if sanitizer is None:
        pytest.skip("compute-sanitizer is not on the path")
    # CuPy asks for what a driver need not have: errors of such calls are its business.
    options = ["--report-api-errors", "no", "--error-exitcode", "1"]
    program = SANITIZED.format(tests=os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run(
        [sanitizer, "--tool", tool, *options, sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
