"""Every form of X is recognised, and results per step come back in it."""

import numpy as np
import pandas as pd
import pytest

from rnnkit.sequences import Form, Sequences, split_steps

LENGTHS = [2, 3, 1]
OFFSETS = np.array([0, 2, 5, 6])


def object_array(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def ragged(n_features=2):
    rng = np.random.RandomState(0)
    return [rng.randn(n, n_features) for n in LENGTHS]


FORMS = {
    "3-D array": (np.ones((3, 5, 2)), "array", 5),
    "2-D array": (np.ones((3, 6)), "rows", 3),
    "frame": (pd.DataFrame(np.ones((3, 6))), "rows", 3),
    "list of 2-D": (ragged(), "list", 0),
    "tuple": (tuple(ragged()), "list", 0),
    "list of 1-D": ([x[:, 0] for x in ragged()], "list", 0),
    "list of equally long lists": ([[1.0, 2.0], [3.0, 4.0]], "list", 0),
    "object array": (object_array(ragged()), "objects", 0),
    "series of arrays": (pd.Series(ragged()), "objects", 0),
    "object array of equal lengths": (object_array([np.ones((2, 1))] * 3), "objects", 0),
    "Sequences": (Sequences.from_list(ragged()), "sequences", 0),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_recognised(name):
    X, kind, n_steps = FORMS[name]
    form = Form.of(X, step_features=2)
    assert (form.kind, form.n_steps) == (kind, n_steps)
    assert form.is_dense == (kind in ("array", "rows"))


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if not form[2]])
def test_ragged_results_with_features_come_in_the_kind_of_x(name):
    X, kind, _ = FORMS[name]
    values = np.arange(12.0).reshape(6, 2)
    restored = Form.of(X).restore(values, OFFSETS)
    expected = {"list": list, "objects": np.ndarray, "sequences": Sequences}[kind]
    assert type(restored) is expected
    assert len(restored) == 3
    for actual, part in zip(restored, np.split(values, [2, 5])):
        np.testing.assert_array_equal(actual, part)


@pytest.mark.parametrize("values", [np.array(list("abcdef")), np.arange(6)])
@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if not form[2]])
def test_ragged_results_without_features_come_in_an_object_array(name, values):
    restored = Form.of(FORMS[name][0]).restore(values, OFFSETS)
    assert restored.dtype == object
    assert [labels.tolist() for labels in restored] == [
        part.tolist() for part in np.split(values, [2, 5])
    ]


@pytest.mark.parametrize("name", ["3-D array", "2-D array", "frame"])
def test_dense_results_are_zero_beyond_the_length(name):
    X, _, n_steps = FORMS[name]
    form = Form.of(X, step_features=2)
    restored = form.restore(np.arange(1.0, 13.0).reshape(6, 2), OFFSETS)
    assert restored.shape == (3, n_steps, 2)
    for actual, length in zip(restored, LENGTHS):
        assert (actual[:length] > 0).all()
        assert (actual[length:] == 0).all()
    words = form.restore(np.array(list("abcdef"), object), OFFSETS)
    assert words[2].tolist() == ["f", *[None] * (n_steps - 1)]
    assert form.restore(np.arange(6), OFFSETS).shape == (3, n_steps)


def test_new_steps_come_in_the_very_shape_of_x():
    values = np.arange(6.0)[:, None]
    flat = [x[:, 0] for x in ragged()]
    assert [x.shape for x in Form.of(flat).restore_data(values, OFFSETS)] == [(2,), (3,), (1,)]
    assert Form.of(object_array(flat)).restore_data(values, OFFSETS)[1].tolist() == [2, 3, 4]
    assert [x.shape[1] for x in Form.of(flat).restore_data(np.ones((6, 2)), OFFSETS)] == [2] * 3
    rows = Form.of(np.ones((3, 6)), step_features=2)
    assert rows.restore_data(np.ones((9, 4)), np.array([0, 3, 6, 9])).shape == (3, 12)
    assert Form.of(ragged(1)).restore_data(values, OFFSETS)[0].shape == (2, 1)
    steps = Sequences.from_list(flat)
    assert isinstance(Form.of(steps).restore_data(values, OFFSETS), Sequences)


def test_split_steps_gives_views():
    values = np.arange(6.0)
    pieces = split_steps(values, OFFSETS)
    assert all(np.shares_memory(piece, values) for piece in pieces)
