"""Entities keep type and place in every scheme, and illegal labels are refused with their step."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rnnkit.datasets import convert_entity_labels
from rnnkit.datasets.schemes import SCHEMES


def written(entities, n_steps, scheme):
    """Write entities (type, start, stop) by the schemes' definitions, token by token."""
    labels = ["O"] * n_steps
    ends = {(kind, stop) for kind, _, stop in entities}
    for kind, start, stop in entities:
        for step in range(start, stop):
            first, last = step == start, step == stop - 1
            prefix = {
                "iob1": "B" if first and (kind, start) in ends else "I",
                "iob2": "B" if first else "I",
                "iobes": "S" if first and last else "B" if first else "E" if last else "I",
                "bilou": "U" if first and last else "B" if first else "L" if last else "I",
            }[scheme]
            labels[step] = f"{prefix}-{kind}" if kind else prefix
    return labels


@st.composite
def entities(draw):
    found, step = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = step + draw(st.integers(0, 2))
        step = start + draw(st.integers(1, 3))
        found.append((draw(st.sampled_from(["PER", "LOC", "a-b", ""])), start, step))
    return found, step + draw(st.integers(0, 2))


@given(entities(), st.sampled_from(list(SCHEMES)), st.sampled_from(list(SCHEMES)))
def test_every_scheme_becomes_every_other(drawn, source, target):
    found, n_steps = drawn
    y = [written(found, n_steps, source)]
    assert convert_entity_labels(y, source, target)[0].tolist() == written(found, n_steps, target)


def test_other_names_of_schemes():
    y = [["B-X", "I-X", "O"]]
    assert convert_entity_labels(y, "bio", "bioes")[0].tolist() == ["B-X", "E-X", "O"]
    assert convert_entity_labels(y, "IOB2".lower(), "iob")[0].tolist() == ["I-X", "I-X", "O"]


@pytest.mark.parametrize(
    "labels, scheme, step",
    [
        (["O", "I-X"], "iob2", 1),
        (["B-X", "I-Y"], "iob2", 1),
        (["O", "B-X"], "iob1", 1),
        (["I-Y", "B-X"], "iob1", 1),
        (["O", "E-X"], "iobes", 1),
        (["O", "B-X", "O"], "iobes", 1),
        (["O", "B-X"], "iobes", 1),
        (["B-X", "I-X", "S-X"], "iobes", 1),
        (["S-X", "I-X"], "iobes", 1),
        (["B-X", "I-Y", "E-Y"], "iobes", 1),
        (["O", "S-X"], "bilou", 1),
        (["O", "L-X"], "bilou", 1),
        (["O", "Q-X"], "iob2", 1),
        (["O", "B-"], "iob2", 1),
        (["O", ""], "iob2", 1),
        (["O", "BX"], "iob2", 1),
    ],
)
def test_illegal_labels_are_refused_with_their_step(labels, scheme, step):
    with pytest.raises(ValueError, match=f"sequence 1, step {step}: "):
        convert_entity_labels([["O"], labels], scheme, "iob2")


def test_unknown_schemes_and_strings_are_refused():
    with pytest.raises(ValueError, match="source must be one of iob1"):
        convert_entity_labels([["O"]], "bies2", "iob2")
    with pytest.raises(ValueError, match="list of labels"):
        convert_entity_labels(["O"], "iob1", "iob2")
