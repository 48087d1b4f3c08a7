"""Faults 43 to 63: parameters, lengths, states, weights, and methods called out of order."""

import numpy as np
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
from sklearn.exceptions import NotFittedError

fault = Faults()
INVALID = {
    "hidden_size": (0, -1, 2.5, "8", None, True, np.nan, [8]),
    "n_layers": (0, -1, 1.0, True),
    "bidirectional": (2, "yes", None),
    "dropout": (-0.1, 1.0, np.nan, "0", True),
    "input_dropout": (-0.1, 1.0, np.nan),
    "recurrent_dropout": (-0.1, 1.0, np.nan),
    "zoneout": (-0.1, 1.0, np.nan),
    "input_noise": (-1.0, np.nan, "a"),
    "learning_rate_init": (0, -1.0, np.inf, np.nan, "a", True),
    "batch_size": (0, -1, 1.5, "all", True),
    "max_iter": (0, -1, 1.5, True),
    "clip_norm": (0, -1.0, np.nan, "1"),
    "clip_value": (0, -1.0, np.nan),
    "bptt_steps": (0, -1, 1.5),
    "alpha": (-1.0, np.nan, "a"),
    "l1": (-1.0, np.nan),
    "tol": (-1.0, np.nan),
    "n_iter_no_change": (0, 1.5),
    "validation_fraction": (0.0, 1.0, -0.1, np.nan),
    "step_features": (0, 1.5, True),
    "shuffle": ("yes", 2),
}
NAMES = {
    "activation": ("tan", "", None, 3),
    "gate_activation": ("tan", None),
    "solver": ("adamm", None, object()),
    "learning_rate": ("linea", 3, None),
    "pooling": ("first", None),
    "device": ("gpu", "cuda:k", "cuda:-1", None),
    "precision": ("half", 16),
    "monitor": ("accuracy",),
}


def check_invalid(table):
    model = small().fit(X, LABELS)
    expected = model.predict_proba(X)
    for name, values in table.items():
        before = getattr(model, name)
        for value in values:
            model.set_params(**{name: value})
            refused((ValueError, TypeError), name, model.fit, X, LABELS)
            model.set_params(**{name: before})
            same_bits(model.predict_proba(X), expected)


@fault(43, "hidden_size is zero, negative, a fraction, text, None or a boolean")
def _():
    check_invalid({"hidden_size": INVALID["hidden_size"]})


@fault(44, "hidden_size asks for more memory than there is")
def _():
    model = small(hidden_size=10**9)
    refused(MemoryError, r"hidden_size=1000000000.* needs .* GB", model.fit, X, LABELS)


@fault(45, "a number is out of its range, NaN or of another type")
def _():
    check_invalid(INVALID)


@fault(46, "batch_size exceeds the number of sequences")
def _():
    one, other = (small(batch_size=n).fit(X, LABELS) for n in (len(X), 10**9))
    same_bits(one.predict_proba(X), other.predict_proba(X))


@fault(47, "a name is none of those allowed")
def _():
    check_invalid(NAMES)
    refused(ValueError, "squared.*|loss", small("GRURegressor", loss="square").fit, X, NUMBERS)
    refused(ValueError, "reset", small("GRUClassifier", reset="never").fit, X, LABELS)


@fault(48, "there is no parameter of a name")
def _():
    refused(TypeError, "hiden_size", small, hiden_size=3)
    refused(ValueError, "hiden_size.*did you mean 'hidden_size'", small().set_params, hiden_size=3)
    refused(ValueError, "momentum", small().set_params, solver__momentum=0.9)


@fault(49, "random_state is no seed")
def _():
    for wrong in ("a", 1.5, -1, 2**32, [1, 2], object()):
        refused(
            (ValueError, TypeError),
            "random_state|seed|Seed",
            small(random_state=wrong).fit,
            X,
            LABELS,
        )
    seeds = 0, np.int64(0), np.random.RandomState(0)
    for seed in seeds:
        same_bits(
            small(random_state=seed).fit(X, LABELS).predict_proba(X),
            small().fit(X, LABELS).predict_proba(X),
        )


def check_lengths(lengths, errors, match):
    refused_unchanged(errors, match, small(), X, LABELS, lengths=lengths)
    model = small().fit(X, LABELS)
    refused(errors, match, model.predict, X, lengths=lengths)


@fault(50, "lengths have another shape")
def _():
    for wrong in ([5], np.full(23, 5), np.full((24, 1), 5), 5, []):
        check_lengths(wrong, (ValueError, TypeError), r"lengths.*24")


@fault(51, "lengths are zero, negative or exceed the steps")
def _():
    for value in (6, -1):
        check_lengths([5] * 7 + [value] + [5] * 16, ValueError, f"lengths.*{value}")
    refused(ValueError, "lengths|empty", small().fit, X, LABELS, lengths=[0] + [5] * 23)


@fault(52, "lengths are fractions, booleans or text")
def _():
    for wrong in (
        np.full(24, 2.5),
        np.ones(24, bool),
        ["5"] * 24,
        [None] * 24,
        np.full(24, np.nan),
    ):
        check_lengths(wrong, (TypeError, ValueError), "lengths")


