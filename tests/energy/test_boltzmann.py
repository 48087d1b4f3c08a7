"""Deep Boltzmann machines: what training does to likelihoods that are counted out, and promises."""

import pickle

import numpy as np
import pytest
from energy.nets import all_states
from energy.test_layered import log_likelihoods
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from tolerances import assert_close

from rnnkit.energy import DeepBoltzmannMachine
from rnnkit.energy.greedy import _tied, pretrain_undirected
from rnnkit.training import Adaptive, InvScaling

ROWS = np.tile([[0, 0, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], (20, 1)).astype(float)
SMALL = dict(pretrain_iter=2, max_iter=3, n_particles=20, random_state=0)


def small(sizes=(4, 3), **parameters):
    return DeepBoltzmannMachine(sizes, **{**SMALL, **parameters})


def exact(model):
    """The mean log-likelihood of ROWS, by counting out all states."""
    sizes = [len(bias) for bias in model.intercepts_]
    return log_likelihoods(model._units(), ROWS[:3], sizes).mean()


@pytest.mark.parametrize("sizes", [(4,), (4, 3), (3, 3, 2)])
@pytest.mark.parametrize("pretrain_iter", [0, 10])
def test_training_raises_the_exact_likelihood(sizes, pretrain_iter):
    settings = dict(
        pretrain_iter=pretrain_iter, learning_rate_init=0.5, batch_size=10, random_state=0
    )
    short = exact(DeepBoltzmannMachine(sizes, max_iter=1, **settings).fit(ROWS))
    long = DeepBoltzmannMachine(sizes, max_iter=300, **settings).fit(ROWS)
    means = ROWS.mean(axis=0).clip(1e-9, 1 - 1e-9)
    independent = (ROWS * np.log(means) + (1 - ROWS) * np.log(1 - means)).sum(axis=1).mean()
    assert exact(long) > max(short, independent) + 0.5
    assert exact(long) < np.log(1 / 3)  # the entropy of the rows: nothing can be likelier
    assert long.score(ROWS) <= exact(long) + 1e-9
    if len(sizes) == 1:
        assert_close(long.score(ROWS), exact(long), np.float64, 2**10)


def test_one_hidden_layer_learns_what_scikit_learn_s_machine_does():
    settings = dict(batch_size=20, random_state=0)
    rbm = BernoulliRBM(4, learning_rate=0.1, n_iter=300, **settings).fit(ROWS)
    model = DeepBoltzmannMachine(
        4, pretrain_iter=0, max_iter=300, learning_rate_init=0.1, alpha=0.0,
        learning_rate="constant", n_particles=20, **settings,
    ).fit(ROWS)  # fmt: skip
    theirs = clone(model).fit(ROWS)
    theirs.coefs_ = [rbm.components_.T]
    theirs.intercepts_ = [rbm.intercept_visible_, rbm.intercept_hidden_]
    assert_close(theirs.transform(ROWS), rbm.transform(ROWS), np.float64, 5)
    assert abs(exact(model) - exact(theirs)) < 0.3


def test_with_one_hidden_layer_pretraining_is_scikit_learn_s_own():
    weights, biases = pretrain_undirected(
        ROWS, [3], learning_rate=0.1, batch_size=60, n_iter=1, random=np.random.RandomState(0)
    )
    random = np.random.RandomState(0)
    machine = BernoulliRBM(3, learning_rate=0.1, batch_size=60, random_state=random)
    machine.components_ = random.normal(0, 0.01, (3, 5))
    machine.partial_fit(ROWS[random.permutation(60)])
    assert_close(weights[0], machine.components_.T, np.float64, 60)
    assert_close(biases[0], machine.intercept_visible_, np.float64, 60)
    assert_close(biases[1], machine.intercept_hidden_, np.float64, 60)


@pytest.mark.parametrize("n_below, n_above", [(1, 2), (2, 1), (2, 2)])
def test_copies_share_one_step(n_below, n_above):
    """A step of a machine with copies, by hand, with the numbers that it draws."""
    rows, size, rate = ROWS[:12], 3, 0.5
    weight, below, above = _tied(
        rows, size, n_below, n_above, rate, 12, 1, np.random.RandomState(4)
    )
    random = np.random.RandomState(4)
    start = random.normal(0, 0.01, (size, 5))
    v = rows[random.permutation(12)]
    h = expit(n_below * v @ start.T)
    visible = (random.uniform(size=(12, n_below * 5)) < 0.5).reshape(12, n_below, 5)
    hidden = expit(visible.sum(axis=1) @ start.T)
    step = v.T @ h / 12 - visible.mean(axis=1).T @ hidden / 12
    assert_close(weight, start.T + rate * step, np.float64, 60)
    assert_close(below, rate * (v.mean(0) - visible.mean((0, 1))), np.float64, 60)
    assert_close(above, rate * (h.mean(0) - hidden.mean(0)), np.float64, 60)


def test_samples_are_of_the_machine():
    """Of rows that the machine knows, what it draws is likely; of independent units it is not."""
    model = DeepBoltzmannMachine((4, 3), max_iter=300, learning_rate_init=0.1, random_state=0).fit(
        ROWS
    )
    drawn = model.sample(4000, n_steps=50, random_state=1)
    assert drawn.shape == (4000, 5)
    codes, expected = drawn @ 2 ** np.arange(5), []
    states = all_states(5)
    sizes = [5, 4, 3]
    expected = np.exp(log_likelihoods(model._units(), states, sizes))
    found = np.array([(codes == state @ 2 ** np.arange(5)).mean() for state in states])
    assert np.abs(found - expected).max() < 0.05
    assert model.sample(3, random_state=2).tobytes() == model.sample(3, random_state=2).tobytes()
    stays = (model.gibbs(ROWS, random_state=0) == ROWS).mean()
    assert stays > 0.58  # of independent units with the same means: 5 of 9


def test_score_is_the_mean_of_the_samples_and_log_z_repeats():
    model = small((20, 15)).fit(ROWS)
    assert model.score(ROWS) == model.score_samples(ROWS).mean()
    assert model.log_partition() == model.log_partition()
    assert abs(model.log_partition() - model.log_partition(200, 2000)) < 0.1
    with pytest.raises(ValueError, match="n_chains must be an integer of at least 1, got 0"):
        model.log_partition(0)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_dtype_stays(dtype):
    model = small().fit(ROWS.astype(dtype))
    arrays = [*model.coefs_, *model.intercepts_, *model.particles_]
    arrays += [model.transform(ROWS.astype(dtype)), model.score_samples(ROWS.astype(dtype))]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_layers_side_by_side():
    model = small(transform_layers="all").fit(ROWS)
    assert model.transform(ROWS).shape == (60, 7)
    assert len(model.get_feature_names_out()) == 7
    last = clone(model).set_params(transform_layers="last").fit(ROWS)
    assert np.array_equal(last.transform(ROWS), model.transform(ROWS)[:, 4:])
    assert last.get_feature_names_out()[0] == "deepboltzmannmachine0"


def test_the_same_seed_gives_the_same_bits_and_partial_fit_goes_on():
    a, b = small().fit(ROWS), small().fit(ROWS)
    assert pickle.dumps(a.coefs_) == pickle.dumps(b.coefs_)
    b = pickle.loads(pickle.dumps(b))
    kept = a.coefs_[0].copy()
    for model in (a, b):
        model.partial_fit(ROWS)
        model.partial_fit(ROWS)
    assert a.n_iter_ == b.n_iter_ == 5
    assert a.coefs_[0].tobytes() == b.coefs_[0].tobytes() != kept.tobytes()


def test_a_partial_fit_that_raises_changes_nothing():
    model = small().fit(ROWS)
    before = pickle.dumps(model)
    for X in (ROWS[:, :3], ROWS * np.nan):
        with pytest.raises(ValueError):
            model.partial_fit(X)
        assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match=r"hidden_layer_sizes must stay \[4, 3\]"):
        model.set_params(hidden_layer_sizes=(4, 2)).partial_fit(ROWS)


