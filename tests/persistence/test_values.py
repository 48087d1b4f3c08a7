"""Plain values come back as they were, whatever they are made of."""

import json
import string
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from persistence.same import differences

from rnnkit.exceptions import FormatError
from rnnkit.persistence.container import Bytes, Container, layout, parse_json
from rnnkit.persistence.decoding import Decoder
from rnnkit.persistence.encoding import Encoder
from rnnkit.persistence.random_states import STATES, restore_random_state, state_of


def through(value):
    """Return a value that went through the bytes of a file."""
    encoder = Encoder(lambda value, place, encoder: None)
    node = encoder.encode(value, "value")
    text = json.dumps(node, allow_nan=False)
    content = b"".join(map(bytes, layout(encoder.arrays, {})))
    container = Container(Bytes(content))
    found = Decoder(container, None).decode(parse_json(text, "it"))
    container.require_all_read()
    return found


DATES = st.one_of(
    arrays.datetime64_dtypes(endianness="?"), arrays.timedelta64_dtypes(endianness="?")
)
NUMBERS = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
TEXTS = st.one_of(arrays.unicode_string_dtypes(max_len=4), arrays.byte_string_dtypes(max_len=4))
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.dates(), st.datetimes(), st.timedeltas(), DATES.flatmap(arrays.from_dtype),
    NUMBERS.flatmap(lambda d: arrays.from_dtype(d)).map(lambda v: v),
)  # fmt: skip
SCALARS = st.one_of(
    st.floats(width=32).map(np.float32), st.floats().map(np.float64), st.booleans().map(np.bool_),
    st.integers(-128, 127).map(np.int8), st.integers(0, 2**64 - 1).map(np.uint64),
    st.text(alphabet=string.printable).map(np.str_),
)  # fmt: skip
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ARRAYS = st.one_of(NUMBERS, DATES, TEXTS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))
KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.tuples(st.text(), st.integers()))
VALUES = st.recursive(
    st.one_of(ATOMS, SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_plain_value(value):
    assert differences(value, through(value)) == []


LONG = {
    "floats": [0.1 * i for i in range(100)] + [float("nan"), float("-inf"), -0.0],
    "integers": list(range(-50, 50)) + [2**63 - 1, -(2**63)],
    "large integers": [2**70 + i for i in range(100)],
    "texts": [f"é{i}" for i in range(100)] + ["", "\ud800", "\0"],
    "mixed": [*range(50), "a", None],
    "booleans": [True, False] * 30,
    "table": {f"word {i}": i for i in range(100)},
    "table of numbers": {i: float(i) for i in range(100)},
    "set": {3, 1, 2},
    "set of texts": frozenset(f"{i}" for i in range(40)),
    "slices": [slice(1, None, 2), slice(None), range(3, 9, 2)],
    "types": [float, int, str, bool, object, np.float32, np.int64, np.dtype(">f8"), np.dtype("U5")],
    "objects": np.array([1, "a", None, (1, 2), 2.5], object),
    "texts of arrays": np.array([["a", "bc"], ["", "d"]], "<U7"),
    "vectors by word": {f"word {i}": np.arange(4.0) + i for i in range(50)},
    "vectors": [np.arange(4, dtype=np.float32) * i for i in range(50)],
    "vectors that differ": [np.arange(4.0 + i) for i in range(50)],
    "dates": [date(2020, 2, 29), datetime(2020, 1, 1, 3, 4, 5, 6), timedelta(-3, 5, 7)],
    "dates of NumPy": [np.datetime64("2020-01-01"), np.datetime64("NaT"), np.timedelta64(-3, "us")],
    "arrays of dates": [
        np.array(["2020-01-01", "NaT"], f"{order}M8[{unit}]")
        for order in "<>"
        for unit in ("Y", "W", "D", "ns", "as")
    ],
    "dates by column": np.asfortranarray(np.arange(6).reshape(2, 3).astype("m8[s]"))[::-1],
    "by column": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "read-only": np.broadcast_to(np.arange(3.0), (2, 3)),
    "backwards": np.arange(6)[::-2],
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_long_or_rare(name):
    value, found = LONG[name], through(LONG[name])
    assert differences(value, found) == []
    if isinstance(value, np.ndarray):
        assert found.flags.writeable


def test_the_order_of_an_array_in_memory_is_kept():
    found = through([np.asfortranarray(np.ones((3, 4))), np.ones((3, 4))])
    assert [array.flags.c_contiguous for array in found] == [False, True]


def test_what_was_one_array_is_one_again():
    array = np.arange(3.0)
    first, second, third = through([array, (array,), array.copy()])
    assert first is second[0]
    assert third is not first


@pytest.mark.parametrize(
    "value",
    [1j, np.complex64(1), np.array([1j]), np.longdouble(1), np.array([1], np.longdouble), len,
     object(), Ellipsis, iter([]), np.array([3], "M8[25s]"), np.ma.masked_array([1]),
     np.zeros(1, [("a", int)]), type("Own", (), {}), json, {"a": [object()]}, bytearray(b"a"),
     np.timedelta64(3, "25s"), datetime(2020, 1, 1, tzinfo=UTC), time(1), np.matrix([[1]]),
     range(10**18), range(0, -(10**30), -1)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(TypeError, match=r"^cannot save value"):
        through(value)


def test_a_range_that_nobody_could_go_through_is_refused():
    """A few bytes can tell one; what looks at each of its numbers would never end."""
    for numbers in (range(10), range(5, -5, -2), range(0), range(3, 3), range(2**20)):
        assert through(numbers) == numbers
    decoder = Decoder(Container(Bytes(b"".join(map(bytes, layout({}, {}))))), None)
    for parts in ([0, 10**18, 1], [0, 2**20 + 1, 1], [10**30, 0, -1]):
        with pytest.raises(FormatError, match="is longer than any that a file may hold"):
            decoder.decode({"range": parts})


@pytest.mark.parametrize("told", [
    None, 3, [], ["date"], ["date", 3], ["date", "2020-13-01"], ["date", "2020-01-01T00:00"],
    ["datetime", "2020-01-01T00:00:00+01:00"], ["datetime", "20200101"], ["time", "01:00"],
    ["timedelta", [1, 2]], ["timedelta", [10**30, 0, 0]], ["timedelta", [0, 0, 10**7]],
    ["timedelta", [0.5, 0, 0]], ["<M8[D]", 2**63], ["<M8[D]", 1.0], ["<M8[D]", True],
    ["<M8[25s]", 1], ["<i8", 1], [["date"], "2020-01-01"],
], ids=repr)  # fmt: skip
def test_dates_that_are_none_are_refused(told):
    decoder = Decoder(Container(Bytes(b"".join(map(bytes, layout({}, {}))))), None)
    with pytest.raises(FormatError, match="no date is"):
        decoder.decode({"date": told})


def test_dates_are_made_of_integers_alone():
    content = b"".join(map(bytes, layout({"a": np.ones(3)}, {})))
    decoder = Decoder(Container(Bytes(content)), None)
    with pytest.raises(FormatError, match="says that it has"):
        decoder.decode({"array": {"data": "a", "dtype": "<M8[D]"}})


def test_subclasses_are_no_plain_values():
    class Text(str):
        __slots__ = ()

    for value in (Text("a"), type("Table", (dict,), {})(a=1), type("Float", (float,), {})(1.5)):
        with pytest.raises(TypeError, match="files of rnnkit carry no"):
            through(value)


KINDS = sorted(STATES)


def generators():
    for kind in KINDS:
        for wrap in (np.random.RandomState, np.random.Generator):
            generator = wrap(getattr(np.random, kind)(3))
            generator.standard_normal(3)
            generator.bytes(5)
            yield generator


@pytest.mark.parametrize("generator", [*generators()], ids=str)
def test_generators_go_on(generator):
    found = through(generator)
    assert differences(generator, found) == []
    np.testing.assert_array_equal(found.standard_normal(99), generator.standard_normal(99))


def edits_of(state, path=()):
    for name, value in state.items():
        if isinstance(value, dict):
            yield from edits_of(value, (*path, name))
        else:
            others = [None, "a", -1, 2**200, value[:1] if isinstance(value, np.ndarray) else 1.5j]
            yield from ((*path, name, other) for other in others)


@pytest.mark.parametrize("kind", KINDS)
def test_positions_beyond_a_generators_memory_are_refused(kind):
    for wrap in (np.random.RandomState, np.random.Generator):
        plain = state_of(wrap(getattr(np.random, kind)(3)), "it")
        for *path, name, other in edits_of(plain):
            edited = through(plain)
            table = edited
            for part in path:
                table = table[part]
            table[name] = other
            with pytest.raises(FormatError):
                restore_random_state(edited)
            del table[name]
            with pytest.raises(FormatError):
                restore_random_state(edited)
