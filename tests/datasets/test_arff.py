"""ARFF files of one and of several dimensions come back whole, what does not fit is refused."""

import io
import re

import numpy as np
import pytest
from datasets.damage import damaged, lines_of, read
from hypothesis import given, settings

from rnnkit.datasets import load_arff, load_ts

UNIVARIATE = """% A comment
@RELATION 'Two words'

@ATTRIBUTE att0 NUMERIC
@attribute "att 1" real
@attribute target {1, 'b c', "d"}

@DATA
1.5, ?, 1
% within the data
-2,3e1,'b c'
NaN, 0, d
"""
SEVERAL = r"""@relation r
@attribute series relational
  @attribute t0 numeric
  @attribute t1 numeric
  @attribute t2 numeric
@end series
@attribute class {up,down}
@data
'1,2,3\n4,?,6',up
"7,?,?\n8,9,?\n",down,{.5}
"""
REGRESSION = "@relation r\n@attribute a numeric\n@attribute Target numeric\n@data\n1,2\n3,?\n"


def load(text, **options):
    return load_arff(io.StringIO(text), **options)


def test_one_dimension():
    data = load(UNIVARIATE)
    np.testing.assert_array_equal(data.X.values[:, 0], [1.5, np.nan, -2, 30, np.nan, 0])
    assert data.X.lengths.tolist() == [2, 2, 2]
    assert data.y.tolist() == ["1", "b c", "d"]
    assert data.header == {"relation": "Two words", "classes": ["1", "b c", "d"]}
    assert data.sample_weight is None


def test_several_dimensions_and_weights():
    data = load(SEVERAL)
    np.testing.assert_array_equal(data.X[0], [[1, 4], [2, np.nan], [3, 6]])
    np.testing.assert_array_equal(data.X[1], [[7, 8], [np.nan, 9], [np.nan, np.nan]])
    assert data.y.tolist() == ["up", "down"]
    assert data.sample_weight.tolist() == [1.0, 0.5]
    assert load(SEVERAL, drop_padding=True).X.lengths.tolist() == [3, 2]


def test_numbers_to_predict():
    X, y, _ = load(REGRESSION, dtype=np.float32)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(y, [2, np.nan])
    assert load(REGRESSION, target=None).X.lengths.tolist() == [2, 2]
    np.testing.assert_array_equal(load(REGRESSION, target="a").y, [1, 3])


@pytest.mark.parametrize(
    "text, old, new, message",
    [
        (UNIVARIATE, "-2,3e1", "-2,3e1,4", "line 11: 3 values are expected, got 4"),
        (UNIVARIATE, "-2,3e1", "-2", "line 11: 3 values are expected, got 2"),
        (UNIVARIATE, "3e1", "x", "line 11: value 2 of 2"),
        (UNIVARIATE, "'b c'\n", "'b c\n", "line 11: the values cannot be told apart"),
        (UNIVARIATE, "'b c'\n", "e\n", "line 11: the label 'e' is none of 'target' in line 6"),
        (UNIVARIATE, "'b c'\n", "?\n", "line 11: the label 'target' is missing"),
        (UNIVARIATE, "-2,3e1,'b c'", "{0 -2}", "line 11: sparse rows"),
        (UNIVARIATE, "@DATA", "", "line 9: @attribute or @data is expected"),
        (UNIVARIATE, "real", "date", "line 5: an attribute must be numeric"),
        (UNIVARIATE, '"att 1"', "att0", "line 5: the attribute 'att0' comes twice"),
        (UNIVARIATE, "real", "{1,2}", "line 8: 2 attributes are nominal"),
        (UNIVARIATE, "real", "string", "line 5: the attribute 'att 1' is neither the target"),
        (SEVERAL, "@end series", "", "line 7: a relational attribute must hold numeric"),
        (SEVERAL, "4,?,6", "4,?", "line 9: dimension 2: 3 values are expected, got 2"),
        (SEVERAL, r"\n4,?,6", "", "line 10: 2 dimensions, but line 9 has 1"),
        (SEVERAL, "{.5}", "{-1}", "line 10: the weight of the row must not be negative"),
        (SEVERAL, "{.5}", "{x}", "line 10: the weight of the row: a number"),
        (REGRESSION, "Target", "last", "line 4: 0 attributes are nominal"),
        (REGRESSION, "3,?", "3,x", "line 6: 'Target': a number"),
        (REGRESSION, "1,2\n3,?\n", "", "line 4: the file ends here and holds no sequence"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(text, old, new, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        load(text.replace(old, new))


def test_unknown_targets_are_refused():
    with pytest.raises(ValueError, match="there is no attribute 'x'"):
        load(UNIVARIATE, target="x")
    with pytest.raises(ValueError, match="target must be"):
        load(UNIVARIATE, target=3)


@pytest.mark.parametrize("blank", ("\x85", "\xa0", "\u2028", "\u3000"))
def test_only_blanks_and_tabs_part_words(blank):
    with pytest.raises(ValueError, match="<file>, line 1"):
        load(blank + "\n" + UNIVARIATE)
    arff = f"@relation r\n@attribute a{blank}b real\n@attribute y {{u{blank}v,w}}\n@data\n"
    arff += f"1,u{blank}v\n2,w\n"
    ts = f"@problemName p\n@univariate true\n@classLabel true u{blank}v w\n@data\n"
    ts += f"1,2:u{blank}v\n3,4:w\n"
    arff, ts = (io.StringIO(text, newline="") for text in (arff, ts))
    for data in (load_arff(arff, target="y"), load_ts(ts)):
        assert list(data.y) == [f"u{blank}v", "w"]
        assert data.header["classes"] == [f"u{blank}v", "w"]


@given(damaged([UNIVARIATE, SEVERAL, REGRESSION]))
@settings(max_examples=300)
def test_no_line_of_a_damaged_file_is_lost(text):
    data = read(load_arff, text)
    if data is not None:
        lines = [line.strip(" \t").lower() for line in lines_of(text)]
        start = next(i for i, line in enumerate(lines) if re.match(r"[^ \t]*", line)[0] == "@data")
        rows = [line for line in lines[start + 1 :] if not line.startswith("%")]
        assert len(data.X) == len(rows)


def test_real_series_written_in_arff_come_back(data_folder, tmp_path):
    X, y, _ = load_ts(data_folder / "ts" / "CardanoSentiment_TRAIN.ts")
    n_steps = int(X.lengths[0])
    inner = "".join(f"@attribute t{i} numeric\n" for i in range(n_steps))
    rows = [
        "'" + r"\n".join(",".join(map(repr, d)) for d in series.T.tolist()) + f"',{number!r}"
        for series, number in zip(X, y.tolist())
    ]
    text = f"@relation r\n@attribute x relational\n{inner}@end x\n@attribute target real\n@data\n"
    (tmp_path / "a.arff").write_text(text + "\n".join(rows))
    Z, z, _ = load_arff(tmp_path / "a.arff")
    np.testing.assert_array_equal(Z.values, X.values)
    np.testing.assert_array_equal(Z.offsets, X.offsets)
    np.testing.assert_array_equal(z, y)
