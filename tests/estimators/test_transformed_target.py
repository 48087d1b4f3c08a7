"""A transformed y: what the regressor learns, and answers in the unit of y in every form."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from estimators.problems import CELLS
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
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


@pytest.mark.parametrize("y", [Y, Y_PADDED, Sequences.from_list(Y)], ids=["list", "dense", "own"])
def test_weights_beside_a_dense_X_are_as_dense_as_it(y):
    weights = np.linspace(0.5, 2, PADDED[:, :, 0].size).reshape(PADDED.shape[:2])
    model = TransformedTargetSequenceRegressor(inner(), **LOG)
    model.fit(PADDED, y, lengths=LENGTHS, sample_weight=weights)
    per_step = [w[:n] for w, n in zip(weights, LENGTHS)]
    expected = model.score(X, Y, sample_weight=per_step)
    assert model.score(PADDED, y, weights, lengths=LENGTHS) == expected


def test_a_score_needs_targets():
    model = TransformedTargetSequenceRegressor(inner(), **LOG).fit(X, Y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.score(X, None)


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


def flaw(y, place):
    """Return a copy with one unknown target."""
    y = np.array(y, dtype=np.float64)
    y[place] = np.nan
    return y


DENSE = np.random.RandomState(1).randn(12, 6, 2)
TWO = np.stack([DENSE.sum(axis=2), DENSE[:, :, 0] ** 2], axis=2)
ENDED = DENSE.copy()
ENDED[::2, 4:] = np.nan
BEYOND = TWO.copy()
BEYOND[::2, 4:] = 1e6
LOST = [None if i == 3 else float("nan") if i == 5 else list(y) for i, y in enumerate(TWO[:, :, 0])]
PAIRS = [[y, np.full(6, np.nan)][i == 3] if i != 5 else None for i, y in enumerate(TWO)]
NULLABLE = [pd.array([1, None, 3, 2, 5, 8], "Int64") for _ in DENSE]
AS_INNER = {
    "plain": (DENSE, TWO[:, :, 0], {}),
    "one of two unknown": (DENSE, flaw(TWO, (3, 2, 1)), {}),
    "steps unknown": (DENSE, flaw(TWO, (3, slice(2, 4))), {}),
    "nan ends": (ENDED, BEYOND[:, :, 0], {"lengths": "nan"}),
    "nan ends, two": (ENDED, BEYOND, {"lengths": "nan"}),
    "sequences unknown": (DENSE, LOST, {}),
    "sequences of two unknown": (DENSE, PAIRS, {}),
    "sequences unknown of a list": (list(DENSE), LOST, {}),
    "sequences unknown of Sequences": (Sequences.from_list(list(DENSE)), LOST, {}),
    "nullable": (DENSE, NULLABLE, {}),
    "one of one": (list(DENSE), [y[:, :1] for y in TWO], {}),
    "two of Sequences": (Sequences.from_list(list(DENSE)), list(TWO), {}),
}


@pytest.mark.parametrize("wrapped", [None, "pipeline", "search", "frozen"])
@pytest.mark.parametrize("quantile", [None, [0.1, 0.9], [0.5]])
@pytest.mark.parametrize("name", AS_INNER)
def test_it_takes_and_answers_what_its_regressor_does(name, quantile, wrapped):
    x, y, options = AS_INNER[name]
    if (wrapped and options) or (wrapped == "search" and isinstance(y, list)):
        pytest.skip("what is around the regressor hands on no such thing")
    several = {} if quantile is None else {"loss": "quantile", "quantile": quantile}
    regressor = plain = inner(**several)
    if wrapped == "pipeline":
        regressor = make_pipeline("passthrough", regressor)
    if wrapped == "search":
        regressor = GridSearchCV(regressor, {"hidden_size": [4]}, cv=2)
    if wrapped == "frozen":
        regressor = FrozenEstimator(clone(plain).fit(x, y))
    model = TransformedTargetSequenceRegressor(regressor).fit(x, y, **options)
    plain.fit(x, y, **options)
    predictions, expected = model.predict(x, **options), plain.predict(x, **options)
    assert type(predictions) is type(expected)
    for a, b in zip(predictions, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    assert_close(model.score(x, y, **options), plain.score(x, y, **options), np.float64)
    weights = np.arange(1.0, 13)
    score = model.score(x, y, sample_weight=weights, **options)
    assert_close(score, plain.score(x, y, sample_weight=weights, **options), np.float64)
    bent = TransformedTargetSequenceRegressor(regressor, func=np.arcsinh, inverse_func=np.sinh)
    found = bent.fit(x, y, **options).predict(x, **options)
    assert np.isfinite(flat(found)).all()
    assert flat(found).shape == flat(expected).shape
    assert np.isfinite(bent.score(x, y, **options))


@pytest.mark.parametrize("kind", ["EchoState", "Evolino"])
def test_other_regressors_of_steps_answer_alike(kind):
    settings = {"generations": 2} if kind == "Evolino" else {}
    regressor = getattr(rnnkit, f"{kind}SequenceRegressor")(4, random_state=0, **settings)
    y = flaw(TWO, (3, slice(2, 4)))
    model = TransformedTargetSequenceRegressor(regressor).fit(DENSE, y)
    plain = regressor.fit(DENSE, y)
    np.testing.assert_array_equal(model.predict(DENSE), plain.predict(DENSE))
    assert_close(model.score(DENSE, y), plain.score(DENSE, y), np.float64)


def test_quantiles_are_transformed_back_one_by_one():
    several = inner(loss="quantile", quantile=[0.1, 0.9])
    y = np.exp(TWO)
    model = TransformedTargetSequenceRegressor(several, transformer=StandardScaler())
    fitted = StandardScaler().fit(y.reshape(-1, 2))
    plain = several.fit(DENSE, fitted.transform(y.reshape(-1, 2)).reshape(y.shape))
    answers = plain.predict(DENSE)
    back = [fitted.inverse_transform(answers[..., q].reshape(-1, 2)) for q in (0, 1)]
    found = model.fit(DENSE, y).predict(DENSE)
    np.testing.assert_array_equal(found, np.stack(back, axis=2).reshape(answers.shape))


@pytest.mark.parametrize("given", ["validation_data", "X_val, y_val"])
def test_what_ends_by_nan_validates_alike(given):
    pair = (ENDED, np.abs(BEYOND[:, :, 0]) + 1)
    pair[1][::2, 4:] = -1e6  # which has no logarithm
    call = {"validation_data": pair}
    if given != "validation_data":
        call = {"X_val": pair[0], "y_val": pair[1]}
    model = TransformedTargetSequenceRegressor(inner(), **LOG)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(*pair, lengths="nan", **call)
    ends = [list(np.log(y[: 4 if i % 2 == 0 else 6])) for i, y in enumerate(pair[1])]
    plain = inner().fit(ENDED, ends, lengths="nan", validation_data=(ENDED, ends))
    assert model.regressor_.validation_loss_curve_ == plain.validation_loss_curve_


def test_a_score_of_other_outputs_and_of_none_is_refused():
    model = TransformedTargetSequenceRegressor(inner()).fit(DENSE, TWO)
    with pytest.raises(ValueError, match="y has 1 outputs, expected 2 as in fit"):
        model.score(DENSE, TWO[:, :, 0])
    with pytest.raises(ValueError, match="y must have a labelled step"):
        model.score(DENSE, np.full(TWO.shape, np.nan))
    with pytest.raises(ValueError, match="y holds no target: all are missing"):
        model.fit(DENSE, [None] * 12)
    with pytest.raises(ValueError, match='lengths must be an integer for each sequence or "nan"'):
        model.fit(DENSE, TWO, lengths="end")
