"""SequenceScaler equals its transformer on the flat steps, in every form of input."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from rnnkit.preprocessing import Padder, SequenceScaler
from rnnkit.sequences import Sequences


def expected_failures(estimator):
    reason = "a list of sequences is given back as a list, where the check wants an array"
    return {"check_transformer_data_not_an_array": reason}


@parametrize_with_checks(
    [
        SequenceScaler(),
        SequenceScaler(RobustScaler()),
        SequenceScaler(MinMaxScaler()),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


class NotAnArray:
    """Something that only NumPy's conversion reads."""

    def __init__(self, data):
        self.data = data

    def __array__(self, dtype=None, copy=None):
        return self.data


def test_anything_that_numpy_reads_is_taken():
    X = np.random.RandomState(0).randn(5, 4)
    expected = SequenceScaler().fit_transform(X)
    np.testing.assert_array_equal(SequenceScaler().fit_transform(NotAnArray(X)), expected)
    np.testing.assert_array_equal(SequenceScaler().fit_transform(X.tolist()), expected)
    padded = SequenceScaler().fit_transform(NotAnArray(X[:, :, None]))
    np.testing.assert_array_equal(padded, expected[:, :, None])


def ragged(n_features=3, dtype=np.float64):
    rng = np.random.RandomState(0)
    return [rng.randn(n, n_features).astype(dtype) * 5 + 2 for n in (3, 1, 6, 2)]


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


SCALERS = [StandardScaler(), MinMaxScaler(), PCA(2), QuantileTransformer(n_quantiles=5)]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ragged_forms_equal_the_flat_transform(scaler, dtype):
    X = ragged(dtype=dtype)
    flat = clone(scaler).fit(np.concatenate(X)).transform(np.concatenate(X))
    expected = np.split(flat, np.cumsum([len(x) for x in X])[:-1])
    padded, lengths = Sequences.from_list(X).to_padded(fill=np.nan)
    model = SequenceScaler(scaler)
    as_list = model.fit_transform(X)
    as_objects = model.fit_transform(object_array(X))
    as_sequences = model.fit_transform(Sequences.from_list(X))
    as_padded = model.fit(padded, lengths=lengths).transform(padded, lengths=lengths)
    assert isinstance(as_list, list)
    assert as_objects.dtype == object
    assert isinstance(as_sequences, Sequences)
    assert as_padded.shape == (4, 6, expected[0].shape[1])
    for i, want in enumerate(expected):
        for got in (as_list[i], as_objects[i], as_sequences[i], as_padded[i, : len(want)]):
            np.testing.assert_array_equal(got, want)
            assert got.dtype == want.dtype
        assert (as_padded[i, len(want) :] == 0).all()


def test_dense_forms_agree():
    X = np.random.RandomState(0).randn(5, 4, 3)
    expected = StandardScaler().fit_transform(X.reshape(20, 3)).reshape(5, 4, 3)
    np.testing.assert_array_equal(SequenceScaler().fit_transform(X), expected)
    rows = SequenceScaler(step_features=3).fit_transform(X.reshape(5, 12))
    np.testing.assert_array_equal(rows, expected.reshape(5, 12))


def test_rows_are_univariate_series():
    X = np.random.RandomState(0).randn(5, 4)
    scaled = SequenceScaler().fit_transform(X)
    np.testing.assert_array_equal(
        scaled, StandardScaler().fit_transform(X.reshape(20, 1)).reshape(5, 4)
    )


def test_series_stay_one_dimensional():
    X = [np.array([1.0, 2.0, 3.0]), np.array([4.0])]
    for form in (X, object_array(X)):
        scaled = SequenceScaler().fit_transform(form)
        assert [x.shape for x in scaled] == [(3,), (1,)]


@pytest.mark.parametrize("form", ["list", "rows", "padded", "sequences"])
def test_inverse(form):
    X = np.random.RandomState(0).randn(5, 4, 2)
    X = {
        "list": list(X),
        "rows": X.reshape(5, 8),
        "padded": X,
        "sequences": Sequences.from_array(X),
    }[form]
    model = SequenceScaler(MinMaxScaler((0.0, 8.0)), step_features=2).fit(X)
    again = model.inverse_transform(model.transform(X))
    scale = max(np.abs(x).max() for x in X)
    for actual, expected in zip(again, X):
        assert np.abs(actual - expected).max() <= 8 * np.finfo(float).eps * scale


def test_inverse_is_there_only_if_the_scaler_has_one():
    assert hasattr(SequenceScaler(), "inverse_transform")
    assert not hasattr(SequenceScaler(SimpleImputerWithoutInverse()), "inverse_transform")


class SimpleImputerWithoutInverse(SimpleImputer):
    inverse_transform = property()


def test_an_imputer_sees_nan_and_a_scaler_without_it_refuses():
    X = [np.array([[1.0], [np.nan]]), np.array([[3.0]])]
    assert SequenceScaler(SimpleImputer()).fit_transform(X)[0][1, 0] == 2.0
    assert np.isnan(SequenceScaler().fit_transform(X)[0][1, 0])
    with pytest.raises(ValueError, match="Input X contains NaN: sequence 0, step 1"):
        SequenceScaler(PCA(1)).fit(X)
    with pytest.raises(ValueError, match="infinity"):
        SequenceScaler().fit([np.array([[np.inf]])])


