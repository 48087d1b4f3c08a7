"""A transformed y: what the regressor learns, and answers in the unit of y in every form."""

import pickle

import numpy as np
import pytest
import sklearn
from estimators.problems import CELLS
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler
from tolerances import assert_close

import rnnkit
from rnnkit import Sequences, TransformedTargetSequenceRegressor
from rnnkit.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.RandomState(0)
LENGTHS = RNG.randint(3, 9, 20)
X = [RNG.randn(n, 2) for n in LENGTHS]
Y = [np.exp(x.sum(axis=1)) for x in X]
PADDED, _ = Sequences.from_list(X).to_padded()
Y_PADDED = Sequences.from_list(Y).to_padded(fill=1e6)[0][:, :, 0]
LOG = dict(func=np.log, inverse_func=np.exp)


def inner(cell="GRU", **parameters):
    kind = getattr(rnnkit, f"{cell}SequenceRegressor")
    return kind(4, max_iter=5, random_state=0, **parameters)


def flat(y):
    return np.concatenate([np.asarray(steps) for steps in y])


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_the_regressor_of_the_transformed_y(cell):
    model = TransformedTargetSequenceRegressor(inner(cell), **LOG).fit(X, Y)
    plain = inner(cell).fit(X, [np.log(y) for y in Y])
    np.testing.assert_array_equal(flat(model.predict(X)), np.exp(flat(plain.predict(X))))
    assert model.n_features_in_ == 2
    expected = r2_score(flat(Y), flat(model.predict(X)))
    assert model.score(X, Y) == expected


@pytest.mark.parametrize(
    "transformer",
    [StandardScaler(), PowerTransformer(), QuantileTransformer(n_quantiles=5), PCA(2)],
)
def test_transformers_see_the_steps_as_rows(transformer):
    y = [np.stack([steps, steps**2 + x[:, 0]], axis=1) for steps, x in zip(Y, X)]
    model = TransformedTargetSequenceRegressor(inner(), transformer=transformer).fit(X, y)
    fitted = clone(transformer).fit(flat(y))
    plain = inner().fit(X, [fitted.transform(steps) for steps in y])
    expected = fitted.inverse_transform(flat(plain.predict(X)))
    np.testing.assert_array_equal(flat(model.predict(X)), expected)
    assert not hasattr(transformer, "n_features_in_")


def forms():
    objects = np.empty(len(Y), dtype=object)
    objects[:] = Y
    yield "lists", X, [steps.tolist() for steps in Y], None
    yield "objects", X, objects, None
    yield "Sequences", Sequences.from_list(X), Sequences.from_list(Y), None
    yield "padded", PADDED, Y_PADDED, LENGTHS
    yield "padded vectors", PADDED, Y_PADDED[:, :, None], LENGTHS
    yield "padded X alone", PADDED, Y, LENGTHS


FORMS = {name: form for name, *form in forms()}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_answers(name):
    x, y, lengths = FORMS[name]
    expected = TransformedTargetSequenceRegressor(inner(), transformer=StandardScaler()).fit(X, Y)
    model = clone(expected).fit(x, y, lengths=lengths)
    predictions = model.predict(x, lengths=lengths)
    if lengths is not None:
        assert predictions.shape == np.shape(y) if name != "padded X alone" else PADDED.shape[:2]
        beyond = np.arange(PADDED.shape[1]) >= LENGTHS[:, None]
        assert not predictions[beyond].any()
        predictions = predictions[~beyond]
    else:
        predictions = flat(predictions)
    assert np.array_equal(predictions.ravel(), flat(expected.predict(X)))
    assert model.score(x, y, lengths=lengths) == expected.score(X, Y)


def test_weights_of_steps_and_sequences():
    per_step = [np.linspace(0.5, 2, n) for n in LENGTHS]
    for weights, flat_weights in (
        (per_step, flat(per_step)),
        (np.arange(1.0, 21), np.repeat(np.arange(1.0, 21), LENGTHS)),
    ):
        model = TransformedTargetSequenceRegressor(inner(), **LOG)
        model.fit(X, Y, sample_weight=weights)
        plain = inner().fit(X, [np.log(y) for y in Y], sample_weight=weights)
        predictions = flat(model.predict(X))
        np.testing.assert_array_equal(predictions, np.exp(flat(plain.predict(X))))
        expected = r2_score(flat(Y), predictions, sample_weight=flat_weights)
        assert_close(model.score(X, Y, sample_weight=weights), expected, np.float64)


@pytest.mark.parametrize("given", ["validation_data", "X_val, y_val", "a pipeline's step"])
def test_targets_that_decide_when_to_stop_are_transformed(given):
    x, y = X[:5], Y[:5]
    regressor, call = inner(), {"validation_data": (x, y)}
    if given == "X_val, y_val":
        call = {"X_val": x, "y_val": y}
    if given == "a pipeline's step":
        regressor = make_pipeline("passthrough", regressor)
        call = {"grusequenceregressor__validation_data": (x, y)}
    model = TransformedTargetSequenceRegressor(regressor, **LOG).fit(X, Y, **call)
    plain = inner().fit(X, [np.log(s) for s in Y], validation_data=(x, [np.log(s) for s in y]))
    fitted = model.regressor_[-1] if given == "a pipeline's step" else model.regressor_
    assert fitted.validation_loss_curve_ == plain.validation_loss_curve_