@fault(53, "an initial state has another shape, another dtype or holds NaN")
def _():
    from rnnkit.functional import recurrent

    weights = {
        "weight_ih_l0": np.ones((16, 2)) / 9,
        "weight_hh_l0": np.ones((16, 4)) / 9,
        "bias_ih_l0": np.zeros(16),
        "bias_hh_l0": np.zeros(16),
    }
    right = np.zeros((1, 24, 4))
    for name in ("h0", "c0"):
        for wrong in (
            right[0],
            right[:, :3],
            right[..., :3],
            np.full_like(right, np.nan),
            right + 1j,
        ):
            refused((ValueError, TypeError), name, recurrent, X, weights, "lstm", **{name: wrong})
        for wrong in ("state", right.astype(str)):
            refused((ValueError, TypeError), name, recurrent, X, weights, "lstm", **{name: wrong})
    stream = small().fit(X, LABELS).stream()
    stream.step(X[0, 0])
    state = stream.state
    for wrong in (
        [],
        [()],
        "state",
        [(np.zeros((1, 5)), state[0][1])],
        [(state[0][0] * np.nan, None)],
    ):
        refused((ValueError, TypeError), "state", setattr, stream, "state", wrong)


@fault(54, "predictions are asked for before a fit")
def _():
    for method in (
        "predict",
        "predict_proba",
        "predict_log_proba",
        "hidden_states",
        "gate_activations",
    ):
        refused(NotFittedError, "not fitted", getattr(small(), method), X)
    refused(NotFittedError, "not fitted", small().score, X, LABELS)
    refused(NotFittedError, "not fitted", small().stream)


@fault(55, "predictions are asked for with other features")
def _():
    model = small().fit(X, LABELS)
    refused(
        ValueError,
        "X has 3 features, but LSTMClassifier is expecting 2",
        model.predict,
        np.ones((4, 5, 3)),
    )


@fault(56, "predictions are asked for with more steps than in the fit")
def _():
    longer = np.concatenate([X, X], axis=1)
    assert small().fit(X, LABELS).predict_proba(longer).shape == (24, 2)
    assert small("GRUSequenceTagger").fit(X, TAGS).predict(longer).shape == (24, 10)


@fault(57, "predictions are asked for without a sequence")
def _():
    model = small().fit(X, LABELS)
    for empty in (X[:0], []):
        refused(ValueError, r"0 sample\(s\)|minimum of 1", model.predict, empty)


@fault(58, "there is a single sequence of a single step")
def _():
    model = small().fit(X, LABELS)
    assert model.predict(X[:1, :1]).shape == (1,)
    regressor = small("GRURegressor").fit(X[:1, :1], NUMBERS[:1])
    assert np.isfinite(regressor.predict(X[:1, :1])).all()


@fault(59, "a sequence has a hundred thousand steps")
def _():
    from time import perf_counter

    model = small("GRUSequenceTagger").fit(X, TAGS)
    seconds = []
    for n in (20_000, 100_000):
        begin = perf_counter()
        assert model.predict([np.zeros((n, 2))])[0].shape == (n,)
        seconds.append(perf_counter() - begin)
    assert seconds[1] < 50 * max(seconds[0], 0.05)


@fault(60, "weights have another length, are negative, NaN, all zero, or one number")
def _():
    for wrong, match in (
        (np.ones(23), "sample_weight|23"),
        (-np.ones(24), "[Nn]egative"),
        (np.full(24, np.nan), "NaN"),
        (np.full(24, np.inf), "infinity"),
        (np.zeros(24), "zero|positive|above 0"),
        (3.0, "scalar"),
        (np.ones((24, 2)), "sample_weight"),
        ("ones", "sample_weight"),
        (["a"] * 24, "sample_weight|convert|float"),
    ):
        refused_unchanged((ValueError, TypeError), match, small(), X, LABELS, sample_weight=wrong)
        refused((ValueError, TypeError), match, small("GRURegressor").fit, X, NUMBERS, wrong)
        if np.ndim(wrong) < 2:
            refused((ValueError, TypeError), match, small("GRUSequenceTagger").fit, X, TAGS, wrong)


@fault(61, "partial_fit lacks classes, gets another class or other features")
def _():
    refused(ValueError, "classes", small().partial_fit, X, LABELS)
    model = small().partial_fit(X, LABELS, classes=["down", "up"])
    before = model.predict_proba(X)
    refused(ValueError, "sideways", model.partial_fit, X, ["sideways"] * len(X))
    refused(ValueError, "features", model.partial_fit, X[..., :1], LABELS)
    refused(ValueError, "classes", model.partial_fit, X, LABELS, classes=["a", "b"])
    same_bits(model.predict_proba(X), before)


@fault(62, "fit comes between two calls of partial_fit")
def _():
    model = small(max_iter=1).partial_fit(X, LABELS, classes=["down", "up"]).fit(X, LABELS)
    same_bits(model.predict_proba(X), small(max_iter=1).fit(X, LABELS).predict_proba(X))
    model.partial_fit(X, LABELS)
    assert len(model.loss_curve_) == 2


@fault(63, "a warm start with another hidden_size")
def _():
    model = small(warm_start=True).fit(X, LABELS).set_params(hidden_size=5)
    before = model.predict_proba(X)
    refused(ValueError, "hidden_size=5 was 4", model.fit, X, LABELS)
    same_bits(model.predict_proba(X), before)


test_fault = fault.test()
