"""Language models with device="cuda": the CPU's answers, and what is written."""

import pickle

import numpy as np
import pytest
from estimators.language.models import CELLS, NAMES, SEXES, TEXT, model
from gpu.cupy_stand_in import CUPY, standing_in
from gpu.host_kernels import needs_compiler
from tolerances import assert_close

from rnnkit import backends

pytestmark = needs_compiler


@pytest.fixture
def on_gpu(cublas):
    with standing_in():
        yield CUPY


@pytest.fixture(autouse=True)
def warned_of_nothing():
    backends._warn_of_fall_back.cache_clear()
    yield
    backends._warn_of_fall_back.cache_clear()


def both(cell, X, context=None, **parameters):
    """The same model fitted on the CPU and on the GPU."""
    found = [
        model(cell, hidden_size=6, device=device, **parameters).fit(X, context=context)
        for device in ("cpu", "cuda")
    ]
    for name, weight in found[0].weights_.items():
        assert_close(found[1].weights_[name], weight, "float32", 10**5)
    return found


@pytest.mark.parametrize("cell", CELLS)
def test_a_text_is_learnt_scored_and_written(on_gpu, cell):
    cpu, gpu = both(cell, TEXT, early_stopping=True, dropout=0.2)
    assert_close(gpu.score_samples(TEXT), cpu.score_samples(TEXT), "float32", 10**5, scale=300)
    assert gpu.sample(20, temperature=0, prompt="to") == cpu.sample(20, temperature=0, prompt="to")
    how = {"random_state": 0, "top_p": 0.9}
    written = gpu.sample(20, **how)
    assert "".join(gpu.sample(20, stream=True, **how)) == written
    assert gpu.sample(20, n_samples=2, **how)[0] == written


def test_documents_with_contexts_and_tied_embeddings(on_gpu):
    for tied in (True, False):
        cpu, gpu = both("LSTM", NAMES * 2, SEXES * 2, tied_embeddings=tied, token_dropout=0.1)
        found, expected = (m.score_samples(NAMES, context=SEXES) for m in (gpu, cpu))
        assert_close(found, expected, "float32", 10**5)
        assert gpu.sample(9, context=["f", "m"], temperature=0) == cpu.sample(
            9, context=["f", "m"], temperature=0
        )
        stream = gpu.stream("m")
        after = stream.read("iv")
        assert_close(after, cpu.stream("m").read("iv"), "float32", 10**4)
        state = stream.state
        stream.step("a")
        stream.state = state
        np.testing.assert_array_equal(stream.log_probabilities, after)
        shapes = [h.shape for h in gpu.hidden_states(NAMES, context=SEXES)]
        assert shapes == [(len(name) + 1, 6) for name in NAMES]


def test_a_pickle_answers_where_there_is_no_gpu(cublas):
    with standing_in():
        cpu, gpu = both("GRU", NAMES)
        content = pickle.dumps(gpu)
    with pytest.warns(UserWarning, match="cuda"):
        found = pickle.loads(content).score_samples(NAMES)
    assert_close(found, cpu.score_samples(NAMES), "float32", 10**5)
