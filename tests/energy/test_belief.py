"""Deep belief networks against the parts of scikit-learn that they are made of."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM, MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from tolerances import assert_close

from rnnkit.energy import DeepBeliefNetwork
from rnnkit.energy.greedy import pretrain_directed

X, Y = load_digits(return_X_y=True)
X, Y = X[:200] / 16, Y[:200]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def small(**parameters):
    settings = dict(pretrain_iter=2, max_iter=20, random_state=0)
    return DeepBeliefNetwork((12, 8), **{**settings, **parameters})


def test_layers_are_machines_on_top_of_each_other():
    weights, biases, visible = pretrain_directed(
        X, [6, 4], learning_rate=0.1, batch_size=10, n_iter=2, random=np.random.RandomState(0)
    )
    random = np.random.RandomState(0)
    settings = dict(learning_rate=0.1, batch_size=10, n_iter=2, random_state=random)
    below = X
    for level, size in enumerate((6, 4)):
        machine = BernoulliRBM(size, **settings).fit(below)
        below = machine.transform(below)
        assert np.array_equal(weights[level], machine.components_.T)
        assert np.array_equal(biases[level], machine.intercept_hidden_)
        assert np.array_equal(visible[level], machine.intercept_visible_)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_tuning_begins_at_the_pretrained_layers(solver):
    """With a rate of nothing, or a huge penalty of every step, the layers are the machines'."""
    model = small(solver=solver, learning_rate_init=1e-30, max_iter=1, tol=1e9).fit(X, Y)
    weights, biases, _ = pretrain_directed(
        X, [12, 8], learning_rate=0.1, batch_size=10, n_iter=2, random=np.random.RandomState(0)
    )
    if solver != "lbfgs":
        for learnt, tuned in zip([*weights, *biases], [*model.coefs_[:2], *model.intercepts_[:2]]):
            assert_close(tuned, learnt, np.float64, 64)
    hidden = expit(expit(X @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1]
                   + model.intercepts_[1])  # fmt: skip
    assert_close(model.transform(X), hidden, np.float64, 64)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_probabilities_are_those_of_scikit_learn_s_network(n_classes):
    X_, y = X[n_classes > Y], Y[n_classes > Y]
    model = small().fit(X_, y)
    oracle = MLPClassifier((12, 8), activation="logistic", max_iter=1).fit(X_, y)
    oracle.coefs_, oracle.intercepts_ = model.coefs_, model.intercepts_
    assert_close(model.predict_proba(X_), oracle.predict_proba(X_), np.float64, 64)
    assert np.array_equal(model.predict(X_), oracle.predict(X_))
    assert model.score(X_, y) == oracle.score(X_, y)


def test_rows_without_a_label_make_layers_and_nothing_else():
    y = np.where(np.arange(200) < 60, Y, -1)
    model = small(learning_rate_init=1e-30, max_iter=1).fit(X, y)
    full = small(learning_rate_init=1e-30, max_iter=1).fit(X, Y)
    assert model.n_labelled_ == 60
    assert -1 not in model.classes_
    assert_close(model.coefs_[0], full.coefs_[0], np.float64, 200)
    tuned = small(max_iter=300, learning_rate_init=0.02).fit(X, y)
    assert tuned.score(X[:60], Y[:60]) > 0.95
    assert tuned.score(X, y) == tuned.score(X[:60], Y[:60])


def test_labels_may_be_text():
    names = np.array(["zero", "one", "two"], dtype=object)
    chosen = Y < 3
    y = names[Y[chosen]]
    y[::2] = -1
    model = small(solver="lbfgs", max_iter=200).fit(X[chosen], y)
    assert sorted(model.classes_) == ["one", "two", "zero"]
    assert (model.predict(X[chosen]) == names[Y[chosen]]).mean() > 0.8


def test_minus_one_marks_rows_beside_text_in_a_list():
    """NumPy makes text of all of them."""
    names = ["a" if label < 5 else "b" for label in Y]
    y = [-1 if i % 2 else name for i, name in enumerate(names)]
    model = small(solver="lbfgs", max_iter=200).fit(X, y)
    assert model.classes_.tolist() == ["a", "b"]
    assert model.n_labelled_ == len(Y[::2])
    assert model.score(X, y) == (model.predict(X[::2]) == np.array(names[::2])).mean()


def test_minus_one_is_a_class_where_there_is_one_other():
    y = np.where(Y < 5, -1, 1)
    model = small(solver="lbfgs", max_iter=200).fit(X, y)
    assert model.classes_.tolist() == [-1, 1]
    assert model.score(X, y) == (model.predict(X) == y).mean() > 0.8


def test_early_stopping_takes_no_weights_of_before_pretraining():
    model = small(early_stopping=True, max_iter=3, learning_rate_init=1e-30).fit(X, Y)
    full = small(max_iter=1, learning_rate_init=1e-30).fit(X, Y)
    assert_close(model.coefs_[0], full.coefs_[0], np.float64, 200)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_the_same_seed_gives_the_same_bits(solver):
    a, b = small(solver=solver).fit(X, Y), small(solver=solver).fit(X, Y)
    b = pickle.loads(pickle.dumps(b))
    assert a.predict_proba(X).tobytes() == b.predict_proba(X).tobytes()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("pretrain_iter", [0, 1])
def test_the_dtype_stays(dtype, pretrain_iter):
    model = small(pretrain_iter=pretrain_iter).fit(X.astype(dtype), Y)
    arrays = [*model.coefs_, *model.intercepts_, model.transform(X.astype(dtype))]
    assert {array.dtype for array in [*arrays, model.predict_proba(X.astype(dtype))]} == {
        np.dtype(dtype)
    }


@pytest.mark.parametrize(
    "y, sentence",
    [
        (np.full(200, -1), r"at least two classes besides -1, .* got 0 classes"),
        (np.ones(200), r"got 1 class$"),
        (None, "requires y to be passed"),
        (Y[:20], "inconsistent numbers of samples"),
        (Y + 0.5, "Unknown label type"),
        (np.array([*"ab" * 99, "a", np.nan], dtype=object), "Input y contains NaN"),
        ([*"ab" * 99, "a", None], "Input y contains NaN"),
        (pd.array([0, 1] * 99 + [0, None], dtype="Int64"), "Input y contains NaN"),
        ([*"ab" * 99, "a", 3], "y mixes text and numbers"),
        (np.arange(200).astype("datetime64[D]"), "y holds dates or times"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(y, sentence):
    model = small()
    with pytest.raises(ValueError, match=sentence):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")


def test_labels_that_cannot_be_compared_are_refused():
    model = small().fit(X, Y)
    for y, sentence in (
        (np.full(len(Y), -1), "y must hold at least one label besides -1, got none"),
        ([*Y[1:].tolist(), None], "Input y contains NaN"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.score(X, y)


def test_an_option_that_would_do_nothing_is_refused():
    with pytest.raises(ValueError, match="early_stopping must be False with solver='lbfgs'"):
        small(solver="lbfgs", early_stopping=True).fit(X, Y)


def test_it_warns_as_scikit_learn_s_network_does():
    with pytest.warns(ConvergenceWarning):
        small(max_iter=1).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(max_iter=2000, tol=1e9).fit(X, Y)


def test_it_stands_in_pipelines_and_searches():
    pipeline = make_pipeline(MinMaxScaler(), small(solver="lbfgs"))
    search = GridSearchCV(pipeline, {"deepbeliefnetwork__pretrain_iter": [0, 2]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.5
    assert search.best_estimator_[-1].get_feature_names_out()[0] == "deepbeliefnetwork0"
