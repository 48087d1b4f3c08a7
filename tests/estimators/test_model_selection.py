"""The estimators inside scikit-learn's tools, on ragged sequences."""

import warnings

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, numbers_of, ragged, tags_of
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import RecurrentFeatures, Sequences
from rnnkit.metrics import label_error_rate_scorer, token_accuracy_scorer, token_f1_scorer
from rnnkit.preprocessing import SequenceScaler
from rnnkit.training import Adam

X = ragged(48)
TARGETS = {
    "Classifier": labels_of(X),
    "Regressor": np.array([x[-1].sum() for x in X]),
    "SequenceTagger": tags_of(X),
    "SequenceRegressor": numbers_of(X),
}


def as_objects(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = np.asarray(item)
    return array


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("form", [list, as_objects, Sequences.from_list], ids=lambda f: f.__name__)
def test_search_over_a_pipeline(task, form):
    pipeline = make_pipeline(
        SequenceScaler(StandardScaler()), estimator("GRU", task, solver=Adam(), max_iter=20)
    )
    name = pipeline.steps[-1][0]
    grid = {f"{name}__hidden_size": [2, 6], f"{name}__solver__beta_1": [0.8]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(form(X), TARGETS[task])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(form(X), TARGETS[task]) > 0.2
    assert search.best_params_[f"{name}__solver__beta_1"] == 0.8


def test_search_in_two_processes():
    search = GridSearchCV(
        estimator("LSTM", "Classifier", max_iter=5),
        {"hidden_size": [2, 8]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    ).fit(X, TARGETS["Classifier"])
    serial = GridSearchCV(search.estimator, search.param_grid, cv=2).fit(X, TARGETS["Classifier"])
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("task", TARGETS)
def test_cross_validation_and_learning_curves(task):
    y = TARGETS[task]
    model = estimator("LSTM", task, max_iter=15)
    scores = cross_val_score(model, X, y, cv=KFold(3), error_score="raise")
    assert np.isfinite(scores).all()
    predictions = cross_val_predict(model, X, y, cv=KFold(3))
    assert len(predictions) == len(X)
    if task.startswith("Sequence"):
        assert [len(p) for p in predictions] == [len(x) for x in X]
    sizes, _, test_scores = learning_curve(
        model, X, y, train_sizes=[0.5, 1.0], cv=KFold(2), error_score="raise"
    )
    assert len(sizes) == 2
    assert np.isfinite(test_scores).all()


@pytest.mark.parametrize("task", ["SequenceTagger", "SequenceRegressor"])
def test_dense_targets_per_step(task):
    dense = np.random.RandomState(0).randn(24, 5, 2)
    y = np.array(tags_of(dense) if task == "SequenceTagger" else numbers_of(dense))
    predictions = cross_val_predict(estimator("GRU", task, max_iter=5), dense, y, cv=KFold(2))
    assert predictions.shape == (24, 5)
    scores = cross_validate(estimator("GRU", task), dense, y, cv=KFold(2), error_score="raise")
    assert scores["test_score"].mean() > 0.5


def test_weights_are_split_with_the_folds():
    weights = np.linspace(0, 1, len(X))
    results = cross_validate(
        estimator("GRU", "Classifier", max_iter=3),
        X,
        TARGETS["Classifier"],
        params={"sample_weight": weights, "validation_data": (X[:4], TARGETS["Classifier"][:4])},
        cv=2,
        error_score="raise",
    )
    assert np.isfinite(results["test_score"]).all()


def test_splitting_keeps_sequences():
    train, test, y_train, _ = train_test_split(
        Sequences.from_list(X), TARGETS["Classifier"], random_state=0
    )
    assert isinstance(train, Sequences)
    classifier = estimator("GRU", "Classifier").fit(train, y_train)
    assert classifier.predict(test).shape == (len(test),)


def test_features_feed_another_estimator():
    y = TARGETS["Classifier"]
    features = RecurrentFeatures(estimator("GRU", "Classifier"))
    pipeline = make_pipeline(features, LogisticRegression()).fit(X, y)
    assert pipeline.score(X, y) > 0.9


@pytest.mark.slow
def test_japanese_vowels(data_loaders):
    """The main job: a search over a pipeline on real sequences of 7 to 29 steps."""
    X_train, y_train = data_loaders.ts("JapaneseVowels", "TRAIN")
    X_test, y_test = data_loaders.ts("JapaneseVowels", "TEST")
    classifier = estimator(
        "LSTM", "Classifier", hidden_size=32, bidirectional=True, pooling="mean", input_noise=0.3,
        learning_rate_init=0.01, max_iter=25, batch_size=32,
    )  # fmt: skip
    pipeline = make_pipeline(SequenceScaler(StandardScaler()), classifier)
    search = GridSearchCV(
        pipeline, {"lstmclassifier__dropout": [0.0, 0.3]}, cv=2, n_jobs=2, error_score="raise"
    ).fit(X_train, y_train)
    assert search.score(X_test, y_test) > 0.95


@pytest.mark.parametrize("form", [list, as_objects, Sequences.from_list], ids=lambda f: f.__name__)
@pytest.mark.parametrize("scorer", [token_accuracy_scorer, token_f1_scorer])
def test_search_of_a_tagger_with_a_scorer_of_steps(form, scorer):
    grid = {"hidden_size": [1, 6]}
    model = estimator("GRU", "SequenceTagger", max_iter=20)
    search = GridSearchCV(model, grid, cv=2, scoring=scorer, error_score="raise")
    search.fit(form(X), tags_of(X))
    assert search.best_score_ > 0.8
    if scorer is token_accuracy_scorer:
        own = GridSearchCV(model, grid, cv=2, error_score="raise").fit(form(X), tags_of(X))
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"]
        )


def test_search_of_a_labeller_with_a_scorer():
    y = [["a", "b"][: 1 + i % 2] for i in range(len(X))]
    model = estimator("GRU", "SequenceLabeller", max_iter=5)
    grid = {"hidden_size": [2, 6]}
    search = GridSearchCV(model, grid, cv=2, scoring=label_error_rate_scorer, error_score="raise")
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
