"""Pipelines that forecast and stream: what goes on goes through the transformers, or is refused."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import rnnkit
from rnnkit import SequencePipeline, Sequences, TransformedTargetSequenceRegressor
from rnnkit.preprocessing import Difference, Fold, SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of networks hardly trained

WAVE = 100 + 20 * np.sin(np.arange(200) / 5).reshape(4, 50, 1)
X, Y = WAVE[:, :-1], WAVE[:, 1:, 0]


def regressor(cell="GRU", **parameters):
    settings = {"learning_rate_init": 0.02, "max_iter": 5, "random_state": 0, "tol": 0.0}
    return getattr(rnnkit, f"{cell}SequenceRegressor")(6, **{**settings, **parameters})


def pipeline(last=None, *before):
    steps = before or (SequenceScaler(),)
    return SequencePipeline(
        [(f"step{i}", step) for i, step in enumerate((*steps, last or regressor()))]
    )


def by_hand(fitted, x, n_steps):
    """Forecast by predicting the whole sequence again after every step."""
    x = np.asarray(x)
    for _ in range(n_steps):
        following = np.asarray(fitted.predict(x[np.newaxis])[0]).reshape(-1, 1)[-1:]
        x = np.concatenate([x, following])
    return x[-n_steps:, 0]


FORMS = {
    "array": X,
    "list": list(X),
    "ragged": [x[: 20 + 5 * i] for i, x in enumerate(X)],
    "Sequences": Sequences.from_list([x[: 20 + 5 * i] for i, x in enumerate(X)]),
    "float32": X.astype(np.float32),
}


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("form", FORMS)
def test_outputs_go_through_the_transformers(cell, form):
    given = FORMS[form]
    y = [np.asarray(x)[:, 0] for x in given]
    fitted = pipeline(regressor(cell)).fit(given, y)
    found = fitted.forecast(given, 4)
    assert found.shape == (4, 4)
    assert found.dtype == (np.float32 if form == "float32" else np.float64)
    for x, forecast in zip(given, found):
        rtol = 1e-4 if form == "float32" else 1e-9
        assert np.allclose(forecast, by_hand(fitted, x, 4), rtol=rtol)
    logarithms = pipeline(regressor(cell), FunctionTransformer(np.log)).fit(X, Y)
    assert np.allclose(logarithms.forecast(X, 3)[0], by_hand(logarithms, X[0], 3))
    # Without the scaler in the loop it is another one.
    inner = fitted[-1].forecast(fitted[:-1].transform(given), 4)
    assert np.allclose(inner[:, 0], found[:, 0])
    assert not np.allclose(inner[:, 1], found[:, 1])


def test_it_is_a_pipeline():
    model = pipeline()
    assert isinstance(model, Pipeline)
    with pytest.raises(NotFittedError):
        model.forecast(X, 2)
    plain = make_pipeline(SequenceScaler(), regressor()).fit(X, Y)
    assert np.array_equal(clone(model).fit(X, Y).predict(X), plain.predict(X))
    model.set_params(step1__hidden_size=3).fit(X, Y)
    assert model[-1].hidden_size == 3
    assert not hasattr(pipeline(rnnkit.GRUClassifier()), "forecast")
    assert not hasattr(pipeline(StandardScaler()), "stream")
    alone = SequencePipeline([("regressor", regressor())]).fit(X, Y)
    assert np.array_equal(alone.forecast(X, 3), alone[-1].forecast(X, 3))
    assert np.array_equal(alone.stream().step(X[0, 0]), alone[-1].stream().step(X[0, 0]))


def test_lengths_and_outer_transformations():
    fitted = pipeline().fit(X, Y)
    short = fitted.forecast(X, 3, lengths=[30, 49, 20, 10])
    assert np.allclose(short[0], fitted.forecast(X[:1, :30], 3)[0])
    outer = TransformedTargetSequenceRegressor(pipeline(), func=np.log, inverse_func=np.exp)
    outer.fit(X, Y)
    assert np.allclose(outer.forecast(X[:1], 3)[0], by_hand(outer, X[0], 3))


def test_a_score_is_given_what_predict_is():
    lengths, last = [30, 49, 20, 10], regressor()
    rest = {"lengths": lengths, "sample_weight": [1, 2, 3, 0]}
    for model in (SequencePipeline([("r", last)]), pipeline(last)):
        model.fit(X, Y)
        cut = [x[:n] for x, n in zip(X, lengths)], [y[:n] for y, n in zip(Y, lengths)]
        assert model.score(X, Y, **rest) == pytest.approx(model.score(*cut, [1, 2, 3, 0]))
        assert model.score(X, Y, lengths=lengths) == pytest.approx(model.score(*cut))
        with pytest.raises(TypeError, match="unknown"):
            model.score(X, Y, unknown=1)


def test_saved(tmp_path):
    fitted = pipeline().fit(X, Y)
    rnnkit.save(fitted, tmp_path / "p.safetensors")
    again = rnnkit.load(tmp_path / "p.safetensors")
    assert type(again) is SequencePipeline
    assert np.array_equal(again.forecast(X, 3), fitted.forecast(X, 3))


@pytest.mark.parametrize("last", [regressor(), rnnkit.LSTMClassifier(4, max_iter=2)])
def test_stream_answers_as_predict_does(last):
    y = Y if hasattr(last, "forecast") else np.arange(4) % 2
    fitted = pipeline(last).fit(X, y)
    stream = fitted.stream()
    for _ in range(2):
        answers = [stream.step(x) for x in X[1]]
        whole = fitted.predict(X[1:2])[0]
        assert np.allclose(answers[-1], np.ravel(whole)[-1])
        if last is not y and hasattr(last, "predict_proba"):
            assert np.allclose(stream.predict_proba(), fitted.predict_proba(X[1:2])[0])
        stream.reset()
    stream.step(X[0, 0])
    kept = stream.state
    first = stream.step(X[0, 1])
    stream.step(X[0, 2])
    stream.state = kept
    assert np.array_equal(stream.step(X[0, 1]), first)


@pytest.mark.parametrize(
    "step", [Difference(1), Fold(2), FunctionTransformer(lambda x: np.cumsum(x, axis=1))]
)
def test_what_looks_back_is_refused(step):
    fitted = pipeline(None, step)
    made = step.fit(X).transform(X)
    fitted.fit(X, [np.asarray(x)[:, 0] for x in made])
    with pytest.raises(ValueError, match=type(step).__name__):
        fitted.forecast(X, 3)
    stream = fitted.stream()
    with pytest.raises(ValueError, match=type(step).__name__):
        [stream.step(x) for x in X[0, :2]]


def test_refused():
    rows = make_pipeline(StandardScaler(), regressor()).fit(X[:, :, 0], Y)
    with pytest.raises(ValueError, match="must hold sequences where a pipeline forecasts"):
        SequencePipeline(rows.steps).forecast(X[:, :, 0], 2)
    with pytest.raises(ValueError, match="must be one step"):
        pipeline().fit(X, Y).stream().step(np.ones((2, 1)))
    with pytest.raises(ValueError, match="n_steps"):
        pipeline().fit(X, Y).forecast(X, 0)
