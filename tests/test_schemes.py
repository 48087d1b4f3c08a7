"""Entity labels: entities against seqeval's strict mode, legal pairs against spelled entities."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.schemes import SCHEMES, forbidden_by_scheme, scheme_of

NAMES = ("iob1", "iob2", "iobes", "bilou")


def labels_of(name, kinds=("A", "B")):
    return ["O", *(f"{letter}-{kind}" for letter in scheme_of(name).letters for kind in kinds)]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_entities_are_those_of_seqeval(name, data):
    seqeval = pytest.importorskip("seqeval.scheme")
    labels = data.draw(st.lists(st.sampled_from(labels_of(name)), min_size=1, max_size=9))
    found = seqeval.Tokens(labels, getattr(seqeval, name.upper())).entities
    expected = [(entity.tag, entity.start, entity.end) for entity in found]
    assert list(scheme_of(name).entities(labels)) == expected


# Worked by hand.
STRICT = [
    ("iobes", "B-A I-A E-A O S-B", [("A", 0, 3), ("B", 4, 5)]),
    ("iobes", "B-A I-A O", []),
    ("iobes", "B-A E-B S-A S-A", [("A", 2, 3), ("A", 3, 4)]),
    ("iobes", "I-A E-A", []),
    ("iobes", "B-A B-A E-A", [("A", 1, 3)]),
    ("bilou", "U-A B-A L-A I-A L-A", [("A", 0, 1), ("A", 1, 3)]),
    ("iob1", "I-A I-A B-A I-A I-B", [("A", 0, 2), ("A", 2, 4), ("B", 4, 5)]),
    ("iob1", "B-A O I-A", [("A", 2, 3)]),
    ("iob2", "I-A B-A I-A I-B", [("A", 1, 3)]),
    ("iob2", "B I O B", [("", 0, 2), ("", 3, 4)]),
]


@pytest.mark.parametrize("name, labels, entities", STRICT)
def test_only_whole_entities_count(name, labels, entities):
    assert list(scheme_of(name).entities(labels.split())) == entities


def spell(name, entities, n_steps):
    """The labels of entities (type, first step, step after the last), by the scheme's meaning."""
    labels = ["O"] * n_steps
    for place, (kind, start, stop) in enumerate(entities):
        touches = place and entities[place - 1][0] == kind and entities[place - 1][2] == start
        for t in range(start, stop):
            if name in ("iob1", "iob2"):
                letter = "B" if t == start and (name == "iob2" or touches) else "I"
            else:
                letters = "SBIE" if name == "iobes" else "UBIL"
                first, last = t == start, t == stop - 1
                place_in = 0 if first and last else 1 if first else 3 if last else 2
                letter = letters[place_in]
            labels[t] = f"{letter}-{kind}"
    return labels


def all_entities(n_steps, kinds, start=0):
    """Every way to lay entities over the steps from `start` on."""
    if start >= n_steps:
        yield []
        return
    for rest in all_entities(n_steps, kinds, start + 1):
        yield rest
    for stop in range(start + 1, n_steps + 1):
        for kind in kinds:
            for rest in all_entities(n_steps, kinds, stop):
                yield [(kind, start, stop), *rest]


@pytest.mark.parametrize("n_steps", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_labelling_is_legal_if_and_only_if_it_spells_entities(name, n_steps):
    labels = labels_of(name)
    forbidden = set(forbidden_by_scheme(name, labels))
    legal = {
        path
        for path in itertools.product(labels, repeat=n_steps)
        if not forbidden & set(itertools.pairwise([None, *path, None]))
    }
    spelled = {tuple(spell(name, e, n_steps)): e for e in all_entities(n_steps, ("A", "B"))}
    assert legal == spelled.keys()
    for path, entities in spelled.items():
        assert list(scheme_of(name).entities(path)) == entities


def test_names():
    assert SCHEMES["bio"] is SCHEMES["iob2"]
    assert SCHEMES["bioes"] is SCHEMES["iobes"]
    for wrong in ("conll", "BIO", None, 3, ["bio"]):
        with pytest.raises(ValueError, match="scheme must be one of 'iob1', 'iob2', 'bio'"):
            scheme_of(wrong)


@pytest.mark.parametrize("label", ["NOUN", "X-A", "O-A", "B-", "-A", "", 3, None, "b-A", "S-A"])
def test_labels_without_scheme_are_refused(label):
    with pytest.raises(ValueError, match=f"labels must be O, B-type or I-type, got {label!r}"):
        forbidden_by_scheme("bio", ["O", label])


def test_no_labels_no_pairs():
    assert forbidden_by_scheme("bio", []) == []
    assert forbidden_by_scheme("iobes", ["B-A"]) == [("B-A", "B-A"), ("B-A", None)]
    assert np.array(forbidden_by_scheme("bio", ["O", "I-A"])).tolist() == [
        [None, "I-A"],
        ["O", "I-A"],
    ]
