"""The estimator inside an adapter: copied, seeded, asked what it takes; and a missing library."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from rnnkit import GRUClassifier, LSTMClassifier, LSTMRegressor, LSTMSequenceTagger
from rnnkit.adapters.wrapped import accepts_missing, fresh
from rnnkit.preprocessing import SequenceImputer, SequenceScaler


def a_classifier(estimator, random_state=None):
    return fresh(estimator, LSTMClassifier, is_classifier, "classifier", random_state)


def test_it_is_a_copy():
    estimator = GRUClassifier(7, random_state=3)
    copy = a_classifier(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()


def test_none_is_the_default_estimator():
    assert repr(a_classifier(None)) == "LSTMClassifier()"
    assert a_classifier(None, 5).random_state == 5


def test_an_integer_seeds_everything_and_a_random_state_draws():
    pipeline = make_pipeline(SequenceScaler(), GridSearchCV(GRUClassifier(), {"alpha": [0, 1]}))
    seeded = a_classifier(pipeline, 5)
    assert seeded.get_params()["gridsearchcv__estimator__random_state"] == 5
    drawn = [
        a_classifier(pipeline, np.random.RandomState(0)).get_params()[
            "gridsearchcv__estimator__random_state"
        ]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] not in (None, 5)
    assert a_classifier(GRUClassifier(random_state=3)).random_state == 3


@pytest.mark.parametrize(
    "wrong, told",
    [
        (LSTMRegressor(), "must be a classifier, got LSTMRegressor"),
        (LSTMSequenceTagger(), "must be a classifier, got LSTMSequenceTagger"),
        (LSTMClassifier, "must be a classifier, got <class"),
        ("lstm", "must be a classifier, got 'lstm'"),
        (3, "must be a classifier, got 3"),
    ],
)
def test_what_is_of_another_kind_is_refused(wrong, told):
    with pytest.raises(TypeError, match=told):
        a_classifier(wrong)


@pytest.mark.parametrize(
    "estimator, takes",
    [
        (None, False),
        (LSTMClassifier(), False),
        (LSTMClassifier, False),
        (make_pipeline(SequenceScaler(), LSTMClassifier()), False),
        (make_pipeline(SequenceImputer(), LSTMClassifier()), True),
        (make_pipeline("passthrough", SequenceImputer(), LSTMClassifier()), True),
        (make_pipeline(SequenceScaler(SimpleImputer()), LSTMClassifier()), True),
        (GridSearchCV(make_pipeline(SequenceImputer(), LSTMClassifier()), {}), True),
        (GridSearchCV(LogisticRegression(), {}), False),
        ("no estimator", False),
    ],
)
def test_whether_values_may_be_missing(estimator, takes):
    assert accepts_missing(estimator) is takes


@pytest.mark.parametrize("library", ["aeon", "sktime"])
def test_a_missing_library_is_told_in_one_sentence(library):
    """And importing rnnkit, or rnnkit.adapters alone, needs none."""
    code = (
        f"import sys; sys.modules[{library!r}] = None; import rnnkit, rnnkit.adapters\n"
        f"assert not [m for m in sys.modules if m.startswith('{library}.')]\n"
        f"try:\n    import rnnkit.adapters.{library}\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == (
        f"MissingExtraError rnnkit.adapters.{library} needs the package '{library}', which is not "
        f'installed; install it with: pip install "rnnkit[{library}]"'
    ), run.stderr


def test_a_broken_library_is_told_as_it_is(tmp_path):
    (tmp_path / "aeon").mkdir()
    (tmp_path / "aeon" / "__init__.py").write_text("import a_part_of_it")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import rnnkit.adapters.aeon"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stderr.strip().endswith("No module named 'a_part_of_it'")
