"""Hopfield networks against energies and minima that are counted out, and their promises."""

import itertools
import math
import pickle
import warnings

import numpy as np
import pytest
from energy.nets import all_states, damaged, random_patterns
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from tolerances import assert_close

from rnnkit.energy import HopfieldNetwork

SIGNS = ("hebb", "pseudo-inverse")
seeds = st.integers(0, 2**31 - 1)


def path_of(network, begin):
    """The states after 0, 1, 2, ... sweeps, until `max_iter` sweeps settle."""
    states = [begin]
    for n in range(1, 40):
        one = clone(network).set_params(max_iter=n).fit(network.patterns_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            states.append(one.recall(begin))
        if np.array_equal(states[-1], states[-2]):
            break
    return states


@pytest.mark.parametrize("rule", SIGNS)
def test_weights_are_those_of_the_papers(rule):
    X = random_patterns(3, 7)
    weights = HopfieldNetwork(rule).fit(X).weights_
    if rule == "hebb":
        expected = sum(np.outer(x, x) for x in X) / 7
        np.fill_diagonal(expected, 0)
    else:
        expected = X.T @ np.linalg.inv(X @ X.T) @ X
    assert_close(weights, expected, np.float64, 7)
    assert np.array_equal(weights, weights.T)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(SIGNS), st.integers(1, 12), st.floats(-0.5, 0.5))
def test_one_unit_at_a_time_never_raises_the_energy(seed, rule, n, threshold):
    X = random_patterns(n, 11, seed)
    network = HopfieldNetwork(rule, thresholds=threshold, random_state=seed % 1000).fit(X)
    begin = random_patterns(8, 11, seed + 1)
    energies = [network.energy(states) for states in path_of(network, begin)]
    for before, after in itertools.pairwise(energies):
        assert np.all(after <= before + 1e-12)
    order = np.random.RandomState(seed).permutation(11)
    states, last = begin, network.energy(begin)
    for i in order:  # and so does each single step of a sweep
        states = network._sweep_signs(states, [i])
        energy = network.energy(states)
        assert np.all(energy <= last + 1e-12)
        last = energy


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["asynchronous", "synchronous"]), st.floats(0.05, 8))
def test_the_modern_energy_never_rises_in_either_way(seed, update, beta):
    X = np.random.RandomState(seed).randn(6, 5)
    network = HopfieldNetwork("softmax", beta=beta, update=update, tol=0.0, random_state=0).fit(X)
    begin = 2 * np.random.RandomState(seed + 1).randn(4, 5)
    energies = [network.energy(states) for states in path_of(network, begin)]
    for before, after in itertools.pairwise(energies):
        assert np.all(after <= before + 1e-9)
    assert np.all(np.array(energies) >= -1e-9)


@pytest.mark.parametrize("rule", SIGNS)
def test_the_energy_is_the_sum_over_pairs(rule):
    thresholds = np.linspace(-1, 1, 6)
    network = HopfieldNetwork(rule, thresholds=thresholds).fit(random_patterns(3, 6))
    states, W = all_states(6, (-1, 1)), network.weights_
    expected = [
        -sum(W[i, j] * s[i] * s[j] for i in range(6) for j in range(6)) / 2
        + sum(thresholds[i] * s[i] for i in range(6))
        for s in states
    ]
    assert_close(network.energy(states), expected, np.float64, 36)


@pytest.mark.parametrize("rule", SIGNS)
@pytest.mark.parametrize("seed", range(5))
def test_recall_ends_where_no_single_unit_can_go_lower(rule, seed):
    """Counted out: of every state of a small net, the end has no lower neighbour."""
    network = HopfieldNetwork(rule, random_state=seed).fit(random_patterns(3, 8, seed))
    begin = all_states(8, (-1, 1))
    ends, n_iter, converged = network.recall(begin, return_n_iter=True)
    assert converged.all()
    assert n_iter.max() >= 2
    energies = network.energy(ends)
    for i in range(8):
        turned = ends.copy()
        turned[:, i] *= -1
        # a flip costs -2 s_i h_i of the field, and what the diagonal holds it by
        assert np.all(network.energy(turned) >= energies - 2 * network.weights_[i, i] - 1e-12)
    assert np.all(network.energy(ends) <= network.energy(begin) + 1e-12)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 9), st.sampled_from(["asynchronous", "synchronous"]))
def test_patterns_are_fixed_points_of_the_projection(seed, n, update):
    X = random_patterns(n, 12, seed)
    network = HopfieldNetwork("pseudo-inverse", update=update, random_state=0).fit(X)
    assert network.stable_.all()
    assert network.converged_.all()
    assert network.n_iter_ == 1
    assert np.array_equal(network.recall(X), X)
    assert_close(network.energy(X), np.full(n, -12 / 2), np.float64, 144)


