"""FourierTime by its formula, and the refusals."""

import numpy as np
import pytest

from rnnkit.preprocessing import FourierTime
from rnnkit.sequences import Sequences


def test_waves_by_their_formula():
    X = [np.ones((30, 1)), np.zeros((7, 1))]
    found = FourierTime((24, 7.5), (2, 1)).fit_transform(X)
    for x, got in zip(X, found):
        t = np.arange(len(x))
        waves = [wave(2 * np.pi * t * j / p) for p, j in ((24, 1), (24, 2), (7.5, 1))
                 for wave in (np.sin, np.cos)]  # fmt: skip
        np.testing.assert_allclose(got, np.column_stack([x[:, 0], *waves]), rtol=0, atol=1e-12)


def test_a_feature_may_be_the_time():
    rng = np.random.RandomState(0)
    X = [np.column_stack([rng.randn(5), 100 + np.arange(5) * 0.5]) for _ in range(3)]
    given = FourierTime(2.0, time=1).fit_transform(X)
    kept = FourierTime(2.0, time=-1, keep_time=True).fit_transform(X)
    for x, got, with_time in zip(X, given, kept):
        angle = np.pi * x[:, 1]
        expected = np.column_stack([x[:, 0], np.sin(angle), np.cos(angle)])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)
        np.testing.assert_array_equal(with_time, np.insert(got, 1, x[:, 1], axis=1))


def test_late_times_keep_their_phase():
    """Ten thousand periods on, in float64."""
    late = FourierTime(24.0, time=0, keep_time=False)
    a = late.fit_transform([np.array([[5.0, 1.0]])])[0]
    b = late.transform([np.array([[5.0 + 24e4, 1.0]])])[0]
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_the_time_has_a_name():
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame({"hour": [1.0, 2.0], "load": [5.0, 6.0]})] * 2
    by_name = FourierTime(24, time="hour").fit(frames)
    by_place = FourierTime(24, time=0).fit(frames)
    np.testing.assert_array_equal(by_name.transform(frames)[0], by_place.transform(frames)[0])
    assert by_name.get_feature_names_out().tolist() == ["load", "sin1_24", "cos1_24"]
    table = pandas.concat(frames, keys=["a", "b"], names=["id"]).reset_index("id")
    steps = Sequences.from_frame(table, group="id", columns=["hour", "load"])
    found = FourierTime(24, time="hour").fit_transform(steps)
    np.testing.assert_array_equal(found[0], by_name.transform(frames)[0])
    with pytest.raises(ValueError, match=r"time must name a feature of X, got 'day'; X has \["):
        FourierTime(24, time="day").fit(frames)
    with pytest.raises(ValueError, match=r"got 'day'; X has no names"):
        FourierTime(24, time="day").fit([np.ones((3, 2))])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"period": 0}, ValueError, "period must be positive and finite, got 0"),
        ({"period": np.inf}, ValueError, "period must be positive and finite, got inf"),
        ({"period": "day"}, TypeError, "period must be a number or a list of numbers, got 'day'"),
        ({"period": []}, ValueError, "n_terms must be one number or one for each of 0 periods"),
        ({"n_terms": 0}, ValueError, "n_terms must be at least 1, got 0"),
        ({"n_terms": 1.0}, TypeError, "n_terms must be an integer"),
        ({"n_terms": [1, 2]}, ValueError, "one for each of 1 periods"),
        ({"period": 4, "n_terms": 3}, ValueError, "needs a period of at least 6 steps"),
        ({"time": 2}, ValueError, "time must be the position of one of 2 features, got 2"),
        ({"time": 0.0}, TypeError, "time must be an integer, a name or None, got 0.0"),
        ({"keep_time": "no"}, TypeError, "keep_time must be True or False, got 'no'"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        FourierTime(**parameters).fit([np.ones((4, 2))])


def test_a_missing_time_is_named():
    X = [np.ones((2, 2)), np.array([[1.0, 1.0], [np.nan, 1.0]])]
    with pytest.raises(ValueError, match="contains NaN or infinity there: sequence 1, step 1"):
        FourierTime(time=0).fit(X).transform(X)
    assert np.isnan(FourierTime(time=1).fit_transform(X)[1]).sum() == 1
