"""Entity scores of every scheme against seqeval's strict mode, and against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from rnnkit.metrics import entity_f1, entity_report
from rnnkit.schemes import scheme_of

NAMES = ("iob1", "iob2", "iobes", "bilou")


def labels_of(name):
    return ["O", *(f"{letter}-{kind}" for letter in scheme_of(name).letters for kind in "AB")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_reports_are_those_of_seqeval(name, data):
    seqeval = pytest.importorskip("seqeval.metrics")
    scheme = getattr(pytest.importorskip("seqeval.scheme"), name.upper())
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    label = st.sampled_from(labels_of(name))
    true, pred = (
        [data.draw(st.lists(label, min_size=n, max_size=n)) for n in lengths] for _ in range(2)
    )
    found = entity_report(true, pred, scheme=name, output_dict=True)
    if len(found) == 3:  # seqeval fails without any entity
        assert entity_f1(true, pred, scheme=name) == 0.0
        return
    expected = seqeval.classification_report(
        true, pred, mode="strict", scheme=scheme, output_dict=True, zero_division=0
    )
    assert found.keys() == expected.keys()
    for kind, scores in expected.items():
        assert list(found[kind]) == ["precision", "recall", "f1-score", "support"]
        for score, value in scores.items():
            assert_close(found[kind][score], value, np.float64, 4)


@pytest.mark.parametrize("name", NAMES)
def test_f1_is_that_of_the_report(name):
    rng = np.random.RandomState(0)
    labels = np.array(labels_of(name))
    true, pred = ([rng.choice(labels, n) for n in (9, 1, 20)] for _ in range(2))
    report = entity_report(true, pred, scheme=name, output_dict=True)
    for average in ("micro", "macro", "weighted"):
        expected = report[f"{average} avg"]["f1-score"]
        assert entity_f1(true, pred, scheme=name, average=average) == expected
    by_kind = entity_f1(true, pred, scheme=name, average=None)
    assert by_kind == {kind: report[kind]["f1-score"] for kind in by_kind}
    text = entity_report(true, pred, scheme=name)
    assert text.splitlines()[0].split() == ["precision", "recall", "f1-score", "support"]
    assert len(text.splitlines()) == 1 + len(report)


@pytest.mark.parametrize(
    "name, labels",
    [
        ("iob2", ["O", "B", "I", "I", "B"]),
        ("iobes", ["O", "B", "I", "E", "S"]),
        ("bilou", ["O", "B", "I", "L", "U"]),
        ("iob1", ["O", "I", "I", "I", "B"]),
    ],
)
def test_the_same_entities_in_every_scheme(name, labels):
    assert entity_f1([labels], [labels], scheme=name, average=None) == {"": 1.0}
    assert entity_report([labels], [labels], scheme=name, output_dict=True)[""]["support"] == 2
    typed = [label if label == "O" else f"{label}-X" for label in labels]
    assert entity_f1([typed], [typed], scheme=name) == 1.0


def test_wrong_scheme_and_labels():
    with pytest.raises(ValueError, match=r"scheme must be one of 'iob1', .* got 'conll'"):
        entity_f1([["O"]], [["O"]], scheme="conll")
    with pytest.raises(ValueError, match="labels must be O, B-type, I-type, E-type or S-type"):
        entity_f1([["L-A"]], [["O"]], scheme="iobes")
    with pytest.raises(ValueError, match=r"labels must be .*got 'S-A'"):
        entity_report([["O"]], [["S-A"]])
