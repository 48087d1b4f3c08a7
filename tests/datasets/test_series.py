"""Time series come back whole from .ts files and tables, and what does not fit is refused."""

import io

import numpy as np
import pytest
from datasets.damage import damaged, lines_of, read
from hypothesis import given, settings

from rnnkit.datasets import load_ts, load_ucr

RAGGED = """#A comment
@problemName Two Words
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true a B
@data
1,2.5,?:4,NaN,-6e2:a
# within the data

3:2:B
"""
NUMBERS = """@univariate true
@equalLength true
@seriesLength 2
@targetLabel true
@data
1,2:0.5
3,4:?
"""
SETS = ["GunPoint", "ItalyPowerDemand", "JapaneseVowels", "PickupGestureWiimoteZ", "PLAID"] + [
    "ACSF1",
    "CardanoSentiment",
    "Covid3Month",
]


def load(text, **options):
    return load_ts(io.StringIO(text), **options)


def test_ragged_series_with_missing_values():
    data = load(RAGGED)
    X, y, groups = data
    np.testing.assert_array_equal(X[0], [[1, 4], [2.5, np.nan], [np.nan, -600]])
    np.testing.assert_array_equal(X[1], [[3, 2]])
    assert y.tolist() == ["a", "B"]
    assert groups is None
    assert data.header["problemname"] == "Two Words"
    assert data.header["classes"] == ["a", "B"]


def test_numbers_to_predict():
    X, y, _ = load(NUMBERS, dtype=np.float32)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(y, [0.5, np.nan])


def test_padding_is_dropped_on_request():
    text = "@classLabel true a\n@data\n1,?,?:2,3,?:a\n1,?,3:?,?,?:a\n"
    assert load(text).X.lengths.tolist() == [3, 3]
    assert load(text, drop_padding=True).X.lengths.tolist() == [2, 3]
    with pytest.raises(ValueError, match="line 3: the series has no steps"):
        load("@classLabel true a\n@data\n?,?:a\n", drop_padding=True)


def test_an_empty_dimension_is_missing():
    X, _, _ = load("@classLabel true a\n@data\n:1,2:a\n")
    np.testing.assert_array_equal(X[0], [[np.nan, 1], [np.nan, 2]])


