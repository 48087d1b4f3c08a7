"""Every accepted form of input gives the same bits; everything else gets one clear sentence."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnkit.sequences import Sequences
from rnnkit.sequences.reading import check_lengths

read = Sequences.from_any


@pytest.fixture
def X():
    """A padded array without padding, (5, 4, 3)."""
    return np.random.RandomState(0).randn(5, 4, 3)


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def assert_bits(actual, expected):
    assert actual.values.dtype == expected.values.dtype
    assert actual.values.flags.c_contiguous
    assert actual.values.flags.aligned
    assert actual.values.dtype.isnative
    assert actual.offsets.tolist() == expected.offsets.tolist()
    assert actual.values.tobytes() == expected.values.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_all_forms_give_the_same_bits(X, dtype):
    X = (X * 100).astype(dtype)
    expected = read(X)
    assert expected.values.dtype == (np.float32 if dtype == np.float32 else np.float64)
    forms = [
        list(X),
        tuple(X),
        object_array(list(X)),
        expected,
        expected.to_list(),
        Sequences(X.reshape(-1, 3), np.arange(6) * 4),
    ]
    for form in forms:
        assert_bits(read(form), expected)
    assert_bits(read(X.reshape(5, 12), step_features=3), expected)
    assert_bits(read(list(X.reshape(5, 12)), step_features=3), expected)


def test_nested_lists_are_read_as_float64(X):
    assert_bits(read(X.tolist()), read(X))


def test_two_dimensions_are_univariate_series():
    X = np.arange(12.0).reshape(3, 4)
    for form in (X, X[:, :, None], list(X), X.tolist(), list(X[:, :, None])):
        assert_bits(read(form), read(X))
    assert read(X).lengths.tolist() == [4, 4, 4]


def test_ragged_forms(X):
    lengths = [4, 1, 2, 3, 4]
    expected = read(X, lengths)
    assert expected.lengths.tolist() == lengths
    assert_bits(read([x[:length] for x, length in zip(X, lengths)]), expected)
    assert_bits(read(X.reshape(5, 12), lengths, step_features=3), expected)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.data(),
)
def test_padding_and_lists_agree(X, data):
    n, n_steps, _ = X.shape
    lengths = data.draw(st.lists(st.integers(1, n_steps), min_size=n, max_size=n))
    padded = read(X, lengths)
    assert_bits(read([x[:length] for x, length in zip(X, lengths)]), padded)
    again, again_lengths = padded.to_padded()
    assert_bits(read(again, again_lengths), padded)


@pytest.mark.parametrize("make", ["float64", "float32"])
def test_plain_arrays_are_not_copied(X, make):
    X = X.astype(make)
    assert np.shares_memory(read(X).values, X)
    assert np.shares_memory(read(X.reshape(5, 12)).values, X)
    assert np.shares_memory(read(X, [4] * 5).values, X)
    sequences = read(X)
    assert read(sequences) is sequences


def misaligned(X):
    buffer = bytearray(X.nbytes + 1)
    buffer[1:] = X.tobytes()
    return np.frombuffer(buffer, dtype=X.dtype, count=X.size, offset=1).reshape(X.shape)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


class Subclass(np.ndarray):
    pass


LAYOUTS = {
    "big-endian float64": lambda X: X.astype(">f8"),
    "fortran": np.asfortranarray,
    "negative strides": lambda X: X[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "every second": lambda X: np.repeat(np.repeat(X, 2, axis=1), 2, axis=2)[:, ::2, ::2],
    "read-only": read_only,
    "misaligned": misaligned,
    "subclass": lambda X: X.view(Subclass),
    "masked array without masked entries": lambda X: np.ma.masked_array(X),
    "object": lambda X: X.astype(object),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout_is_read_and_never_written(X, layout):
    given_X = LAYOUTS[layout](X)
    before = given_X.copy()
    assert_bits(read(given_X), read(X))
    assert_bits(read(list(given_X)), read(X))
    assert_bits(read(given_X, [4, 1, 2, 3, 4]), read(X, [4, 1, 2, 3, 4]))
    np.testing.assert_array_equal(given_X, before)
    assert type(read(given_X).values) is np.ndarray


def test_big_endian_float32_stays_float32(X):
    assert_bits(read(X.astype(">f4")), read(X.astype(np.float32)))


def test_broadcast_and_overlapping_views():
    broadcast = np.broadcast_to(np.arange(3.0), (5, 4, 3))
    assert_bits(read(broadcast), read(broadcast.copy()))
    series = np.arange(20.0)
    series.flags.writeable = False
    windows = np.lib.stride_tricks.sliding_window_view(series, 6)
    assert_bits(read(windows), read(windows.copy()))
    assert_bits(read(windows[:, :, None]), read(windows.copy()))


def test_read_only_memmap(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_bits(read(mapped), read(X))
    assert np.shares_memory(read(mapped).values, mapped)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
def test_integers_become_float64_exactly(dtype):
    X = np.array([[[0], [1], [100]], [[1], [0], [7]]]).astype(dtype)
    assert_bits(read(X), read(X.astype(np.float64)))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_other_floats_become_float64(dtype):
    X = np.array([[[0.5], [1.25]]], dtype=dtype)
    assert_bits(read(X), read(X.astype(np.float64)))


@pytest.mark.parametrize(
    "value, dtype", [(2**53 + 1, "uint64"), (2**64 - 1, "uint64"), (-(2**53) - 1, "int64")]
)
def test_integers_that_would_be_rounded_are_refused(value, dtype):
    X = np.array([[value, 0]], dtype=dtype)
    with pytest.raises(ValueError, match=f"X holds the integer {value}, which float64 cannot hold"):
        read(X)
    with pytest.raises(ValueError, match="cannot hold exactly"):
        read(X.astype(object))


@pytest.mark.parametrize("value, dtype", [(2**53, "uint64"), (2**60, "int64"), (-(2**63), "int64")])
def test_large_integers_that_fit_are_kept(value, dtype):
    assert read(np.array([[value]], dtype=dtype)).values[0, 0] == float(value)


def test_mixed_list_is_float64_unless_all_are_float32():
    a, b = np.ones((2, 1), dtype=np.float32), np.full((1, 1), 0.1)
    assert read([a, a]).values.dtype == np.float32
    assert_bits(read([a, b]), read([a.astype(np.float64), b]))
    assert_bits(read([a, np.ones((1, 1), dtype=int)]), read([np.ones((2, 1)), np.ones((1, 1))]))


def test_padding_is_never_looked_at(X):
    lengths = [4, 1, 2, 3, 4]
    zeros, poisoned, huge = X.copy(), X.copy(), X.copy()
    for x, y, z, length in zip(zeros, poisoned, huge, lengths):
        x[length:], y[length:], z[length:] = 0, np.nan, np.inf
    assert_bits(read(poisoned, lengths), read(zeros, lengths))
    assert_bits(read(huge, lengths), read(zeros, lengths))


def test_a_frame_is_two_dimensional():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert_bits(read(frame), read(np.array([[1, 0.5], [2, 1.5]])))
    series = pandas.Series([np.ones((2, 1)), np.zeros((3, 1))], index=[7, 3])
    assert read(series).lengths.tolist() == [2, 3]


class FakeCupy:
    __cuda_array_interface__ = {}


def no_numbers():
    yield 1.0


REFUSED = {
    "empty list": ([], ValueError, r"0 sample\(s\).* minimum of 1 is required"),
    "empty array": (np.empty((0, 4, 3)), ValueError, r"0 sample\(s\).* minimum of 1 is required"),
    "empty 2-D": (np.empty((0, 4)), ValueError, r"0 sample\(s\).* minimum of 1 is required"),
    "no feature": (
        np.empty((2, 4, 0)),
        ValueError,
        r"0 feature\(s\) \(shape=\(2, 4, 0\)\) while a minimum of 1 is required",
    ),
    "no column": (
        np.empty((2, 0)),
        ValueError,
        r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum of 1 is required",
    ),
    "list without feature": ([np.empty((3, 0))], ValueError, r"0 feature\(s\)"),
    "Sequences without feature": (
        Sequences(np.empty((3, 0)), [0, 3]),
        ValueError,
        r"0 feature\(s\)",
    ),
    "no step": (np.empty((2, 0, 3)), ValueError, r"sequence 0 is empty \(length 0\)"),
    "one empty": ([np.ones((2, 3)), np.empty((0, 3))], ValueError, r"sequence 1 is empty"),
    "one empty list": ([[1.0], [2.0], []], ValueError, r"sequence 2 is empty"),
    "empty in Sequences": (Sequences(np.ones(2), [0, 0, 2]), ValueError, r"sequence 0 is empty"),
    "no sequence": (Sequences(np.ones(0), [0]), ValueError, r"0 sample\(s\)"),
    "1-D": (np.ones(4), ValueError, "Expected 2D or 3D array.*got 1D array.*Reshape your data"),
    "list of numbers": ([1.0, 2.0], ValueError, "Expected 2D or 3D array.*Reshape your data"),
    "scalar": (np.float64(3), ValueError, "Expected 2D or 3D array.*got scalar array"),
    "4-D": (np.ones((1, 2, 3, 4)), ValueError, "Found array with dim 4"),
    "list of 3-D": ([np.ones((1, 2, 3))], ValueError, "sequence 0 has 3 dimensions"),
    "None": (None, TypeError, "X must be an array.*got NoneType"),
    "string": ("text", TypeError, "X must be an array.*got str"),
    "dict": ({"a": 1}, TypeError, "X must be an array.*got dict"),
    "generator": (no_numbers(), TypeError, "X must be an array.*got generator"),
    "number": (3, TypeError, "X must be an array.*got int"),
    "None inside": ([[1.0], None], ValueError, "sequence 1 is a NoneType"),
    "strings inside": (["text"], ValueError, "sequence 0 is a str"),
    "generator inside": ([no_numbers()], TypeError, "X: sequence 0 must be an array.*generator"),
    "other width": (
        [np.ones((2, 4))] * 3 + [np.ones((2, 5))],
        ValueError,
        "sequence 3 has 5 features, expected 4",
    ),
    "ragged step": ([[[1.0, 2.0], [1.0]]], ValueError, "the steps of sequence 0 differ"),
    "complex": (np.ones((2, 3), dtype=complex), ValueError, "Complex data not supported"),
    "complex objects": (
        np.array([[1j, 1]], dtype=object),
        ValueError,
        "Complex data not supported",
    ),
    "strings": (np.array([["a", "b"]]), ValueError, "X must hold real numbers, got dtype <U1"),
    "objects": (np.array([["1", 2]], dtype=object), ValueError, "got the string '1'"),
    "object no number": (
        np.array([[{}, 2]], dtype=object),
        TypeError,
        "X must hold real numbers:.* argument must be a string or a real number, not 'dict'",
    ),
    "dates": (np.array([["2020-01-01"]], "M8[D]"), ValueError, "X must hold real numbers"),
    "sparse": (scipy.sparse.csr_array(np.eye(3)), TypeError, "Sparse data was passed"),
    "masked": (
        np.ma.masked_array(np.ones((2, 3)), mask=np.eye(2, 3)),
        ValueError,
        "X is a masked array with masked entries",
    ),
    "masked inside": (
        [np.ma.masked_array(np.ones((2, 3)), mask=np.eye(2, 3))],
        ValueError,
        "X: sequence 0 is a masked array",
    ),
    "cupy": (FakeCupy(), TypeError, r'\.get\(\), or use device="cuda"'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    X, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        read(X)


@pytest.mark.parametrize(
    "value, what", [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_not_finite_are_located(X, value, what, dtype):
    X = X.astype(dtype)
    X[2, 1, 0] = value
    for form in (X, list(X), object_array(list(X)), Sequences(X.reshape(-1, 3), np.arange(6) * 4)):
        message = f"Input X contains {what}: sequence 2, step 1, feature 0"
        with pytest.raises(ValueError, match=message):
            read(form)


def test_position_in_ragged_data():
    X = [np.ones((1, 2)), np.ones((3, 2)), np.ones((2, 2))]
    X[2][1, 1] = np.nan
    with pytest.raises(ValueError, match="sequence 2, step 1, feature 1"):
        read(X)


def test_large_values_whose_sum_overflows_are_accepted():
    X = np.full((1, 4, 1), 1e308)
    assert read(X).values.sum(axis=1)[0] == 1e308


def test_the_argument_is_named(X):
    X[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        read(X, name="y")


def test_float64_beyond_float32_is_refused():
    X = np.full((1, 2, 1), 1e39)
    for form in (X, list(X), Sequences(X.reshape(2, 1), [0, 2])):
        with pytest.raises(ValueError, match="1e\\+39, which is too large for float32"):
            read(form, dtype=np.float32)
    assert read(X / 10, dtype=np.float32).values.dtype == np.float32


def test_longdouble_beyond_float64_is_refused():
    largest = np.finfo(np.longdouble).max
    if largest <= np.finfo(np.float64).max:
        pytest.skip("longdouble is float64 here")
    with pytest.raises(ValueError, match="too large for float64"):
        read(np.full((1, 2), largest))


def test_nan_where_allowed_but_never_infinity():
    X = np.array([[np.nan, 1.0]])
    assert np.isnan(read(X, allow_nan=True).values[0, 0])
    assert np.isnan(read(read(X, allow_nan=True), allow_nan=True).values[0, 0])
    X[0, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity: sequence 0, step 1"):
        read(X, allow_nan=True)


def test_nan_is_reported_before_it_is_converted():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        read(np.full((1, 2), np.nan), dtype=np.float32)


@pytest.mark.parametrize(
    "lengths, error, message",
    [
        ([4], ValueError, r"lengths must have shape \(2,\), got \(1,\)"),
        ([[4, 4]], ValueError, r"lengths must have shape \(2,\), got \(1, 2\)"),
        ([4, 5], ValueError, r"lengths\[1\] must be between 0 and 4, got 5"),
        ([-1, 4], ValueError, r"lengths\[0\] must be between 0 and 4, got -1"),
        ([4, 0], ValueError, r"sequence 1 is empty \(length 0\)"),
        ([1.5, 2.0], TypeError, "lengths must be integers, got dtype float64"),
        ([np.nan, 2.0], TypeError, "lengths must be integers"),
        ([True, True], TypeError, "lengths must be integers, got dtype bool"),
        (["1", "2"], TypeError, "lengths must be integers"),
    ],
)
def test_wrong_lengths(lengths, error, message):
    with pytest.raises(error, match=message):
        read(np.ones((2, 4, 3)), lengths)


def test_whole_float_lengths_are_accepted():
    assert check_lengths(np.array([2.0, 3.0]), 2, 3).dtype == np.intp


def test_lengths_of_objects_are_accepted_where_they_are_integers():
    assert check_lengths(np.array([2, np.int8(3)], dtype=object), 2, 3).tolist() == [2, 3]
    for lengths in ([2, True], [2, 1.5], [2, None]):
        with pytest.raises(TypeError, match="lengths must be integers"):
            check_lengths(np.array(lengths, dtype=object), 2, 3)
    with pytest.raises(ValueError, match=r"lengths\[1\] must be between 0 and 3"):
        check_lengths(np.array([2, 2**70], dtype=object), 2, 3)


def test_masked_lengths_are_refused():
    with pytest.raises(ValueError, match="lengths is a masked array with masked entries"):
        check_lengths(np.ma.masked_equal([2, 3], 3), 2, 3)


@pytest.mark.parametrize("X", [[[1.0], [2.0]], Sequences(np.ones(2), [0, 2])])
def test_lengths_belong_to_padded_arrays(X):
    with pytest.raises(ValueError, match="lengths belongs to a padded array"):
        read(X, lengths=[1] * len(X))


def test_empty_sequences_where_allowed():
    assert read([[1.0], []], allow_empty=True).lengths.tolist() == [1, 0]
    assert read([[], np.ones((2, 3))], allow_empty=True).n_features == 3
    assert read([[], []], allow_empty=True).values.shape == (0, 1)
    assert read(np.ones((2, 4, 3)), [0, 4], allow_empty=True).lengths.tolist() == [0, 4]
    assert read(np.ones((2, 0, 3)), allow_empty=True).lengths.tolist() == [0, 0]
    sequences = Sequences(np.ones(2), [0, 0, 2])
    assert read(sequences, allow_empty=True) is sequences


def test_step_features():
    with pytest.raises(
        ValueError, match="X has 7 columns, which is no multiple of step_features=3"
    ):
        read(np.ones((2, 7)), step_features=3)
    with pytest.raises(ValueError, match="sequence 0 has 7 values, which is no multiple of"):
        read([np.ones(7)], step_features=3)
    with pytest.raises(ValueError, match="step_features must be at least 1, got 0"):
        read(np.ones((2, 7)), step_features=0)
    for wrong in (1.0, "1", True, None):
        with pytest.raises(TypeError, match="step_features must be an integer"):
            read(np.ones((2, 7)), step_features=wrong)


def test_tokens_stay_integers():
    ids = [np.array([3, 0, 2]), np.array([1])]
    expected = Sequences(np.array([3, 0, 2, 1]), [0, 3, 4])
    for dtype in (np.uint8, np.int64, np.float32, np.float64, object):
        assert_bits(read([i.astype(dtype) for i in ids], dtype="tokens"), expected)
    assert_bits(read([[3, 0, 2], [1]], dtype="tokens"), expected)
    padded, lengths = expected.to_padded(fill=-1)
    assert_bits(read(padded, lengths, dtype="tokens"), expected)


@pytest.mark.parametrize(
    "X, message",
    [
        ([[1, -1]], "X must hold token ids of at least 0, got -1"),
        ([[1, 0.5]], "X must hold integer token ids, got 0.5"),
        ([[1, np.nan]], "X must hold integer token ids, got nan"),
        ([np.array([2**64 - 1], dtype=np.uint64)], r"X must hold token ids below 2\*\*63"),
    ],
)
def test_wrong_tokens(X, message):
    with pytest.raises(ValueError, match=message):
        read(X, dtype="tokens")


def test_from_list_and_from_array_name_their_argument():
    with pytest.raises(ValueError, match="sequences: sequence 1 is empty"):
        Sequences.from_list([[1.0], []])
    with pytest.raises(ValueError, match="X must hold real numbers"):
        Sequences.from_array([["a"]])


@given(
    hnp.arrays(
        hnp.scalar_dtypes(),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
    )
)
def test_any_array_is_read_or_refused_in_one_sentence(X):
    message = None
    try:
        sequences = read(X)
    except (TypeError, ValueError) as error:
        message = str(error)
    if message is not None:
        assert "\n" not in message
        return
    assert np.isfinite(sequences.values).all()
    assert sequences.values.dtype in (np.float32, np.float64)
    assert sequences.values.size == X.size


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "Int64", "UInt8", "boolean"])
def test_nullable_arrays_are_no_masked_arrays(dtype):
    pandas = pytest.importorskip("pandas")
    whole, gap = pandas.array([1, 0, 1], dtype), pandas.array([1, None], dtype)
    X = Sequences.from_any([whole, whole])
    assert [x.ravel().tolist() for x in X] == [[1, 0, 1]] * 2
    for other in (pandas.array([1, None], dtype), pandas.Series(gap)):
        X = Sequences.from_any([whole, other], allow_nan=True)
        np.testing.assert_array_equal(X[1].ravel(), [1, np.nan])
        with pytest.raises(ValueError, match=r"X contains (<NA>|NaN)"):
            Sequences.from_any([whole, other])
