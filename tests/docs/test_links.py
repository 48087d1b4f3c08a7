"""The "?" in the picture of an estimator leads to the page of its class, where there is a site."""

from importlib import metadata

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

import rnnkit

CLASSES = [
    value
    for room in (rnnkit, rnnkit.preprocessing)
    for name in room.__all__
    if isinstance(value := getattr(room, name), type) and issubclass(value, BaseEstimator)
]


@pytest.fixture
def site(monkeypatch):
    """Pretend that the installed package names its documentation."""
    described = metadata.metadata("rnnkit")
    described["Project-URL"] = "Source, https://code.example"
    described["Project-URL"] = "Documentation, https://docs.example/stable/"
    monkeypatch.setattr("rnnkit.documentation.metadata.metadata", lambda name: described)
    return "https://docs.example/stable"


def make(kind):
    if kind is rnnkit.SequencePipeline:
        return kind([("classifier", rnnkit.LSTMClassifier())])
    inner = {
        "TransformedTargetSequenceRegressor": "LSTMSequenceRegressor",
        "RecurrentFeatures": "LSTMClassifier",
    }.get(kind.__name__)
    return kind(getattr(rnnkit, inner)()) if inner else kind()


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_picture_links_to_the_page_of_the_class(kind, site):
    room = "preprocessing." if kind.__name__ in rnnkit.preprocessing.__all__ else ""
    page = f"{site}/generated/rnnkit.{room}{kind.__name__}.html"
    assert f'href="{page}"' in estimator_html_repr(make(kind))


def test_within_a_pipeline_each_links_to_its_own(site):
    html = estimator_html_repr(
        make_pipeline(rnnkit.preprocessing.SequenceScaler(), rnnkit.LSTMClassifier())
    )
    assert "rnnkit.preprocessing.SequenceScaler.html" in html
    assert "rnnkit.LSTMClassifier.html" in html


def test_without_a_site_there_is_no_link(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("rnnkit.documentation.metadata.metadata", unknown)
    html = estimator_html_repr(rnnkit.LSTMClassifier())
    assert "Documentation for LSTMClassifier" not in html
    assert "href=" not in html


def test_a_class_of_the_users_has_no_page(site):
    class Mine(rnnkit.LSTMClassifier):
        """Another."""

    assert Mine()._get_doc_link() == ""