def test_frames_give_names_and_output():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.random.RandomState(0).randn(6, 4), columns=list("abcd"))
    model = SequenceScaler(step_features=2).set_output(transform="pandas").fit(X)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.transform(X).columns.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.transform(X.rename(columns={"a": "z"}))
    narrow = SequenceScaler(PCA(1), step_features=2).fit(X)
    assert narrow.get_feature_names_out().tolist() == ["sequencescaler0", "sequencescaler1"]


def test_set_output_leaves_other_forms_alone():
    X = ragged()
    model = SequenceScaler().set_output(transform="pandas").fit(X)
    assert isinstance(model.transform(X), list)
    assert model.get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    assert model.transform(np.zeros((2, 3, 3))).shape == (2, 3, 3)


def test_fitted_on_one_form_transforms_another():
    X = np.random.RandomState(0).randn(5, 4, 3)
    expected = SequenceScaler().fit_transform(X)
    model = SequenceScaler(step_features=3).fit(X.reshape(5, 12))
    np.testing.assert_array_equal(model.transform(X[:, :2]), expected[:, :2])
    model = SequenceScaler(step_features=3).fit(list(X))
    np.testing.assert_array_equal(model.transform(X.reshape(5, 12)), expected.reshape(5, 12))


def test_another_number_of_features_is_refused():
    model = SequenceScaler().fit(ragged(3))
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="X has 2 features, but SequenceScaler is expecting 3"):
        model.transform(ragged(2))
    with pytest.raises(ValueError, match="X has 5 features, but SequenceScaler is expecting 4"):
        SequenceScaler().fit(np.ones((2, 4))).transform(np.ones((2, 5)))


def test_not_fitted():
    with pytest.raises(NotFittedError):
        SequenceScaler().transform(ragged())


def test_input_is_not_changed_and_pickles():
    X = ragged()
    before = [x.copy() for x in X]
    model = pickle.loads(pickle.dumps(SequenceScaler(StandardScaler(copy=False)).fit(X)))
    model.transform(X)
    for actual, expected in zip(X, before):
        np.testing.assert_array_equal(actual, expected)


def test_no_form_is_written_to_by_a_scaler_without_copies():
    X = np.random.RandomState(0).randn(5, 4, 3)
    for form in (X.copy(), X.reshape(5, 12).copy(), Sequences.from_array(X.copy())):
        values = form.values if isinstance(form, Sequences) else form
        before = values.copy()
        SequenceScaler(StandardScaler(copy=False), step_features=3).fit_transform(form)
        np.testing.assert_array_equal(values, before)


def test_in_a_grid_search():
    rng = np.random.RandomState(0)
    X = Sequences.from_list([rng.randn(n, 2) + n % 2 for n in rng.randint(1, 5, 30)])
    pipeline = make_pipeline(SequenceScaler(), Padder(length=5, flatten=True), LogisticRegression())
    grid = {"sequencescaler__scaler": [StandardScaler(), MinMaxScaler()]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, X.lengths % 2)
    assert search.predict(X).shape == (30,)
    nested = SequenceScaler(MinMaxScaler()).set_params(scaler__feature_range=(-1, 1))
    assert nested.fit(X).scaler_.feature_range == (-1, 1)


def gaps():
    rng = np.random.RandomState(1)
    X = ragged()
    for sequence in X:
        sequence[rng.rand(*sequence.shape) < 0.3] = np.nan
    return X


INNER = {
    "impute": make_pipeline(SimpleImputer(), StandardScaler()),
    "neighbours": KNNImputer(n_neighbors=2),
    "columns": ColumnTransformer([("a", StandardScaler(), [0, 2])], remainder=SimpleImputer()),
    "function": FunctionTransformer(np.nan_to_num),
    "bins": make_pipeline(SimpleImputer(), KBinsDiscretizer(3, quantile_method="linear")),
    "components": make_pipeline(SimpleImputer(), PCA(2)),
    "one hot": make_pipeline(FunctionTransformer(np.sign), OneHotEncoder(handle_unknown="ignore")),
}


@pytest.mark.parametrize("inner", INNER)
def test_any_transformer_of_rows_sees_the_gaps_in_every_form(inner):
    X, transformer = gaps(), INNER[inner]
    right = clone(transformer).fit(np.concatenate(X)).transform(np.concatenate(X))
    right = right.toarray() if hasattr(right, "toarray") else right
    padded, lengths = Sequences(np.concatenate(X), np.cumsum([0, 3, 1, 6, 2])).to_padded(7.0)
    model = SequenceScaler(transformer)
    np.testing.assert_array_equal(np.concatenate(model.fit_transform(X)), right)
    of_sequences = model.fit_transform(Sequences(np.concatenate(X), np.cumsum([0, 3, 1, 6, 2])))
    np.testing.assert_array_equal(of_sequences.values, right)
    dense = model.fit_transform(padded, lengths=lengths)
    real = np.arange(6) < lengths[:, None]
    np.testing.assert_array_equal(dense[real], right)
    assert not dense[~real].any()
    rows = SequenceScaler(transformer, step_features=3)
    rows = rows.fit_transform(padded.reshape(4, -1), lengths=lengths)
    np.testing.assert_array_equal(rows.reshape(4, 6, -1)[real], right)
    assert pickle.loads(pickle.dumps(model)).transform(X)[0].tobytes() == right[:3].tobytes()


