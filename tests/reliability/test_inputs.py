"""Faults 1 to 42: what X, y, lengths and weights may be given as."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from reliability.faults import (
    LABELS,
    NUMBERS,
    TAGS,
    Faults,
    X,
    refused,
    refused_unchanged,
    same_bits,
    small,
)

import rnnkit

fault = Faults()
RAGGED = [x[: 2 + i % 4] for i, x in enumerate(X)]


@fault(1, "X holds no sequence")
def _():
    for empty in ([], np.zeros((0, 5, 2)), np.zeros((0, 5))):
        refused_unchanged(ValueError, r"0 sample\(s\)|minimum of 1", small(), empty, [])


@fault(2, "X has no features")
def _():
    refused_unchanged(ValueError, r"0 feature\(s\)", small(), np.zeros((4, 5, 0)), [0, 1, 0, 1])
    refused(ValueError, "feature", small().fit, [np.zeros((3, 0))] * 2, [0, 1])


@fault(3, "X has no steps")
def _():
    refused_unchanged(ValueError, r"empty|0 feature", small(), np.zeros((4, 0, 2)), [0, 1, 0, 1])


@fault(4, "one sequence of a list is empty")
def _():
    sequences = [*RAGGED[:3], np.zeros((0, 2)), *RAGGED[4:]]
    refused_unchanged(ValueError, r"sequence 3 is empty \(length 0\)", small(), sequences, LABELS)


@fault(5, "X has one dimension")
def _():
    refused_unchanged(ValueError, "Expected 2D or 3D.*[Rr]eshape", small(), X[:, 0, 0], LABELS)


@fault(6, "X has four dimensions")
def _():
    refused_unchanged(ValueError, "array with dim 4", small(), X[..., None], LABELS)


@fault(7, "X is None, a string, a dict, a generator or a set")
def _():
    for wrong in (None, "text", {"a": 1}, (x for x in X), {1, 2}, 3.0, object()):
        refused_unchanged((TypeError, ValueError), r"\bX\b", small(), wrong, LABELS)


@fault(8, "sequences of a list have different features")
def _():
    sequences = [np.ones((3, 4)), np.ones((2, 4)), np.ones((1, 4)), np.ones((3, 5))]
    refused(ValueError, "sequence 3 has 5 features, expected 4", small().fit, sequences, [0, 1] * 2)


@fault(9, "a list of arrays of one dimension is one feature a step")
def _():
    thin = [x[:, 0] for x in RAGGED]
    model = small().fit(thin, LABELS)
    assert model.n_features_in_ == 1
    same_bits(model.predict_proba(thin), model.predict_proba([x[:, :1] for x in RAGGED]))


@fault(10, "X holds NaN")
def _():
    wrong = X.copy()
    wrong[7, 3, 1] = np.nan
    refused_unchanged(ValueError, "contains NaN.*sequence 7, step 3", small(), wrong, LABELS)


@fault(11, "X holds infinity")
def _():
    for value in (np.inf, -np.inf):
        wrong = X.copy()
        wrong[2, 1, 0] = value
        refused_unchanged(ValueError, "contains infinity", small(), wrong, LABELS)


@fault(12, "a number is too large for float32")
def _():
    model = small().fit(X.astype(np.float32), LABELS)
    wrong = X.copy()
    wrong[0, 0, 0] = 1e39
    for ask in (model.predict, model.predict_proba, model.hidden_states):
        refused(ValueError, "too large for.*float32", ask, wrong)
    refused(ValueError, "too large for.*float32", small(precision="bf16").fit, wrong, LABELS)
    refused((ValueError, TypeError), "large|float64|range", small().fit, [[10**400]] * 2, [0, 1])


@fault(13, "NaN beyond the real steps")
def _():
    lengths = np.array([2 + i % 4 for i in range(len(X))])
    beyond = np.arange(5) >= lengths[:, None]
    holes, zeros = (np.where(beyond[..., None], fill, X) for fill in (np.nan, 0.0))
    answers = [
        small().fit(X_, LABELS, lengths=lengths).predict_proba(X_, lengths=lengths)
        for X_ in (holes, zeros)
    ]
    same_bits(*answers)


@fault(14, "y holds NaN or infinity")
def _():
    for value, what in ((np.nan, "NaN"), (np.inf, "infinity")):
        y = NUMBERS.copy()
        y[3] = value
        refused(ValueError, f"Input y contains {what}", small("LSTMRegressor").fit, X, y)


@fault(15, "y has another length than X")
def _():
    refused_unchanged(ValueError, r"inconsistent numbers.*24, 23", small(), X, LABELS[1:])
    refused(ValueError, "24|23", small("GRUSequenceTagger").fit, X, TAGS[1:])


@fault(16, "y is one column")
def _():
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning):
        model = small().fit(X, LABELS[:, None])
    same_bits(model.predict(X), small().fit(X, LABELS).predict(X))


@fault(17, "a classifier gets continuous y")
def _():
    refused_unchanged(ValueError, "Unknown label type", small(), X, NUMBERS)
    refused(ValueError, "Unknown label type", small("GRUSequenceTagger").fit, X, X[:, :, 0])


@fault(18, "y holds one class alone")
def _():
    refused_unchanged(ValueError, "at least 2 classes in y, got 1", small(), X, ["a"] * len(X))


@fault(19, "labels are text, booleans, objects, negative or huge numbers")
def _():
    up = LABELS == "up"
    for a, b in (
        ("x", "y"),
        (False, True),
        (-5, 7),
        (2**62, 2**62 + 1),
        (1.0, 2.0),
        ("", "é" * 99),
    ):
        for dtype in (None, object):
            y = (
                np.where(up, b, a)
                if dtype is None
                else np.array([(a, b)[int(u)] for u in up], object)
            )
            model = small().fit(X, y)
            assert model.classes_.dtype == y.dtype
            assert model.classes_.tolist() == [a, b]
            assert set(model.predict(X).tolist()) <= {a, b}


@fault(20, "a label at score was never seen")
def _():
    model = small().fit(X, LABELS)
    assert model.score(X, ["sideways"] * len(X)) == 0.0
    tagger = small("GRUSequenceTagger").fit(X, TAGS)
    assert tagger.score(X, np.full(TAGS.shape, "sideways")) == 0.0


@fault(21, "a tagger gets more or fewer labels than steps")
def _():
    tags = [["a", "b"] * 3 for _ in RAGGED]
    tags = [t[: len(x)] for t, x in zip(tags, RAGGED)]
    tags[2] = tags[2] + ["a"]
    refused(
        ValueError, r"sequence 2 has 4 steps but 5", small("GRUSequenceTagger").fit, RAGGED, tags
    )


@fault(22, "a tagger gets an empty sentence")
def _():
    tagger = small("GRUSequenceTagger").fit(X, TAGS)
    answer = tagger.predict([np.zeros((0, 2)), X[0]])
    assert [len(tags) for tags in answer] == [0, 5]
    refused(ValueError, "sequence 0 is empty", tagger.fit, [np.zeros((0, 2)), X[0]], [[], TAGS[0]])


@fault(23, "X is complex")
def _():
    refused_unchanged(ValueError, "Complex data not supported", small(), X + 1j, LABELS)
    wrong = np.full((len(X), 4, 4), 1j)  # whose entries nobody wants to read
    refused_unchanged(
        ValueError, "^Complex data not supported: y has dtype complex128$", small(), X, wrong
    )


@fault(24, "X holds objects")
def _():
    same_bits(
        small().fit(X.astype(object), LABELS).predict_proba(X),
        small().fit(X, LABELS).predict_proba(X),
    )
    words = np.full((24, 5), "a", dtype=object)
    refused_unchanged((TypeError, ValueError), r"\bX\b", small(), words, LABELS)


@fault(25, "X is sparse")
def _():
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.coo_array):
        refused_unchanged(TypeError, "[Ss]parse", small(), kind(X[:, :, 0]), LABELS)


@fault(26, "X holds booleans, small or large integers, or halves")
def _():
    whole = np.round(X * 10) % 2
    expected = small().fit(whole, LABELS).predict_proba(whole)
    for dtype in (bool, *np.typecodes["AllInteger"], np.float16):
        same_bits(small().fit(whole.astype(dtype), LABELS).predict_proba(whole), expected)
    large = np.full((2, 2, 1), 2**53 + 1, np.uint64)
    refused(ValueError, "9007199254740993|exact|2\\^53|2\\*\\*53", small().fit, large, [0, 1])


@fault(27, "X is longdouble")
def _():
    same_bits(
        small().fit(X.astype(np.longdouble), LABELS).predict_proba(X),
        small().fit(X, LABELS).predict_proba(X),
    )
    wrong = np.full((2, 2, 1), np.finfo(np.longdouble).max)
    if np.isinf(wrong.astype(np.float64)).all():
        refused(ValueError, "too large", small().fit, wrong, [0, 1])


LAYOUTS = {
    28: ("X is big-endian", lambda x: x.astype(x.dtype.newbyteorder(">"))),
    29: ("X is in Fortran order", np.asfortranarray),
    30: ("X has negative strides", lambda x: x[:, ::-1].copy()[:, ::-1]),
    33: ("X is read-only", lambda x: np.lib.stride_tricks.as_strided(x, writeable=False)),
    34: ("X is misaligned", lambda x: misaligned(x)),
}


def misaligned(x):
    return np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


def check_layout(layout):
    for dtype in (np.float32, np.float64):
        plain = X.astype(dtype)
        other = layout(plain)
        before = other.tobytes()
        model, expected = small().fit(other, LABELS), small().fit(plain, LABELS)
        same_bits(model.predict_proba(other), expected.predict_proba(plain))
        same_bits(expected.predict_proba(other), expected.predict_proba(plain))
        assert other.tobytes() == before


for number, (sentence, layout) in LAYOUTS.items():
    fault(number, sentence)(partial(check_layout, layout))


@fault(31, "X is a broadcast view")
def _():
    view = np.broadcast_to(X[:, :, :1], X.shape)
    same_bits(
        small().fit(view, LABELS).predict_proba(view),
        small().fit(view.copy(), LABELS).predict_proba(view),
    )


@fault(32, "X is made of overlapping windows")
def _():
    series = np.sin(np.arange(28.0))
    windows = np.lib.stride_tricks.sliding_window_view(series, 5)
    before = series.copy()
    same_bits(
        small().fit(windows, LABELS).predict_proba(windows),
        small().fit(windows.copy(), LABELS).predict_proba(windows),
    )
    same_bits(series, before)


class Own(np.ndarray):
    """A subclass of ndarray."""


@fault(35, "X, y or weights are masked arrays or subclasses of ndarray")
def _():
    same_bits(
        small().fit(X.view(Own), LABELS.view(Own)).predict_proba(X.view(Own)),
        small().fit(X, LABELS).predict_proba(X),
    )
    assert type(small().fit(X.view(Own), LABELS).predict_proba(X.view(Own))) is np.ndarray
    masked = np.ma.masked_array(X, X > 2)
    y = np.ma.masked_array(NUMBERS, NUMBERS > 1)
    weights = np.ma.masked_array(np.ones(24), [True] + [False] * 23)
    refused_unchanged(ValueError, "masked", small(), masked, LABELS)
    refused(ValueError, "masked", small("GRURegressor").fit, X, y)
    refused(ValueError, "masked", small().fit, X, LABELS, sample_weight=weights)
    refused(ValueError, "masked", small().fit(X, LABELS).predict, masked)
    same_bits(
        small().fit(np.ma.masked_array(X), LABELS).predict_proba(X),
        small().fit(X, LABELS).predict_proba(X),
    )


@fault(36, "X is a frame of pandas")
def _():
    frame = pd.DataFrame(X[:, :, 0], columns=list("abcde"))
    model = small().fit(frame, LABELS)
    assert model.feature_names_in_.tolist() == list("abcde")
    same_bits(model.predict_proba(frame), small().fit(X[:, :, 0], LABELS).predict_proba(X[:, :, 0]))
    refused(ValueError, "feature names", model.predict, frame[list("edcba")])


@fault(37, "another thread changes X during the fit")
def _():
    import threading

    changing, stop = X.copy(), threading.Event()

    def change():
        while not stop.is_set():
            changing[...] = -changing

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(5):
            assert np.isfinite(small(max_iter=5).fit(changing, LABELS).predict_proba(X)).all()
    finally:
        stop.set()
        thread.join()


class OnDevice:
    """What an array on a GPU looks like."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.__cuda_array_interface__ = {"shape": array.shape, "version": 3}

    def __len__(self):
        return len(self.array)

    def __array__(self, *arguments, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed; use .get()")


@fault(38, "an array that lies on a GPU is given to an estimator on the CPU")
def _():
    refused_unchanged(TypeError, r"\.get\(\)|device=.cuda", small(), OnDevice(X), LABELS)
    refused(TypeError, r"\.get\(\)|device=.cuda", small().fit(X, LABELS).predict, OnDevice(X))


@fault(39, "a GPU is asked for where there is none")
def _():
    from rnnkit.backends import get_backend

    try:
        get_backend("cuda")
    except (ImportError, RuntimeError):
        text = "cuda|CuPy|GPU"
        refused((ImportError, RuntimeError), text, small(device="cuda").fit, X, LABELS)


@fault(40, "memory runs out during a fit")
def _(monkeypatch):
    from rnnkit.network.bound import BoundNetwork

    model = small().fit(X, LABELS)
    expected = model.predict_proba(X)

    def fail(*_, **__):
        raise MemoryError("Unable to allocate 8.00 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(BoundNetwork, "forward", fail)
        refused(MemoryError, "8.00 GiB", model.fit, X, LABELS)
    same_bits(model.predict_proba(X), expected)
    model.fit(X[:8], LABELS[:8])


@fault(41, "a product of sizes is beyond 32 bits")
def _():
    from rnnkit.network.memory import bytes_per_row

    network = small(hidden_size=512).fit(X[:2, :1], ["a", "b"]).network_
    assert bytes_per_row(network) * 2**31 > 2**40
    wide = rnnkit.Sequences(np.zeros((3, 2)), np.array([0, 1, 3]))
    assert wide.offsets.dtype == np.intp
    assert np.dtype(np.intp).itemsize == 8


@fault(42, "weights would not fit into this machine's memory")
def _():
    for size in (10**7, 2**31, 2**40, 2**63, 10**30):
        model = small().fit(X, LABELS)
        before = model.predict_proba(X)
        model.set_params(hidden_size=size)
        refused((MemoryError, ValueError), "hidden_size", model.fit, X, LABELS)
        same_bits(model.predict_proba(X), before)


test_fault = fault.test()