@pytest.mark.parametrize("seed", range(5))
def test_all_at_once_the_projection_settles_and_lowers_its_energy(seed):
    network = HopfieldNetwork("pseudo-inverse", update="synchronous")
    network.fit(random_patterns(4, 9, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = network.recall(all_states(9, (-1, 1)))
    assert np.all(network.energy(ends) <= network.energy(all_states(9, (-1, 1))) + 1e-12)


def test_two_states_in_turn_are_told():
    """Of one pattern of two units, (+1, -1) becomes (-1, +1) and back."""
    network = HopfieldNetwork(update="synchronous").fit([[1.0, 1.0]])
    with pytest.warns(ConvergenceWarning, match=r"1 of 2 states go back and forth"):
        states, n_iter, converged = network.recall([[1, -1], [1, 1]], return_n_iter=True)
    assert converged.tolist() == [False, True]
    assert n_iter.tolist() == [2, 1]
    assert states.tolist() == [[1, -1], [1, 1]]
    settled = network.set_params(update="asynchronous", random_state=0).recall([[1, -1]])
    assert abs(settled.sum()) == 2


def test_too_few_sweeps_are_told():
    network = HopfieldNetwork(max_iter=1, random_state=0).fit(random_patterns(3, 30))
    with pytest.warns(ConvergenceWarning, match=r"not settled after max_iter=1 sweeps"):
        network.recall(damaged(random_patterns(3, 30), 0.2))


@pytest.mark.parametrize("rule", ["hebb", "pseudo-inverse", "softmax"])
def test_damaged_patterns_are_recalled(rule):
    X = random_patterns(6, 100)
    network = HopfieldNetwork(rule, random_state=0).fit(X)
    queries = damaged(X, 0.15)
    assert network.predict(queries).tolist() == list(range(6))
    if rule != "hebb":
        assert_close(network.recall(queries), X, np.float64, 100)
    assert network.stable_.all()


def test_the_modern_form_is_attention_and_recalls_in_one_step():
    X = random_patterns(20, 64)
    network = HopfieldNetwork("softmax", max_iter=1).fit(X)
    queries = damaged(X, 0.2)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        once = network.recall(queries)
    assert_close(once, softmax(queries @ X.T, axis=1) @ X, np.float64, 64)
    assert np.abs(once - X).max() < 1e-6


def test_of_small_beta_it_settles_at_the_mean():
    X = np.random.RandomState(0).randn(5, 4)
    network = HopfieldNetwork("softmax", beta=1e-6).fit(X)
    assert np.allclose(network.recall(X), X.mean(axis=0), atol=1e-4)
    assert not network.stable_.all()


def test_the_modern_energy_is_that_of_the_paper():
    X, states = np.random.RandomState(0).randn(5, 4), np.random.RandomState(1).randn(3, 4)
    network = HopfieldNetwork("softmax", beta=0.7).fit(X)
    expected = [
        -np.log(sum(np.exp(0.7 * x @ s) for x in X)) / 0.7
        + s @ s / 2
        + np.log(5) / 0.7
        + max(np.linalg.norm(x) for x in X) ** 2 / 2
        for s in states
    ]
    assert_close(network.energy(states), expected, np.float64, 20)


def test_with_units_in_turn_it_ends_where_it_ends_at_once():
    X = np.random.RandomState(0).randn(6, 5)
    queries = X + 0.1 * np.random.RandomState(1).randn(6, 5)
    at_once = HopfieldNetwork("softmax", beta=4, tol=1e-12, max_iter=1000).fit(X)
    in_turn = clone(at_once).set_params(update="asynchronous", random_state=0).fit(X)
    assert np.allclose(at_once.recall(queries), in_turn.recall(queries), atol=1e-9)


@pytest.mark.parametrize(
    "levels, binarize", [((0, 1), 0.0), ((-1, 1), 0.0), ((2, 5), 3.0), ((0, 1), 0.5)]
)
def test_states_come_back_in_the_values_of_the_patterns(levels, binarize):
    signs = random_patterns(3, 20)
    X = np.where(signs > 0, levels[1], levels[0])
    network = HopfieldNetwork("pseudo-inverse", binarize=binarize).fit(X)
    assert network.recall(X).tolist() == X.tolist()
    assert np.array_equal(network.patterns_, signs)


def test_other_values_come_back_as_signs():
    X = np.random.RandomState(0).randn(3, 20)
    network = HopfieldNetwork("pseudo-inverse").fit(X)
    assert np.array_equal(network.recall(X), np.sign(X))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("rule", ["hebb", "pseudo-inverse", "softmax"])
def test_the_dtype_stays(rule, dtype):
    X = random_patterns(4, 30).astype(dtype)
    network = HopfieldNetwork(rule).fit(X)
    assert network.recall(X).dtype == network.energy(X).dtype == network.patterns_.dtype == dtype
    assert network.stable_.all()


@pytest.mark.parametrize("rule", ["hebb", "pseudo-inverse", "softmax"])
def test_a_state_goes_its_way_whatever_is_asked_beside_it(rule):
    network = HopfieldNetwork(rule, random_state=3).fit(random_patterns(9, 30))
    queries = damaged(random_patterns(9, 30), 0.3)
    together = network.recall(queries)
    alone = np.concatenate([network.recall(query[None]) for query in queries])
    assert_close(alone, together, np.float64, 30)
    assert together.tobytes() == network.recall(queries).tobytes()
    assert pickle.loads(pickle.dumps(network)).recall(queries).tobytes() == together.tobytes()


@pytest.mark.parametrize(
    "parameters, sentence",
    [
        ({"rule": "storkey"}, "'rule' parameter of HopfieldNetwork must be a str among"),
        ({"beta": 0}, "'beta' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"update": "random"}, "'update' parameter"),
        ({"binarize": None}, "'binarize' parameter"),
        ({"thresholds": [0.0, 1.0]}, r"one for each of 5 features of X, got \[0.0, 1.0\]"),
        ({"thresholds": ["a"] * 5}, r"one for each of 5 features of X, got \['a'"),
        ({"thresholds": [1j] * 5}, r"one for each of 5 features of X, got \[1j"),
        ({"thresholds": [None] * 5}, r"one for each of 5 features of X, got \[None"),
        ({"thresholds": np.nan}, "must be a float in the range"),
        ({"thresholds": 1.0, "rule": "softmax"}, "must be 0 with rule='softmax', got 1.0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, sentence):
    network = HopfieldNetwork(**parameters)
    with pytest.raises(ValueError, match=sentence):
        network.fit(random_patterns(2, 5))
    assert not hasattr(network, "patterns_")


def test_it_stands_in_pipelines_and_searches():
    X = np.random.RandomState(0).rand(40, 30)
    pipeline = make_pipeline(MinMaxScaler(), HopfieldNetwork("pseudo-inverse", binarize=0.5))
    pipeline.set_output(transform="pandas")
    assert list(pipeline.fit(X).transform(X).columns) == [f"x{i}" for i in range(30)]
    search = GridSearchCV(
        HopfieldNetwork(random_state=0),
        {"rule": ["hebb", "softmax"]},
        scoring=lambda network, X, y=None: -np.mean(network.energy(X)),
    ).fit(X)
    assert search.best_params_["rule"] in ("hebb", "softmax")


def test_parameters_of_fit_hold_until_the_next():
    network = HopfieldNetwork("softmax").fit(random_patterns(3, 10))
    before = network.recall(random_patterns(3, 10))
    network.set_params(rule="hebb", beta=0.1)
    assert np.array_equal(network.recall(random_patterns(3, 10)), before)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("update", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("beta", [1e-3, 1.0, 1e6])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_modern_form_is_finite_or_refuses(dtype, update, beta):
    X = np.array([[1, -1, 1], [-1, -1, 1]], dtype)
    small = HopfieldNetwork("softmax", update=update, beta=beta).fit(X)
    least_refused = math.sqrt(np.finfo(dtype).max.item() / (12 * max(1.0, beta)))
    for power in range(0, 39 if dtype == "f4" else 309, 2 if dtype == "f4" else 14):
        large = X * np.array(10.0**power, dtype)
        if 10.0**power > least_refused:
            for ask in (clone(small).fit, small.recall, small.predict, small.energy):
                with pytest.raises(ValueError, match=r"X must lie within .* got values up to 1e"):
                    ask(large)
            continue
        network = clone(small).fit(large)
        for asked, fitted in ((large, network), (X, network), (large, small)):
            states = fitted.recall(asked)
            assert np.isfinite(states).all()
            assert np.isfinite(fitted.energy(asked)).all()
            assert np.isfinite(fitted.energy(states)).all()


@pytest.mark.parametrize("rule", ["hebb", "pseudo-inverse"])
@pytest.mark.parametrize(("levels", "sign"), [((1, 2), "+1"), ((-3, -1), "-1"), ((0.5, 3), "+1")])
def test_values_on_one_side_of_binarize_are_told(rule, levels, sign):
    X = np.array([[0, 1, 1], [1, 0, 0]]) * (levels[1] - levels[0]) + levels[0]
    with pytest.warns(UserWarning, match=rf"all of which are \{sign} with binarize=0.0: set"):
        HopfieldNetwork(rule).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = HopfieldNetwork(rule, binarize=float(np.mean(levels))).fit(X)
        HopfieldNetwork(rule).fit(np.ones((1, 3)))
    np.testing.assert_array_equal(network.levels_, levels)