def test_without_a_target():
    text = "@classLabel false\n@data\n1,2:3,4\n"
    X, y, _ = load(text)
    assert (X.n_features, y) == (2, None)
    assert load("@data\n1,2:7\n", target="number").y.tolist() == [7.0]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("@data\n", "", "line 9: a tag such as @data"),
        ("2.5", "2.5.5", "line 10: dimension 1: value 2 of 3: .*'2.5.5'"),
        ("2.5", "", "line 10: dimension 1: value 2 of 3: .* nothing"),
        ("2.5", "1e999", "line 10: dimension 1: .*too large"),
        ("4,NaN", "4", "line 10: dimension 1 has 3 values, but dimension 2 has 2"),
        ("3:2:B", "3:B", "line 13: 1 dimensions, but line 10 has 2"),
        ("3:2:B", "3:2:C", "line 13: the label 'C' is none of @classlabel in line 8: a, B"),
        ("3:2:B", "3:2:", "line 13: the label is missing"),
        ("3:2:B", "3", "line 13: no colon"),
        ("3:2:B", "::B", "line 13: the sequence has no values"),
        (
            "@dimensions 2",
            "@dimensions 3",
            "line 10: 2 dimensions, but @dimensions in line 6 says 3",
        ),
        ("@dimensions 2", "@dimensions x", "line 6: @dimensions must be a whole number"),
        ("@univariate false", "@univariate maybe", "line 5: @univariate must be true or false"),
        ("@univariate false", "@univariate true", "line 10: 2 dimensions, but @univariate"),
        ("@equalLength false", "@equalLength true", "line 13: 1 steps, but line 10 has 3"),
        ("@missing true", "@univariate true", "line 5: @univariate comes twice"),
        ("@classLabel true a B", "", "line 9: neither @classLabel nor @targetLabel"),
        ("@missing true", "@targetLabel true", "line 4: @classLabel and @targetLabel are both"),
        ("@data", "@data 3", "line 9: nothing may stand behind @data"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(old, new, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        load(RAGGED.replace(old, new))


def test_a_header_that_is_wrong_can_be_passed_over():
    text = RAGGED.replace("@equalLength false", "@equalLength true")
    assert load(text, check_header=False).X.lengths.tolist() == [3, 1]
    with pytest.raises(ValueError, match="@serieslength in line 3 says 2"):
        load(NUMBERS.replace("3,4", "3,4,5"))


@pytest.mark.parametrize("options", [{"target": "class"}, {"dtype": np.int64}, {"drop_padding": 1}])
def test_wrong_arguments_are_refused(options):
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        load(RAGGED, **options)


def test_a_value_too_large_for_float32_is_refused_with_its_line():
    with pytest.raises(ValueError, match="line 7"):
        load(NUMBERS.replace("3,4", "3,1e300"), dtype=np.float32)


STAMPED = """@timeStamps true
@univariate false
@classLabel true a
@data
(0,1.5),(1,-2):(0.5,3),(1,?):a
(0,1):(0,2),(7,4):a
"""
DATED = """@timeStamps true
@targetLabel true
@data
(2018-03-01 12:30:00,1), (2018-03-02,2) : 7
"""


def test_times_are_common_to_the_dimensions():
    data = load(STAMPED)
    np.testing.assert_array_equal(data.X[0], [[1.5, np.nan], [np.nan, 3], [-2, np.nan]])
    np.testing.assert_array_equal(data.X[1], [[1, 2], [np.nan, 4]])
    assert [times.tolist() for times in data.timestamps] == [[0, 0.5, 1], [0, 7]]


def test_dates():
    data = load(DATED)
    np.testing.assert_array_equal(
        data.timestamps[0], np.array(["2018-03-01T12:30", "2018-03-02"], "datetime64[us]")
    )
    assert data.X[0].tolist() == [[1.0], [2.0]]
    assert data.y.tolist() == [7.0]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("(0,1.5),(1,-2)", "(1,1.5),(0,-2)", "line 5: dimension 1: times must increase"),
        ("(0,1.5),(1,-2)", "(1,1.5),(1,-2)", "line 5: dimension 1: times must increase"),
        ("(0,1.5)", "(0,1.5,3)", "line 5: a pair"),
        ("(0,1.5)", "0,1.5", "line 5: a pair"),
        ("(0,1.5),", "(0,1.5)", "line 5: a pair"),
        ("(1,-2)", "(1,-2),", "line 5: a pair"),
        ("(0,1.5)", "(?,1.5)", "line 5: dimension 1: pair 1 of 2: the time is missing"),
        ("(0,1.5)", "(0,x)", "line 5: dimension 1: pair 1 of 2: a number"),
        ("(0,1.5)", "(2018-03-01T00:00+01:00,1)", "line 5: dimension 1: pair 1 of 2: a number"),
        ("(0,1.5)", "(2018-13-01,1)", "line 5: dimension 1: pair 1 of 2: '2018-13-01' is no date"),
        ("(0,1.5)", "(2018-03-01,1)", "line 5: dimension 1: some times are numbers"),
        ("(0,1):(0,2),(7,4)", "(2018-03-01,1):(2018-03-01,1)", "line 6: the times are of another"),
    ],
)
def test_times_that_do_not_fit_are_refused(old, new, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        load(STAMPED.replace(old, new))


@given(damaged([RAGGED, NUMBERS, STAMPED, DATED]))
@settings(max_examples=300)
def test_no_line_of_a_damaged_file_is_lost(text):
    data = read(load_ts, text)
    if data is not None:
        lines = lines_of(text.lower())
        body = lines[[line.strip(" \t") for line in lines].index("@data") + 1 :]
        rows = [line for line in body if not line.strip(" \t").startswith("#")]
        assert len(data.X) == len(rows)
        assert data.y is None or len(data.y) == len(rows)


@pytest.mark.parametrize("split", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", SETS)
def test_real_series_are_those_of_the_loaders(data_folder, data_loaders, name, split):
    expected, labels = data_loaders.ts(name, split)
    X, y, _ = load_ts(data_folder / "ts" / f"{name}_{split}.ts")
    np.testing.assert_array_equal(X.values, np.concatenate(expected))
    np.testing.assert_array_equal(X.lengths, [len(series) for series in expected])
    np.testing.assert_array_equal(y, labels.astype(y.dtype))


@pytest.mark.parametrize(
    "text", ["2\t.5\t1\n1\t?\t2\n", "2,.5,1\n1,NaN,2\n", "  2.0e+00   .5 1\n 1.0e0  nan   2\n\n"]
)
def test_tables(text):
    X, y, groups = load_ucr(io.StringIO(text))
    np.testing.assert_array_equal(X.values[:, 0], [0.5, 1, np.nan, 2])
    assert y.tolist() == [2, 1]
    assert y.dtype == np.intp
    assert groups is None


def test_targets_of_tables():
    text = "a\t1\t2\nb\t3\t4\n"
    assert load_ucr(io.StringIO(text)).y.tolist() == ["a", "b"]
    assert load_ucr(io.StringIO("1.5,1\n2,2\n"), target="number").y.tolist() == [1.5, 2.0]
    data = load_ucr(io.StringIO("1,2\n"), target=None)
    assert (data.X.lengths.tolist(), data.y) == ([2], None)


def test_padded_tables():
    text = "1\t1\t2\tNaN\n2\t1\tNaN\tNaN\n"
    assert load_ucr(io.StringIO(text), drop_padding=True).X.lengths.tolist() == [2, 1]
    ragged = "1\t1\t2\n2\t1\n"
    assert load_ucr(io.StringIO(ragged), equal_length=False).X.lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("1\t1\t2\n2\t1\n", {}, "line 2: 1 values, but line 1 has 2"),
        ("1\t1\tx\n", {}, "line 1: value 2 of 2"),
        ("1\t1\t\n", {}, "line 1: value 2 of 2: .* nothing"),
        ("1\n", {}, "line 1: no series follows the label"),
        ("x\t1\n", {"target": "number"}, "line 1: the number to predict"),
        ("\n", {}, "line 1: the file ends here"),
    ],
)
def test_tables_that_do_not_fit_are_refused(text, options, message):
    with pytest.raises(ValueError, match=message):
        load_ucr(io.StringIO(text), **options)


@given(damaged(["2\t.5\t1\n1\t?\t2\n", "2,.5,1\n1,NaN,2\n", " 2.0  .5 1\n 1  nan 2\n"]))
def test_no_line_of_a_damaged_table_is_lost(text):
    data = read(load_ucr, text)
    if data is not None:
        assert len(data.X) == len(data.y) == len(lines_of(text))


def test_a_real_table_is_the_ts_file(data_folder, tmp_path):
    X, y, _ = load_ts(data_folder / "ts" / "GunPoint_TRAIN.ts")
    rows = [
        f"{label}\t" + "\t".join(map(repr, series[:, 0].tolist())) for series, label in zip(X, y)
    ]
    (tmp_path / "a.tsv").write_text("\n".join(rows))
    Z, z, _ = load_ucr(tmp_path / "a.tsv")
    np.testing.assert_array_equal(Z.values, X.values)
    np.testing.assert_array_equal(z.astype(str), y)
