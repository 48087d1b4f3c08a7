"""Searches on a cluster: data go there once, and no worker has more threads than it should."""

import numpy as np
import pytest
from partitions import labels, ragged, threads_used
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

from rnnkit import GRUClassifier, Sequences

pytest.importorskip("dask")
pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")

SMALL = {"hidden_size": 4, "max_iter": 3, "learning_rate": "linear", "random_state": 0}
LIST = ragged(60)
Y = labels(LIST)


class Counted(Sequences):
    """Sequences that count how often they are sent."""

    n_sent = 0

    def __reduce__(self):
        type(self).n_sent += len(self) == len(LIST)
        return super().__reduce__()


@pytest.mark.parametrize("form", ("list", "sequences"))
def test_grids_find_what_they_find_alone(client, form):
    X = LIST if form == "list" else Sequences.from_list(LIST)
    grid = {"hidden_size": [2, 4, 6]}
    search = GridSearchCV(GRUClassifier(**SMALL), grid, cv=2)
    alone = search.fit(X, Y).cv_results_["mean_test_score"]
    with joblib.parallel_backend("dask", scatter=[X, Y]):
        found = search.fit(X, Y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, alone)


def test_data_are_sent_once(client):
    X = Sequences.from_list(LIST)
    X = Counted(X.values, X.offsets)
    grid = {"hidden_size": [2, 3, 4, 5, 6]}
    with joblib.parallel_backend("dask", scatter=[X]):
        GridSearchCV(GRUClassifier(**SMALL), grid, cv=3, refit=False).fit(X, Y)
    assert 1 <= Counted.n_sent <= 3  # not once for each of 15 fits


def test_fits_have_the_threads_of_their_worker(client):
    with joblib.parallel_backend("dask"):
        search = GridSearchCV(
            GRUClassifier(**SMALL), {"hidden_size": [2, 4]}, cv=2, scoring=threads_used, refit=False
        ).fit(LIST, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], 1)


def test_halving_by_epochs(client):
    search = HalvingGridSearchCV(
        GRUClassifier(**SMALL),
        {"hidden_size": [2, 3, 4]},
        resource="max_iter",
        min_resources=1,
        max_resources=3,
        cv=2,
        random_state=0,
    )
    with joblib.parallel_backend("dask", scatter=[LIST]):
        search.fit(LIST, Y)
    assert search.n_resources_ == [1, 3]


def test_optuna_asks_and_is_told(client):
    """Trials run on the workers, where the data are already; the study stays with the client."""
    optuna = pytest.importorskip("optuna")
    from distributed import as_completed

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = client.scatter((LIST[:40], Y[:40], LIST[40:], Y[40:]), broadcast=True)

    def score(hidden_size, data):
        X, y, X_test, y_test = data
        return (
            GRUClassifier(**{**SMALL, "hidden_size": hidden_size}).fit(X, y).score(X_test, y_test)
        )

    study = optuna.create_study(direction="maximize")
    trials = {}
    for _ in range(4):
        trial = study.ask()
        size = trial.suggest_int("hidden_size", 2, 6)
        trials[client.submit(score, size, list(data), pure=False)] = trial
    for future in as_completed(trials):
        study.tell(trials[future], future.result())
    assert len(study.trials) == 4
    assert 0 <= study.best_value <= 1
