"""Estimators with convolutions: refused by one sentence where they do not fit, searched, saved."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import rnnkit
from rnnkit import Convolution
from rnnkit.backends import get_backend
from rnnkit.network import SoftmaxCrossEntropy, build_network
from rnnkit.persistence import keras, pytorch
from rnnkit.training import Trainer
from rnnkit.training.communicator import Alone

RNG = np.random.RandomState(0)
X = [RNG.randn(length, 2) for length in (3, 5, 1, 9, 4, 7, 2, 6)]
Y = np.arange(8) % 2
STEPS = [(x[:, 0] > 0).astype(int) for x in X]
CAUSAL, CENTRED, SHORTENING = (
    [Convolution(3, 2, causal=True)],
    [Convolution(3, 3)],
    [Convolution(3, 3, 2)],
)

NORMED = [Convolution(3, 2, causal=True, batch_norm=True)]


def classifier(**parameters):
    return rnnkit.LSTMClassifier(3, **{"max_iter": 2, "random_state": 0, **parameters})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"convolutions": [3]}, "'convolutions' .* None or a list of rnnkit.Convolution"),
        ({"convolutions": CAUSAL[0]}, "'convolutions' parameter of LSTMClassifier must be"),
        ({"convolution_join": "parallel"}, "'convolution_join' .* 'before' without convolutions"),
        ({"convolutions": CAUSAL, "static": "state"}, "'convolutions' .* with static='state'"),
        ({"convolutions": NORMED, "solver": "lbfgs"}, "'convolutions' .* batch_norm=False with"),
        ({"convolutions": CENTRED, "bptt_steps": 2}, "'convolutions' .* with bptt_steps"),
    ],
)
def test_what_does_not_fit_is_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        classifier(**parameters).fit(X, Y)


@pytest.mark.parametrize("task", ["SequenceTagger", "Autoencoder", "EncoderDecoder"])
def test_who_needs_every_step_refuses_to_lose_some(task):
    estimator = getattr(rnnkit, f"GRU{task}")(3, convolutions=SHORTENING, max_iter=1)
    with pytest.raises(ValueError, match="stride=1 and pooling=None where every step"):
        estimator.fit(X, STEPS)


@pytest.mark.parametrize("task", ["LanguageModel", "Forecaster"])
def test_who_takes_none_has_no_such_parameter(task):
    with pytest.raises(TypeError, match="convolutions"):
        getattr(rnnkit, f"LSTM{task}")(convolutions=CAUSAL)


def test_other_libraries_layouts_refuse_by_name():
    fitted = classifier(convolutions=CAUSAL).fit(X, Y)
    for write in (keras.to_weights, pytorch.to_state_dict):
        with pytest.raises(ValueError, match="no convolutions"):
            write(fitted)


@pytest.mark.parametrize("join", ["before", "parallel"])
@pytest.mark.parametrize("shapes", [CAUSAL, SHORTENING, NORMED])
def test_saved_and_loaded(join, shapes, tmp_path):
    fitted = classifier(convolutions=shapes, convolution_join=join).fit(X, Y)
    rnnkit.save(fitted, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert loaded.convolutions == shapes
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("join", ["before", "parallel"])
def test_a_search_over_lists(join):
    grid = {"convolutions": [CENTRED, SHORTENING]}
    search = GridSearchCV(classifier(convolution_join=join, convolutions=CENTRED), grid, cv=2)
    assert search.fit(X, Y).best_params_["convolutions"] in (CENTRED, SHORTENING)


@pytest.mark.parametrize("causal", [CAUSAL, NORMED])
def test_a_stream_takes_causal_ones_and_refuses_others_by_name(causal):
    fitted = classifier(convolutions=causal).fit(X, Y)
    stream = fitted.stream()
    for x in X[3]:
        stream.step(x)
    np.testing.assert_array_equal(stream.predict_proba(), fitted.predict_proba(X)[3])
    for shapes in (CENTRED, SHORTENING):
        with pytest.raises(ValueError, match="convolutions of causal=True"):
            classifier(convolutions=shapes).fit(X, Y).stream()


@pytest.mark.parametrize("join", ["before", "parallel"])
def test_batch_normalization_goes_on_and_predicts_alone(join):
    model = classifier(convolutions=NORMED, convolution_join=join, batch_size=3)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1])
    again = pickle.loads(pickle.dumps(clone(model).fit(X, Y)))
    for fitted in (model, again):
        assert (fitted.network_.parameters["convolution.share_l0"] < 1).all()
        together = fitted.predict_proba(X)
        for x, row in zip(X, together):
            np.testing.assert_array_equal(fitted.predict_proba([x])[0], row)
    refitted = clone(model).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(refitted, together)


def test_batch_normalization_and_other_ranks():
    network = build_network(
        "lstm", 2, SoftmaxCrossEntropy(2), per_step=False, hidden_size=2, convolutions=NORMED
    )
    for how in ({"solver": "lbfgs"}, {"communicator": Alone()}):
        with pytest.raises(ValueError, match="batch normalization learns from minibatches on one"):
            Trainer(network, get_backend("cpu"), **how)


def test_states_of_recurrence_behind_convolutions():
    features = rnnkit.RecurrentFeatures(classifier(convolutions=SHORTENING), pooling="mean")
    assert features.fit(X, Y).transform(X).shape == (8, 3)
    regressor = rnnkit.LSTMSequenceRegressor(3, convolutions=CAUSAL, max_iter=2)
    series = [np.sin(np.arange(9.0 + i))[:, None] for i in range(4)]
    regressor.fit(series, series)
    assert np.shape(regressor.forecast(series, 3)) == (4, 3, 1)