def test_a_first_partial_fit_begins():
    model = small(pretrain_iter=0, max_iter=1, learning_rate="constant")
    fitted = clone(model).fit(ROWS)
    model.partial_fit(ROWS)
    assert model.coefs_[0].tobytes() == fitted.coefs_[0].tobytes()


def test_values_outside_are_told_and_binarize_makes_them_units():
    X = np.random.RandomState(0).randn(30, 5)
    with pytest.warns(UserWarning, match=r"scale them before, with MinMaxScaler, or set binarize"):
        small().fit(X)
    model = small(binarize=0.0).fit(X)
    units = small().fit((X > 0).astype(float))
    assert np.array_equal(model.transform(X), units.transform((X > 0).astype(float)))


@pytest.mark.parametrize(
    "parameters, sentence",
    [
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes must be an integer .* got \(\)"),
        ({"hidden_layer_sizes": (4, 0)}, r"got \(4, 0\)"),
        ({"hidden_layer_sizes": (4, 2.5)}, r"got \(4, 2.5\)"),
        ({"hidden_layer_sizes": (4, True)}, r"got \(4, True\)"),
        ({"hidden_layer_sizes": True}, "hidden_layer_sizes must be an integer .* got True"),
        ({"hidden_layer_sizes": 0}, "'hidden_layer_sizes' parameter"),
        ({"learning_rate": "adaptive"}, "'learning_rate' parameter"),
        ({"learning_rate": Adaptive()}, "a schedule that looks at no loss"),
        ({"learning_rate": InvScaling(-1)}, "power_t of InvScaling must not be negative"),
        ({"alpha": -1.0}, "'alpha' parameter"),
        ({"transform_layers": "first"}, "'transform_layers' parameter"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, sentence):
    model = DeepBoltzmannMachine(**parameters)
    with pytest.raises(ValueError, match=sentence):
        model.fit(ROWS)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("rate", ["constant", "invscaling", "linear", "cosine", InvScaling(0.2)])
def test_schedules_are_followed(rate):
    weights = {str(r): small(learning_rate=r).fit(ROWS).coefs_[0] for r in ("constant", rate)}
    same = np.array_equal(weights["constant"], weights[str(rate)])
    assert same == (rate == "constant")


def test_it_stands_in_pipelines_and_searches():
    X = np.random.RandomState(0).randn(40, 6)
    pipeline = make_pipeline(MinMaxScaler(), small())
    assert pipeline.fit_transform(X).shape == (40, 3)
    search = GridSearchCV(small(binarize=0.0), {"hidden_layer_sizes": [(2, 2), 3]}, cv=2).fit(X)
    assert np.isfinite(search.best_score_)