def frames_of_days(library):
    module = pytest.importorskip(library)
    data = [
        {"v": [1.0, None, 3.0], "day": ["mon", "tue", "mon"]},
        {"v": [4.0], "day": ["sun"]},
    ]
    if library == "pyarrow":
        return [module.table(columns) for columns in data]
    return [module.DataFrame(columns) for columns in data]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_frames_are_named_inside(library):
    X = frames_of_days(library)
    columns = ColumnTransformer(
        [("v", SimpleImputer(), ["v"]), ("day", OneHotEncoder(), ["day"])],
    )
    model = SequenceScaler(columns).fit(X)
    first, second = model.transform(X)
    assert first.tolist() == [[1, 1, 0, 0], [8 / 3, 0, 0, 1], [3, 1, 0, 0]]
    assert second.tolist() == [[4, 0, 1, 0]]
    names = ["v__v", "day__day_mon", "day__day_sun", "day__day_tue"]
    assert model.get_feature_names_out().tolist() == names
    with pytest.raises(ValueError, match=r"column 'day' holds text.*categorical_features"):
        SequenceScaler().fit(X)


def test_columns_chosen_by_dtype_and_pandas_inside():
    X = frames_of_days("pandas")
    columns = ColumnTransformer(
        [("v", SimpleImputer(), make_column_selector(dtype_include=float))],
        remainder=OrdinalEncoder(),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    inner = make_pipeline(columns, ColumnTransformer([("d", "passthrough", ["day"])]))
    assert SequenceScaler(inner).fit_transform(X)[0].tolist() == [[0.0], [2.0], [0.0]]
    seen = []
    spy = FunctionTransformer(lambda d: seen.append(type(d)) or d[["v"]])
    SequenceScaler(spy).fit_transform(X)
    assert {t.__name__ for t in seen} == {"DataFrame"}


@pytest.mark.parametrize("form", ["list", "lists", "objects", "rows", "array", "strings"])
def test_one_hot_columns_of_text_in_every_form(form):
    X = {
        "list": [np.array([["a"], ["b"]], dtype=object), np.array([["c"], ["a"]], dtype=object)],
        "lists": [["a", "b"], ["c", "a"]],
        "rows": np.array([["a", "b"], ["c", "a"]], dtype=object),
        "array": np.array([["a", "b"], ["c", "a"]], dtype=object)[:, :, None],
        "strings": np.array([["a", "b"], ["c", "a"]])[:, :, None],
    }
    X["objects"] = np.empty(2, dtype=object)
    X["objects"][:] = X["list"]
    model = SequenceScaler(OneHotEncoder()).fit(X[form])
    result = np.array([np.asarray(sequence).ravel() for sequence in model.transform(X[form])])
    assert result.reshape(4, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    back = model.inverse_transform(model.transform(X[form]))
    assert np.ravel([np.ravel(sequence) for sequence in back]).tolist() == ["a", "b", "c", "a"]


def test_labels_that_are_only_filled_in_stay_labels():
    X = [np.array([["a", 1.0], [np.nan, 2.0]], dtype=object), np.array([["a", 3.0]], dtype=object)]
    inner = make_pipeline(SimpleImputer(strategy="most_frequent"))
    result = SequenceScaler(inner).fit_transform(X)
    assert result[0].tolist() == [["a", 1.0], ["a", 2.0]]
    assert SequenceScaler(OneHotEncoder()).fit_transform(result)[1].tolist() == [[1, 0, 0, 1]]


@pytest.mark.parametrize("y", [[0, 1, 0, 1], [[0] * 3, [1], [0] * 6, [1, 1]]])
def test_targets_reach_the_steps_of_a_transformer_that_needs_them(y):
    X = ragged()
    chosen = SelectKBest(k=1)
    model = SequenceScaler(make_pipeline(StandardScaler(), chosen)).fit(X, y)
    right = clone(chosen).fit(np.concatenate(X), np.repeat([0, 1, 0, 1], [3, 1, 6, 2]))
    np.testing.assert_array_equal(model.scaler_[-1].scores_.round(9), right.scores_.round(9))
    assert model.transform(X)[0].shape == (3, 1)
    for unfit in (None, [0, 1], np.zeros((4, 2))):
        with pytest.raises(ValueError, match="requires y"):
            SequenceScaler(chosen).fit(X, unfit)


def test_another_number_of_rows_is_refused():
    drop = FunctionTransformer(lambda rows: rows[:1])
    model = SequenceScaler(drop).fit(ragged())
    with pytest.raises(ValueError, match="a row for each of 12 steps, got shape"):
        model.transform(ragged())
