"""Every form of a collection becomes the same sequences."""

import numpy as np
import pytest

from rnnkit.adapters.panels import read_panel

pd = pytest.importorskip("pandas", reason="frames need pandas")

SERIES = [np.arange(2.0 * n).reshape(2, n) + 10 * n for n in (3, 1, 4)]  # channels, time points


def two_levels(series, names="cab"):
    frames = [pd.DataFrame(x.T, columns=["p", "q"]) for x in series]
    return pd.concat(frames, keys=list(names[: len(series)]))


FORMS = {
    "arrays": SERIES,
    "frames": [pd.DataFrame(x.T) for x in SERIES],
    "nested": pd.DataFrame({c: [pd.Series(x[c]) for x in SERIES] for c in (0, 1)}),
    "nested arrays": pd.DataFrame({c: [x[c] for x in SERIES] for c in (0, 1)}),
    "two levels": two_levels(SERIES),
    "scattered": two_levels(SERIES).iloc[[0, 3, 4, 1, 5, 2, 6, 7]],
    "nullable": two_levels(SERIES).astype("Float64"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same(form):
    sequences = read_panel(form)
    assert sequences.lengths.tolist() == [3, 1, 4]
    assert np.array_equal(sequences.values, np.concatenate([x.T for x in SERIES]))


def test_arrays_of_equal_lengths():
    X = np.random.RandomState(0).randn(4, 2, 5).astype(np.float32)
    sequences = read_panel(X)
    assert sequences.dtype == np.float32
    assert np.array_equal(sequences[2], X[2].T)


def test_series_keep_their_order_and_their_ids():
    assert read_panel(two_levels(SERIES)).ids.tolist() == ["c", "a", "b"]
    deeper = pd.concat({"x": two_levels(SERIES[:1]), "w": two_levels(SERIES[:1])})
    assert read_panel(deeper).ids.tolist() == [("x", "c"), ("w", "c")]


@pytest.mark.parametrize("name", FORMS)
def test_what_is_missing_stays_missing(name):
    gaps = [x.copy() for x in SERIES]
    gaps[2][1, 2] = np.nan
    form = {
        "arrays": gaps,
        "frames": [pd.DataFrame(x.T) for x in gaps],
        "nested": pd.DataFrame({c: [pd.Series(x[c]) for x in gaps] for c in (0, 1)}),
        "nested arrays": pd.DataFrame({c: [x[c] for x in gaps] for c in (0, 1)}),
        "two levels": two_levels(gaps),
        "scattered": two_levels(gaps).iloc[[0, 3, 4, 1, 5, 2, 6, 7]],
        "nullable": two_levels(gaps).astype("Float64"),
    }[name]
    missing = np.isnan(read_panel(form).values)
    assert missing.sum() == 1
    assert missing[6, 1]


def test_channels_of_other_lengths_are_refused():
    nested = pd.DataFrame({"p": [np.zeros(3)], "q": [np.zeros(2)]})
    with pytest.raises(ValueError, match="series 0: its channels have 3 and 2 time points"):
        read_panel(nested)
