"""Any array in any place: an answer with the bits of the same numbers in plain form, or a sentence.

The oracle is the array's content: copied to C order, native bytes and the dtype computed in, it
must give the same bits; and what holds no numbers, or numbers that are none, must be refused.
"""

import copy
import functools
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reliability.faults import LABELS, X, small

import rnnkit
from rnnkit.functional import recurrent

QUICK = settings(
    max_examples=300, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
KINDS = st.one_of(
    arrays.floating_dtypes(endianness="?"),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.boolean_dtypes(),
    st.sampled_from(["c8", "c16", "O", "U3", "S2", "M8[s]", "m8[s]", "g", "V4", "f4,i4"]),
).map(np.dtype)
FORMS = {
    "as it is": lambda a: a,
    "Fortran": np.asfortranarray,
    "backwards": lambda a: np.flip(a),
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "turned": lambda a: np.ascontiguousarray(a.swapaxes(0, -1)).swapaxes(0, -1),
    "read-only": lambda a: as_read_only(a),
    "not aligned": lambda a: not_aligned(a),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "a list": list,
    "lists": np.ndarray.tolist,
    "a tuple": tuple,
    "objects": lambda a: a.astype(object),
}


def as_read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def not_aligned(array):
    if array.dtype.hasobject:
        return array
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    memory[:] = np.frombuffer(array.tobytes(), np.uint8)
    return memory.view(array.dtype).reshape(array.shape)


@st.composite
def any_array(draw):
    """Return an array that may be anything, often one that is almost right."""
    dtype = draw(KINDS)
    shape = draw(
        st.one_of(
            st.sampled_from([(4, 5, 2), (1, 1, 2), (3, 2, 2), (2, 10)]),
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        )
    )
    if dtype.kind in "OV":
        values = draw(st.sampled_from([1, 2.5, "a", None, b"x", np.nan]))
        array = np.empty(shape, dtype)
        array[...] = values if dtype.kind == "O" else np.zeros((), dtype)
        return array
    elements = None
    if dtype.kind in "fc" and draw(st.booleans()):
        elements = st.floats(-100, 100, width=16)
    return draw(arrays.arrays(dtype, shape, elements=elements))


@functools.cache
def fitted(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return small(kind).fit(X, LABELS)


def plain(given):
    """Return the same numbers in native bytes and C order; None if they are none, or not finite."""
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "biufO" or array.size == 0:
            return None
        with np.errstate(all="ignore"):
            numbers = np.array(array, np.float32 if is_single(array) else np.float64, order="C")
    except (ValueError, TypeError, OverflowError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def is_single(array):
    return array.dtype.kind == "f" and array.dtype.itemsize == 4


def refusal(act, *arguments, **options):
    """Return (what a call gives, None), or (None, the error), which must be one for users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return act(*arguments, **options), None
        except (ValueError, TypeError) as error:
            text = str(error)
    assert 10 < len(text) < 2000, text
    assert "Traceback" not in text, text
    return None, text


def bits_of(array):
    """Return the content of an array; of objects what they are, not where they lie in memory."""
    return pickle.dumps(array.tolist()) if array.dtype.hasobject else array.tobytes()


@QUICK
@given(any_array(), st.sampled_from(list(FORMS)))
def test_predict(array, form):
    try:
        X = FORMS[form](array)
    except (ValueError, IndexError, TypeError):
        return  # an array that does not have this form
    model = fitted("LSTMClassifier")
    attributes = copy.copy(vars(model))
    before = copy.deepcopy(X)
    answer, error = refusal(model.predict_proba, X)
    numbers = plain(X)
    if error is None:
        assert numbers is not None, "no numbers, and yet an answer"
        assert np.isfinite(answer).all()
        assert answer.shape == (len(numbers), 2)
        expected = model.predict_proba(numbers)
        assert answer.dtype == expected.dtype
        assert answer.tobytes() == expected.tobytes()
    elif numbers is not None and numbers.ndim == 3 and numbers.shape[2] == 2:
        dtype = np.asarray(X).dtype
        assert dtype.kind not in "biuf" or dtype.itemsize > 4, error
    assert vars(model) == attributes
    if isinstance(before, np.ndarray):
        assert bits_of(X) == bits_of(before)


@QUICK
@given(any_array(), any_array())
def test_fit(array, y):
    """What is refused leaves the estimator unfitted; what is not can be asked."""
    model = small("GRUClassifier", max_iter=1)
    parameters = model.get_params()
    for targets in (y, np.arange(np.shape(array)[0] if np.ndim(array) else 0) % 2):
        _, error = refusal(model.fit, array, targets)
        if error is None:
            assert np.isfinite(model.predict_proba(array)).all()
            model = small("GRUClassifier", max_iter=1)
        else:
            assert vars(model) == parameters


SIZES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))


@QUICK
@given(SIZES, any_array(), st.sampled_from(["x", "lengths", "h0", "c0", "weight", "bias", "dy"]))
def test_functional(sizes, array, place):
    """Any array in any place of a call on plain arrays."""
    n, t, i, h = sizes
    rng = np.random.RandomState(n)
    x, h0, c0 = rng.randn(n, t, i), rng.randn(1, n, h), rng.randn(1, n, h)
    weights = {"weight_ih_l0": rng.randn(4 * h, i), "weight_hh_l0": rng.randn(4 * h, h)}
    call = {"x": x, "h0": h0, "c0": c0, "lengths": None, "dy": rng.randn(n, t, h)}
    if place == "weight":
        weights["weight_hh_l0"] = array
    elif place == "bias":
        weights["bias_ih_l0"] = array
    else:
        call[place] = array
    dy, x = call.pop("dy"), call.pop("x")
    result, error = refusal(recurrent, x, weights, **call)
    if error is not None:
        return
    gradients, error = refusal(result.backward, dy)
    assert len(result.y) == len(x)
    assert error is not None or gradients["weight_hh_l0"].shape == (4 * h, h)


@QUICK
@given(any_array(), any_array())
def test_sequences(values, offsets):
    sequences, error = refusal(rnnkit.Sequences, values, offsets)
    if error is not None:
        return
    assert sum(len(part) for part in sequences.to_list()) == len(values)
    assert len(sequences) == len(offsets) - 1


def test_a_wrong_answer_is_seen(monkeypatch):
    """Planted: what lies in memory is read without a look at its strides."""
    honest = rnnkit.LSTMClassifier.predict_proba

    def blind(self, X):
        if isinstance(X, np.ndarray) and X.dtype.kind in "fiu" and X.ndim == 3:
            X = X.ravel(order="K").reshape(X.shape)
        return honest(self, X)

    monkeypatch.setattr(rnnkit.LSTMClassifier, "predict_proba", blind)
    array = np.asfortranarray(np.random.RandomState(0).randn(3, 4, 2))
    with pytest.raises(AssertionError):
        test_predict.hypothesis.inner_test(array, next(iter(FORMS)))