def test_searches_pipelines_clones_and_pickles():
    pipeline = make_pipeline(SequenceScaler(), inner())
    model = TransformedTargetSequenceRegressor(pipeline, transformer=PowerTransformer())
    grid = {
        "regressor__grusequenceregressor__hidden_size": [2, 3],
        "transformer": [StandardScaler(), PowerTransformer()],
        "transformer__copy": [True],
    }
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(cross_val_score(model, Sequences.from_list(X), Y, cv=3)) == 3
    fitted = clone(model).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(flat(again.predict(X)), flat(fitted.predict(X)))
    assert clone(fitted).get_params().keys() == model.get_params().keys()


def test_metadata_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        regressor = inner().set_fit_request(sample_weight=True, lengths=True)
        regressor.set_predict_request(lengths=True)
        model = TransformedTargetSequenceRegressor(regressor, **LOG)
        model.fit(PADDED, Y_PADDED, lengths=LENGTHS, sample_weight=np.arange(1.0, 21))
        predictions = model.predict(PADDED, lengths=LENGTHS)
    expected = TransformedTargetSequenceRegressor(inner(), **LOG)
    expected.fit(PADDED, Y_PADDED, lengths=LENGTHS, sample_weight=np.arange(1.0, 21))
    np.testing.assert_array_equal(predictions, expected.predict(PADDED, lengths=LENGTHS))


def test_a_forecast_feeds_back_what_was_transformed_back():
    wave = np.exp(np.sin(np.arange(120) / 5)).reshape(4, 30)
    model = TransformedTargetSequenceRegressor(inner(learning_rate_init=0.05), **LOG)
    model.fit(wave[:, :-1], wave[:, 1:])
    expected, seen = [], wave
    for _ in range(4):
        expected.append(model.predict(seen)[:, -1:] if seen.shape[1] == 30 else None)
        if expected[-1] is None:
            expected[-1] = np.stack([p[-1:] for p in model.predict(list(seen[:, :, None]))])
        seen = np.hstack([seen, expected[-1]])
    assert_close(model.forecast(wave, 4), np.hstack(expected), np.float64, 1000)
    assert not hasattr(TransformedTargetSequenceRegressor(make_pipeline(inner())), "forecast")


def test_float32_stays():
    x, y = [a.astype(np.float32) for a in X], [a.astype(np.float32) for a in Y]
    for options in (LOG, {"transformer": PowerTransformer()}):
        model = TransformedTargetSequenceRegressor(inner(), **options).fit(x, y)
        assert model.predict(x)[0].dtype == np.float32


def test_without_a_transformer_nothing_changes():
    model = TransformedTargetSequenceRegressor(inner()).fit(X, Y)
    np.testing.assert_array_equal(flat(model.predict(X)), flat(inner().fit(X, Y).predict(X)))


@pytest.mark.parametrize(
    "parameters, y, message",
    [
        ({"func": np.log}, Y, "func and inverse_func must be given together"),
        ({"transformer": PCA(1), **LOG}, Y, "transformer must be None beside func"),
        ({"transformer": rnnkit.preprocessing.Padder()}, Y, "must have inverse_transform|Padder"),
        ({}, None, "requires y to be passed"),
        ({}, np.ones(20), "one target per step"),
        ({}, ["ab"] * 20, "got the string 'ab'"),
        ({}, [["a"] * n for n in LENGTHS], "must hold numbers"),
        ({}, [np.full(n, np.nan) for n in LENGTHS], "holds no target"),
        ({}, Y[:-1], "inconsistent numbers|samples"),
        ({}, [y[:-1] for y in Y], "steps but"),
    ],
)
def test_what_cannot_be_transformed_is_refused(parameters, y, message):
    model = TransformedTargetSequenceRegressor(inner(), **parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y)
    assert not hasattr(model, "regressor_")


def test_an_inverse_that_does_not_lead_back_is_told():
    model = TransformedTargetSequenceRegressor(inner(), func=np.log, inverse_func=np.cos)
    with pytest.warns(UserWarning, match="does not lead back"):
        model.fit(X, Y)
    model.set_params(check_inverse=False).fit(X, Y)


def test_it_works_beside_scikit_learns_own_for_one_target_per_sequence():
    """That one takes the steps of a dense y for outputs and refuses a ragged y."""
    from sklearn.compose import TransformedTargetRegressor

    own = TransformedTargetRegressor(rnnkit.GRURegressor(4, max_iter=5, random_state=0), **LOG)
    y = np.exp([x.sum() for x in X])
    plain = rnnkit.GRURegressor(4, max_iter=5, random_state=0).fit(X, np.log(y))
    np.testing.assert_array_equal(own.fit(X, y).predict(X), np.exp(plain.predict(X)))
    with pytest.raises(ValueError):
        TransformedTargetRegressor(inner(), **LOG).fit(X, Y)
