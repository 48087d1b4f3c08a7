"""RecurrentRBM: likelihoods against sums over all states, sampling, forms, what is refused."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from tolerances import assert_close

import rnnkit
from rnnkit.energy import RecurrentRBM
from rnnkit.energy.recurrent_rbm.estimates import annealed_log_partition, generator_for
from rnnkit.persistence import pytorch
from rnnkit.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

F, M = 4, 3
CELLS = ("rnn", "lstm", "gru")


def rounds(n=30, seed=0, dtype="f8", least=3, most=10):
    """Sequences (T_i, 4): one unit after the other is on, at times with its neighbour."""
    rng = np.random.RandomState(seed)
    sequences = []
    for length in rng.randint(least, most, n):
        places = (rng.randint(F) + np.arange(length)) % F
        beside = np.eye(F)[(places + 1) % F] * rng.randint(0, 2, (length, 1))
        sequences.append(np.maximum(np.eye(F)[places], beside).astype(dtype))
    return sequences


def small(**parameters):
    settings = {"n_components": M, "max_iter": 4, "random_state": 0, "learning_rate_init": 0.02}
    return RecurrentRBM(**{"hidden_size": 6, **settings, **parameters})


def trained(**parameters):
    return small(**{"max_iter": 60, "negative_phase": "exact", **parameters}).fit(rounds())


STATES = np.array(list(itertools.product((0.0, 1.0), repeat=F)))
HIDDEN = np.array(list(itertools.product((0.0, 1.0), repeat=M)))


def probabilities(model, sequence):
    """P(v_t = each state | the steps before) (T, 16), by the equations, of a simple cell."""
    p = model.weights_
    u, found = np.zeros(model.hidden_size), []
    for v in sequence:
        biases = p["head.weight"] @ u + p["head.bias"]
        b, c = biases[:F], biases[F:]
        energy = -(STATES @ b)[:, None] - HIDDEN @ c - STATES @ p["rbm.weight"].T @ HIDDEN.T
        terms = np.exp(-energy)
        found.append(terms.sum(axis=1) / terms.sum())
        u = np.tanh(p["rnn.weight_ih_l0"] @ v + p["rnn.weight_hh_l0"] @ u + p["rnn.bias_l0"])
    return np.array(found)


def places_of(v):
    return (np.asarray(v) @ (2 ** np.arange(F)[::-1])).astype(int)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_log_likelihoods_are_those_of_the_equations(dtype):
    X = rounds(dtype=dtype)
    model = small().fit(X)
    found = model.score_samples(X, method="exact", per_step=True)
    for x, of_steps in zip(X[:5], found):
        expected = probabilities(model, x)
        log_p = np.log(expected[np.arange(len(x)), places_of(x)])
        assert_close(of_steps, log_p, dtype, 1000)
        assert of_steps.dtype == np.float64
        means = model.predict_proba([x], method="exact")[0]
        assert means.dtype == dtype
        assert_close(means, expected @ STATES, dtype, 1000)
        pseudo = np.zeros(len(x))
        for i in range(F):
            other = x.copy()
            other[:, i] = 1 - other[:, i]
            both = [expected[np.arange(len(x)), places_of(s)] for s in (x, other)]
            pseudo += np.log(both[0] / (both[0] + both[1]))
        assert_close(model.score_samples([x], per_step=True)[0], pseudo, dtype, 1000)
    assert_close(model.score_samples(X, method="exact"), [s.mean() for s in found], "f8", 100)
    assert model.score(X, method="exact") == pytest.approx(np.concatenate(found).mean())
    assert model.score(X) == pytest.approx(
        np.concatenate(model.score_samples(X, per_step=True)).mean()
    )


def test_probabilities_of_all_sequences_sum_to_one():
    model = trained()
    pairs = [np.array(pair) for pair in itertools.product(STATES, repeat=2)]
    log_p = 2 * model.score_samples(pairs, method="exact")
    assert np.exp(log_p).sum() == pytest.approx(1)


def test_without_recurrent_part_it_is_the_machine_of_scikit_learn():
    X = rounds()
    model = trained()
    model.weights_["head.weight"][...] = 0
    other = BernoulliRBM(M)
    other.components_ = model.weights_["rbm.weight"]
    other.intercept_visible_ = model.weights_["head.bias"][:F]
    other.intercept_hidden_ = model.weights_["head.bias"][F:]
    free = other._free_energy(STATES)
    log_p = -free - np.log(np.exp(-free).sum())
    for x, of_steps, means in zip(
        X, model.score_samples(X, method="exact", per_step=True), model.transform(X)
    ):
        assert_close(of_steps, log_p[places_of(x)], "f8", 1000)
        assert_close(means, other.transform(x), "f8", 1000)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("phase", ["gibbs", "exact"])
def test_training_raises_the_likelihood(cell, phase):
    X = rounds(100)
    model = small(cell=cell, negative_phase=phase, max_iter=1, n_gibbs=3, batch_size=10).fit(X)
    before = model.score(X, method="exact")
    model.set_params(max_iter=60).fit(X)
    after = model.score(X, method="exact")
    # Whether the neighbour is on is a toss, 0.69 nats, and the first step has 2.08.
    assert before < -2.0
    assert after > -1.15
    if phase == "exact":
        assert model.best_loss_ == pytest.approx(-after, abs=0.05)


def test_the_exact_phase_has_a_loss_for_line_searches():
    X = rounds()
    model = small(solver="lbfgs", negative_phase="exact", max_iter=30).fit(X)
    assert np.all(np.diff(model.loss_curve_) <= 1e-9)
    assert model.loss_ == pytest.approx(-model.score(X, method="exact"), rel=1e-6)
    with pytest.raises(ValueError, match=r"'solver' parameter .* unless negative_phase='exact'"):
        small(solver="lbfgs").fit(X)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_annealed_likelihoods_are_near_the_exact_ones(dtype):
    X = rounds(dtype=dtype)
    model = small(negative_phase="exact", max_iter=60).fit(X)
    exact = model.score_samples(X, method="exact")
    options = dict(method="ais", n_chains=100, n_temperatures=200)
    found = model.score_samples(X, **options)
    np.testing.assert_allclose(found, exact, atol=0.05)
    assert abs(found.mean() - exact.mean()) < 0.01
    np.testing.assert_array_equal(found, model.score_samples(X, **options))
    assert np.all(found != model.score_samples(X, random_state=1, **options))
    many = model.score(X, **options)
    few = model.score(X, method="ais", n_chains=1, n_temperatures=1)
    assert abs(many - model.score(X, method="exact")) < abs(few - model.score(X, method="exact"))


def test_annealing_of_a_machine_without_weights_is_exact():
    model = trained()
    model.weights_["rbm.weight"][...] = 0
    X = rounds()
    found = model.score_samples(X, method="ais", n_chains=1, n_temperatures=1)
    assert_close(found, model.score_samples(X, method="exact"), "f8", 1000)


def test_estimates_of_long_sequences_are_made_in_parts(monkeypatch):
    model = trained()
    X = rounds(3)
    whole = model.score_samples(X, method="ais", n_chains=50)
    monkeypatch.setattr("rnnkit.energy.recurrent_rbm.estimates._ROWS_AT_ONCE", 100)
    parts = model.score_samples(X, method="ais", n_chains=50)
    np.testing.assert_allclose(parts, whole, atol=0.1)
    model.predict_proba(X, n_chains=50)
    assert annealed_log_partition is not None


def test_expected_steps_by_sampling():
    X = rounds()
    model = trained()
    exact = np.concatenate(model.predict_proba(X, method="exact"))
    found = np.concatenate(model.predict_proba(X, n_chains=400, n_gibbs=50))
    np.testing.assert_allclose(found, exact, atol=0.12)
    assert np.abs(found - exact).mean() < 0.02
    decided = np.concatenate(model.predict(X, method="exact"))
    np.testing.assert_array_equal(decided, exact >= 0.5)


def test_accuracy():
    X = rounds()
    model = trained()
    means, v = np.concatenate(model.predict_proba(X, method="exact")), np.concatenate(X)
    found, missed, wrong = (v * means).sum(), (v * (1 - means)).sum(), ((1 - v) * means).sum()
    expected = found / (found + missed + wrong)
    assert model.accuracy(X, method="exact") == pytest.approx(expected)
    both = (means >= 0.5) * v
    either = np.maximum(means >= 0.5, v)
    found = model.accuracy(X, method="exact", threshold=0.5)
    assert found == pytest.approx(both.sum() / either.sum())
    assert 0.5 < model.accuracy(X) < 1
    silent = [np.zeros((3, F))]
    assert model.accuracy(silent, threshold=2.0, method="exact") == 1.0


def test_samples_are_as_frequent_as_they_are_probable():
    model, n = trained(), 20_000
    drawn = model.sample(2, n, n_gibbs=60, random_state=0)
    assert drawn.shape == (n, 2, F)
    pairs = np.array(list(itertools.product(STATES, repeat=2)))
    expected = np.exp(2 * model.score_samples(pairs, method="exact"))
    found = np.bincount(places_of(drawn[:, 0]) * 16 + places_of(drawn[:, 1]), minlength=256) / n
    np.testing.assert_allclose(found, expected, atol=0.012)
    first = rounds()[0][:3]
    after = model.sample(1, n, first, n_gibbs=60, random_state=0)[:, 0]
    expected = probabilities(model, np.concatenate([first, first[:1]]))[-1]
    found = np.bincount(places_of(after), minlength=16) / n
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_samples_follow_from_the_seed():
    model = trained()
    one = model.sample(5, 2, random_state=3)
    np.testing.assert_array_equal(one, model.sample(5, 2, random_state=3))
    assert np.any(one != model.sample(5, 2, random_state=4))
    assert set(np.unique(one)) <= {0.0, 1.0}
    for wrong, message in [
        (dict(n_steps=0), "n_steps must be at least 1"),
        (dict(n_steps=2.5), "n_steps must be an integer"),
        (dict(n_steps=1, n_sequences=0), "n_sequences must be at least 1"),
        (dict(n_steps=1, n_gibbs=0), "n_gibbs must be at least 1"),
        (dict(n_steps=1, prompt=[[0, 1]]), r"prompt must be an array of numbers of shape \(T, 4"),
        (dict(n_steps=1, prompt=[[0, 1, 0, 0.5]]), "prompt must hold 0 and 1 alone, got 0.5"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            model.sample(**wrong)


def test_forms_of_x():
    dense = np.stack([x[:3] for x in rounds()])
    expected, features = None, None
    for name, X in {
        "array": dense,
        "bool": dense.astype(bool),
        "integers": dense.astype(np.int8),
        "rows": dense.reshape(len(dense), -1),
        "frame": pd.DataFrame(dense.reshape(len(dense), -1)).add_prefix("x"),
        "list": list(dense),
        "Sequences": rnnkit.Sequences.from_list(list(dense)),
    }.items():
        model = small(step_features=F).fit(X)
        scores = model.score_samples(X)
        found = model.transform(X)
        if name in ("rows", "frame"):
            assert found.shape == (len(dense), 3 * M)
        if name == "Sequences":
            assert isinstance(found, rnnkit.Sequences)
            found = found.to_list()
        found = np.asarray(found).reshape(len(dense), 3, M)
        expected = scores if expected is None else expected
        features = found if features is None else features
        np.testing.assert_array_equal(scores, expected, err_msg=name)
        np.testing.assert_array_equal(found, features, err_msg=name)
    per_step = small().fit(dense).score_samples(dense, per_step=True)
    assert per_step.shape == (len(dense), 3)
    assert small().fit(dense).predict_proba(dense).shape == dense.shape


def test_padded_ones_are_read_to_their_lengths():
    X = rounds()
    padded, lengths = rnnkit.Sequences.from_list(X).to_padded(fill=7)
    one, other = small().fit(X), small().fit(padded, lengths=lengths)
    np.testing.assert_array_equal(
        other.score_samples(padded, lengths=lengths), one.score_samples(X)
    )
    steps = other.score_samples(padded, lengths=lengths, per_step=True)
    assert np.all(steps[np.arange(padded.shape[1]) >= lengths[:, None]] == 0)
    features = small().fit_transform(padded, lengths=lengths)
    for of_sequence, n, expected in zip(features, lengths, one.transform(X)):
        np.testing.assert_array_equal(of_sequence[:n], expected)
    assert other.accuracy(padded, lengths) == one.accuracy(X)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_bits_for_any_number_of_threads_and_any_neighbours(cell, dtype, n_threads_limit):
    X = rounds(120, dtype=dtype, most=20)

    def answers():
        model = small(
            cell=cell, hidden_size=40, n_components=30, n_layers=2, dropout=0.2, input_dropout=0.1
        ).fit(X)
        return model, model.score_samples(X), model.score_samples(X, method="ais", n_chains=3)

    with n_threads_limit(1):
        _, scores, annealed = answers()
    with n_threads_limit(4):
        model, other_scores, other_annealed = answers()
    np.testing.assert_array_equal(other_scores, scores)
    np.testing.assert_array_equal(other_annealed, annealed)
    expected = model.predict_proba(X, n_chains=2, n_gibbs=3)
    features, states = model.transform(X), model.hidden_states(X)
    for i in range(0, 120, 17):
        alone = X[i : i + 1]
        assert model.score_samples(alone)[0] == scores[i]
        assert model.score_samples(alone, method="ais", n_chains=3)[0] == annealed[i]
        found = model.predict_proba(alone, n_chains=2, n_gibbs=3)[0]
        np.testing.assert_array_equal(found, expected[i])
        np.testing.assert_array_equal(model.transform(alone)[0], features[i])
        np.testing.assert_array_equal(model.hidden_states(alone)[0], states[i])
    with sklearn.config_context(working_memory=0.05):
        np.testing.assert_array_equal(model.score_samples(X), scores)


@pytest.mark.parametrize("phase", ["gibbs", "exact"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_reference_agrees(cell, phase):
    X = rounds()
    settings = dict(cell=cell, negative_phase=phase, max_iter=2)
    one, other = small(**settings).fit(X), small(device="reference", **settings).fit(X)
    assert_close(other.score_samples(X), one.score_samples(X), "f8", 10**6)
    assert_close(other.weights_["rbm.weight"], one.weights_["rbm.weight"], "f8", 10**6)
    np.testing.assert_allclose(
        other.score_samples(X, method="ais"), one.score_samples(X, method="ais"), atol=1e-6
    )


def test_weights_count_like_repetitions():
    X = rounds(12)
    weights = np.arange(12) % 3
    repeated = [x for x, w in zip(X, weights) for _ in range(w)]
    settings = dict(shuffle=False, negative_phase="exact", batch_size=100, max_iter=5)
    one = small(**settings).fit(X, sample_weight=weights)
    other = small(**settings).fit(repeated)
    # All but where the log-odds of a unit that is always the same would begin.
    assert_close(one.score_samples(X), other.score_samples(X), "f8", 10**6)
    assert one.score(X, sample_weight=weights) == pytest.approx(other.score(repeated), rel=1e-9)
    with pytest.raises(ValueError, match="sample_weight must hold one weight per sequence"):
        small().fit(X, sample_weight=[np.ones(len(x)) for x in X])


@pytest.mark.parametrize("validation", ["early_stopping", "time", "X_val", "tuple"])
def test_validation(validation):
    X, others = rounds(), rounds(10, seed=1)
    call = {"X_val": {"X_val": others}, "tuple": {"validation_data": (others, None)}}
    stopping = validation in ("early_stopping", "time")
    split = "time" if validation == "time" else "random"
    model = small(early_stopping=stopping, validation_split=split)
    model.fit(X, **call.get(validation, {}))
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    np.testing.assert_allclose(model.validation_scores_, -np.array(model.validation_loss_curve_))
    if not stopping:
        assert model.best_validation_score_ == pytest.approx(model.score(others), rel=1e-6)


def test_truncated_backpropagation_learns_too():
    X = rounds(40, most=20)
    whole = small(max_iter=2).fit(X)
    cut = small(max_iter=2, bptt_steps=4).fit(X)
    assert cut.score(X) != whole.score(X)
    assert small(max_iter=60, bptt_steps=3).fit(X).score(X) > whole.score(X)


def test_going_on():
    X = rounds()
    model = small(warm_start=True).fit(X)
    before = model.score(X)
    model.fit(X)
    assert len(model.loss_curve_) == 8
    assert model.score(X) != before
    part = small().partial_fit(X)
    part.partial_fit(X[:20])
    assert len(part.loss_curve_) == 2
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(
        again.partial_fit(X).score_samples(X), part.partial_fit(X).score_samples(X)
    )
    for changed in (dict(n_components=5), dict(cell="gru")):
        with pytest.raises(ValueError, match=f"{next(iter(changed))}="):
            clone(model).fit(X).set_params(**changed).fit(X)
    assert model.set_params(n_gibbs=2).fit(X).network_.output.n_gibbs == 2


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_files_pickles_and_clones(cell, dtype, tmp_path):
    X = rounds(dtype=dtype)
    model = small(cell=cell, n_layers=2, n_gibbs=2).fit(X)
    path = tmp_path / "model.rnnkit"
    rnnkit.save(model, path)
    for other in (rnnkit.load(path), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.score_samples(X), model.score_samples(X))
        np.testing.assert_array_equal(other.transform(X)[0], model.transform(X)[0])
        np.testing.assert_array_equal(
            other.sample(4, random_state=0), model.sample(4, random_state=0)
        )
        assert other.get_params() == model.get_params()
    assert clone(model).get_params() == model.get_params()


def test_a_file_carries_what_partial_fit_goes_on_from(tmp_path):
    X = rounds()
    model = small().partial_fit(X)
    rnnkit.save(model, tmp_path / "model.rnnkit", include_training_state=True)
    other = rnnkit.load(tmp_path / "model.rnnkit")
    np.testing.assert_array_equal(
        other.partial_fit(X).score_samples(X), model.partial_fit(X).score_samples(X)
    )


def test_in_pipelines_and_searches():
    X = rounds()
    noisy = [x + np.random.RandomState(0).uniform(-0.4, 0.4, x.shape) for x in X]
    pipeline = make_pipeline(SequenceScaler(Binarizer(threshold=0.5)), small()).fit(noisy)
    np.testing.assert_array_equal(pipeline.score(noisy), small().fit(X).score(X))
    search = GridSearchCV(small(), {"cell": ["rnn", "gru"], "n_components": [1, 3]}, cv=3).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_states_are_those_after_a_step():
    X = rounds()
    model = trained()
    p = model.weights_
    states, scores = model.hidden_states(X), []
    for x, of_steps in zip(X, states):
        before = np.concatenate([np.zeros((1, 6)), of_steps[:-1]])
        scores.append(before @ p["head.weight"].T + p["head.bias"])
        u = np.tanh(p["rnn.weight_ih_l0"] @ x[0] + p["rnn.bias_l0"])
        assert_close(of_steps[0], u, "f8", 100)
    means = [1 / (1 + np.exp(-(x @ p["rbm.weight"].T + s[:, F:]))) for x, s in zip(X, scores)]
    assert_close(np.concatenate(model.transform(X)), np.concatenate(means), "f8", 1000)
    assert set(model.gate_activations(X)) == {"a"}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score_samples", "transform", "predict"])
@pytest.mark.parametrize("wrong", [0.5, -1.0, 2.0])
def test_numbers_other_than_0_and_1_are_refused(method, wrong):
    X = rounds()
    X[3] = X[3].copy()
    X[3][1, 2] = wrong
    model = small() if "fit" in method else trained()
    with pytest.raises(ValueError, match=f"X must hold 0 and 1 alone, got {wrong:g}"):
        getattr(model, method)(X)
    if "fit" in method:
        assert not hasattr(model, "network_")


def test_what_it_does_not_do_is_refused_by_name(tmp_path):
    X = rounds()
    model = small().fit(X)
    with pytest.raises(ValueError, match=r"RecurrentRBM has no stream: .* use sample"):
        model.stream()
    for export in (rnnkit.to_onnx, pytorch.to_state_dict):
        with pytest.raises(ValueError, match="takes no Boltzmann machine, got RecurrentRBM"):
            export(model)
    for unknown in (dict(bidirectional=True), dict(embedding_dim=3), dict(peephole=True)):
        with pytest.raises(TypeError, match=next(iter(unknown))):
            RecurrentRBM(**unknown)
    for wrong, message in [
        (dict(cell="elman"), "'cell' parameter of RecurrentRBM must be a str among"),
        (dict(n_components=0), "'n_components' parameter"),
        (dict(n_gibbs=0), "'n_gibbs' parameter"),
        (dict(negative_phase="mean field"), "'negative_phase' parameter"),
    ]:
        with pytest.raises(ValueError, match=message):
            small(**wrong).fit(X)
    for call in (model.score_samples, model.score):
        with pytest.raises(ValueError, match="method must be 'pseudo', 'exact' or 'ais', got 'x'"):
            call(X, method="x")
        with pytest.raises(ValueError, match="n_chains must be at least 1"):
            call(X, method="ais", n_chains=0)
    with pytest.raises(ValueError, match="method must be 'gibbs' or 'exact', got 'ais'"):
        model.predict_proba(X, method="ais")
    for call in (model.predict, model.accuracy):
        with pytest.raises(TypeError, match=r"options must be .*, got 'n_temperatures'"):
            call(X, n_temperatures=3)


def test_too_many_states_are_refused():
    X = [np.eye(20)[:5]] * 8
    with pytest.raises(ValueError, match="at most 14 features or n_components, got 20 and 15"):
        RecurrentRBM(4, n_components=15, negative_phase="exact", max_iter=1).fit(X)
    model = RecurrentRBM(4, n_components=15, max_iter=1).fit(X)
    for call in (model.score_samples, model.score, model.predict_proba, model.accuracy):
        with pytest.raises(ValueError, match="method='exact' needs at most 14 features"):
            call(X, method="exact")


def test_draws_follow_from_the_sequence():
    x = rounds()[0]
    one, same = generator_for(0, x).random(4), generator_for(0, x.astype("f4")).random(4)
    np.testing.assert_array_equal(one, same)
    assert np.all(one != generator_for(1, x).random(4))
    assert np.all(one != generator_for(0, 1 - x).random(4))
    assert np.all(one != generator_for(0, x.reshape(-1, 2)).random(4))


@pytest.mark.parametrize("widths", [(), (5, 3)])
def test_widths_of_layers_and_no_recurrent_layer_at_all(widths, tmp_path):
    X = rounds()
    model = small(hidden_size=widths, negative_phase="exact", max_iter=60).fit(X)
    assert model.score(X, method="exact") > -1.6
    assert model.sample(3, 2, X[0], random_state=0).shape == (2, 3, F)
    if not widths:  # the machine of a step follows from the step before it
        p = model.weights_
        before = np.concatenate([np.zeros((1, F)), X[0][:-1]])
        c = (before @ p["head.weight"].T + p["head.bias"])[:, F:]
        means = 1 / (1 + np.exp(-(X[0] @ p["rbm.weight"].T + c)))
        assert_close(model.transform(X)[0], means, "f8", 1000)
    rnnkit.save(model, tmp_path / "model.rnnkit")
    other = rnnkit.load(tmp_path / "model.rnnkit")
    np.testing.assert_array_equal(other.score_samples(X), model.score_samples(X))
