"""Large tables: going through the rows looked up alone gives the bits of going through all rows."""

import copy
import pickle
import time
import warnings

import numpy as np
import pytest

import rnnkit
from rnnkit import training
from rnnkit.backends import get_backend
from rnnkit.network import lookup
from rnnkit.network.lookup import TableRows
from rnnkit.training.touched import Touched

N_IDS = 40


def sentences(n=30, columns=1, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.integers(0, N_IDS // 2, (t, columns)) for t in rng.integers(2, 9, n)]
    X[-1][0] = N_IDS - 1  # so that half of the rows are never looked up
    return X, [x[:, 0] % 3 for x in X]


def tagger(**options):
    settings = dict(batch_size=4, max_iter=3, tol=0, random_state=0, embedding_dim=5)
    return rnnkit.GRUSequenceTagger(6, **(settings | options))


def quietly(call, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments)


def bits_of(model):
    return model.network_.parameters.flat.tobytes(), tuple(model.loss_curve_)


SOLVERS = {name: name for name in training.optimizers.SOLVERS if name != "lbfgs"} | {
    "nesterov, no momentum": training.SGD(0.0, nesterov=True),
    "rmsprop, momentum": training.RMSProp(momentum=0.5),
    "adamw, no decay": training.AdamW(weight_decay=0.0),
}
OPTIONS = {
    "two columns": dict(columns=2),
    "frozen": dict(embedding_trainable=False),
    "token_dropout": dict(token_dropout=2.0),
    "clip_value": dict(clip_value=1e-3),
    "clip_norm": dict(clip_norm=1e-3),
    "no clip_norm": dict(clip_norm=None),
    "alpha": dict(alpha=1e-3),
    "l1": dict(l1=1e-3),
    "bptt_steps": dict(bptt_steps=3),
    "crf": dict(output="crf"),
    "lbfgs": dict(solver="lbfgs"),
    "early stopping": dict(early_stopping=True, validation_fraction=0.3),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_takes_the_steps_of_the_update_of_all_rows(name, monkeypatch):
    X, y = sentences()
    found = []
    for threshold in (0, 2**60):
        monkeypatch.setattr(lookup, "LARGE_TABLE", threshold)
        found.append(bits_of(quietly(tagger(solver=copy.copy(SOLVERS[name])).fit, X, y)))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_keeps_the_bits(name, monkeypatch):
    options = dict(OPTIONS[name])
    X, y = sentences(columns=options.pop("columns", 1))
    found = []
    for threshold in (0, 2**60):
        monkeypatch.setattr(lookup, "LARGE_TABLE", threshold)
        found.append(bits_of(quietly(tagger(**options).fit, X, y)))
    assert found[0] == found[1]


@pytest.mark.parametrize("solver", ["adam", "sgd", "adadelta"])
def test_training_goes_on_with_what_a_solver_remembers(solver, monkeypatch):
    X, y = sentences()
    other, labels = sentences(8, seed=3)
    found = []
    for threshold in (0, 2**60):
        monkeypatch.setattr(lookup, "LARGE_TABLE", threshold)
        model = tagger(solver=solver)
        for _ in range(3):
            quietly(model.partial_fit, X, y, [0, 1, 2])
        model = pickle.loads(pickle.dumps(model))
        quietly(model.partial_fit, other, labels)
        quietly(model.partial_fit, other, labels)
        found.append(bits_of(model))
    assert found[0] == found[1]


def test_a_table_that_a_tied_head_uses_whole_is_gone_through_whole(monkeypatch):
    texts = ["abcab", "bca", "cabbac", "acb"] * 3
    found = []
    for threshold in (0, 2**60):
        monkeypatch.setattr(lookup, "LARGE_TABLE", threshold)
        model = rnnkit.GRULanguageModel(
            6, embedding_dim=6, tied_embeddings=True, max_iter=3, tol=0, random_state=0
        )
        found.append(bits_of(quietly(model.fit, texts)))
    assert found[0] == found[1]


def touched_of(vector, table, solver="adam"):
    state = training.make_solver(solver).start(get_backend("cpu"), vector)
    return Touched([table], vector, state), state


def test_only_rows_looked_up_and_what_is_no_table_are_gone_through():
    gradient = np.arange(2.0 + 5 * 3 + 1)
    table = TableRows(2, 5, 3)
    touched, state = touched_of(gradient, table)
    state.advance(0.1)
    table.add(np.array([3, 1, 3]))
    assert touched.now().tolist() == [[0, 2], [5, 8], [11, 14], [17, 18]]
    assert touched.ever().tolist() == touched.now().tolist()
    touched.scale(np.float64(2))
    assert gradient.tolist() == [0, 2, 2, 3, 4, 10, 12, 14, 8, 9, 10, 22, 24, 26, 14, 15, 16, 34]
    touched.limit(20.0)
    assert gradient.tolist() == [0, 2, 2, 3, 4, 10, 12, 14, 8, 9, 10, 20, 20, 20, 14, 15, 16, 20]
    touched.clear()
    assert np.flatnonzero(gradient == 0).tolist() == [0, 1, 5, 6, 7, 11, 12, 13, 17]
    table.add(np.array([0]))
    assert touched.now().tolist() == [[0, 2], [2, 5], [17, 18]]
    assert touched.ever().tolist() == [[0, 2], [2, 8], [11, 14], [17, 18]]


def test_rows_that_a_restored_solver_remembers_are_updated():
    vector = np.zeros(12)
    touched, state = touched_of(vector, TableRows(0, 4, 3))
    state.advance(0.1)
    assert touched.ever().tolist() == []
    earlier = state.state(np.array)
    earlier["vectors"]["square"][7] = 1e-9
    state.restore(earlier)
    assert touched.ever().tolist() == [[6, 9]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_norm_over_ranges_has_the_bits_of_the_norm_over_all(dtype):
    rng = np.random.default_rng(0)
    backend = get_backend("cpu")
    for n in (1, 7, 8, 50, 203):
        gradient = np.zeros(n, dtype)
        cuts = np.unique(rng.integers(0, n + 1, 6))
        ranges = np.stack([cuts[:-1], cuts[1:]], axis=1)[::2]
        for first, last in ranges:
            gradient[first:last] = rng.normal(size=last - first)
        whole = gradient.copy()
        assert backend.clip_norm(gradient, 0.5, ranges) == backend.clip_norm(whole, 0.5)
        assert gradient.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    "ranges", [[[0, 5]], [[-1, 2]], [[2, 1]], [[0, 3], [2, 4]], [0, 1], [[0, 1, 2]]]
)
def test_ranges_out_of_place_are_refused(ranges):
    backend = get_backend("cpu")
    with pytest.raises(ValueError, match="ranges must"):
        backend.clip_norm(np.zeros(4), 1.0, np.array(ranges))


@pytest.mark.parametrize("ids, rows", [([0, 4], 2), ([-1, 0], 2), ([0], 2)])
def test_rows_of_no_table_are_refused(ids, rows):
    with pytest.raises((ValueError, IndexError), match="ids must"):
        get_backend("cpu").add_rows(np.zeros((4, 3)), np.array(ids), np.ones((rows, 3)))


def test_a_minibatch_of_a_table_of_a_million_rows_costs_what_its_rows_cost():
    """Twice the minibatches must not take the time of going through the table once more each."""
    X = [np.array([[i % 7], [10**6 - 1 - i]]) for i in range(64)]
    y = [np.array([0, 1])] * len(X)
    least = []
    for batch_size in (64, 2):
        model = rnnkit.GRUSequenceTagger(
            4, embedding_dim=4, batch_size=batch_size, max_iter=1, tol=0, random_state=0
        )
        times = []
        for _ in range(4):
            begin = time.process_time()
            quietly(model.fit, X, y)
            times.append(time.process_time() - begin)
        least.append(min(times))
    assert least[1] - least[0] < 31 * 0.004, "a pass over the table takes some 10 ms"
