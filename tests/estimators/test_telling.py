"""A fit's warnings are told once for each line of the user's, as the filters say."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier
from rnnkit.estimators import telling

X = np.random.RandomState(0).randn(40, 5)
Y = np.arange(40) % 2
GRID = {"hidden_size": [2, 3], "max_iter": [1, 2]}


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(telling, "_told", set())


def search(n_jobs=None):
    return GridSearchCV(GRUClassifier(2), GRID, cv=3, n_jobs=n_jobs).fit(X, Y)


def told(action, fit, *, module=""):
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.filterwarnings(action, category=ConvergenceWarning, module=module)
        fit()
    return [warning for warning in caught if "Maximum number" in str(warning.message)]


def test_a_search_tells_once_and_at_its_own_line():
    (warning,) = told("default", search)
    assert warning.filename == __file__
    assert len(told("default", lambda: search())) == 0  # the line of `search` has told it
    assert len(told("default", lambda: cross_validate(GRUClassifier(2, max_iter=1), X, Y))) == 1


@pytest.mark.parametrize("action", ["once", "module"])
def test_other_filters_that_tell_once(action):
    assert len(told(action, search)) == 1


def test_always_tells_of_every_fit():
    assert len(told("always", search)) == 3 * 4 + 1


def test_ignore_tells_nothing_and_a_filter_by_module_holds():
    assert told("ignore", search) == []
    assert len(told("always", search, module=__name__)) == 13
    assert told("ignore", search, module=__name__) == []


def test_an_error_is_raised():
    with pytest.raises(ConvergenceWarning):
        told("error", lambda: GRUClassifier(2, max_iter=1).fit(X, Y))


def test_a_pipeline_tells_at_the_users_line():
    pipeline = make_pipeline(StandardScaler(), GRUClassifier(2, max_iter=1))
    (warning,) = told("default", lambda: pipeline.fit(X, Y))
    assert warning.filename == __file__


def test_every_line_tells():
    model = GRUClassifier(2, max_iter=1)
    assert len(told("default", lambda: model.fit(X, Y))) == 1
    assert len(told("default", lambda: model.fit(X, Y))) == 1


@pytest.mark.parametrize("option, most", [("", 3), ("-Wignore", 0)])
def test_workers_of_joblib_tell_once_each(tmp_path, option, most):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from rnnkit import GRUClassifier\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "X = np.random.RandomState(0).randn(40, 5)\n"
        "grid = {'hidden_size': [2, 3, 4]}\n"
        "GridSearchCV(GRUClassifier(max_iter=1), grid, cv=4, n_jobs=2).fit(X, np.arange(40) % 2)\n"
    )
    command = [sys.executable, *([option] if option else []), str(script)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    n_told = run.stderr.count("Maximum number of epochs")
    assert (1 if most else 0) <= n_told <= most
