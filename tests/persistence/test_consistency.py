"""What others would write by without a look is compared with what it comes from."""

import numpy as np
import pytest
from persistence.same import differences
from persistence.written import edited
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from rnnkit.exceptions import FormatError
from rnnkit.persistence.files import contents, load_bytes

ROWS = np.array([[i % 5, i % 3, i % 7 + 0.5] for i in range(60)])
ENCODERS = {
    "plain": OneHotEncoder(sparse_output=False),
    "dropped": OneHotEncoder(drop="first", sparse_output=False),
    "dropped if two": OneHotEncoder(drop="if_binary", sparse_output=False),
    "infrequent": OneHotEncoder(max_categories=3, sparse_output=False),
    "infrequent, dropped": OneHotEncoder(min_frequency=10, drop="first", sparse_output=False),
    "with NaN": OneHotEncoder(sparse_output=False),
    "with dates": OneHotEncoder(sparse_output=False),
    "bins": KBinsDiscretizer(4, encode="onehot-dense"),
}


def written(name):
    rows = ROWS.copy()
    if name == "with NaN":
        rows[::4, 1] = np.nan
    if name == "with dates":
        rows = rows.astype("M8[D]")
    return b"".join(map(bytes, contents(ENCODERS[name].fit(rows)))), rows


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_as_they_are(name):
    content, rows = written(name)
    loaded = load_bytes(content)
    assert differences(ENCODERS[name], loaded) == []
    assert differences(ENCODERS[name].transform(rows), loaded.transform(rows)) == []


def array(values, dtype="|O"):
    return {"array": {"dtype": dtype, "shape": [len(values)], "items": values}}


EDITS = {
    "fewer columns": ("plain", "n_columns_out", [2, 3, 7], "gives"),
    "no column": ("plain", "n_columns_out", [], "gives"),
    "text for columns": ("plain", "n_columns_out", "15", "gives"),
    "fewer categories": ("plain", "categories_", [], "one for each of 3"),
    "other features": ("plain", "n_features_in_", 2, "one for each of 2"),
    "features of text": ("plain", "n_features_in_", "3", "one for each of '3'"),
    "dropped from nothing": ("plain", "dropped", array([0, None, None]), "gives"),
    "dropped beyond": ("dropped", "dropped", array([99, 0, 0]), "drops the category 99 of 5"),
    "dropped before": ("dropped", "dropped", array([-1, 0, 0]), "drops the category -1"),
    "dropped text": ("dropped", "dropped", array(["a", 0, 0]), "drops the category 'a'"),
    "dropped less": ("dropped", "dropped", array([0, 0]), "one for each"),
    "not infrequent": ("infrequent", "has_infrequent", False, "gives"),
    "infrequent or not": ("infrequent", "has_infrequent", 1, "does not say"),
    "nothing infrequent": ("infrequent", "infrequent", [None, None, None], "go nowhere"),
    "no mapping": ("infrequent", "infrequent_mappings", None, "one for each"),
}


@pytest.mark.parametrize("case", EDITS)
def test_encoders_that_would_write_beyond_their_memory(case):
    name, part, value, text = EDITS[case]

    def edit(model):
        learnt = model["object"]["learnt"]
        assert part in learnt
        if isinstance(learnt[part], list) and len(learnt[part]) == 3 and value == []:
            learnt[part] = learnt[part][:2]
        else:
            learnt[part] = value

    with pytest.raises(FormatError, match=text):
        load_bytes(edited(edit, content=written(name)[0]))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [-1, 2**40])
def test_mappings_and_categories_that_lead_nowhere(place, value):
    encoder = ENCODERS["infrequent"].fit(ROWS)
    for part in ("_default_to_infrequent_mappings", "_infrequent_indices"):
        before = getattr(encoder, part)
        if before[place] is None:
            continue
        wrong = before[place].copy()
        wrong[-1] = value
        setattr(encoder, part, [*before[:place], wrong, *before[place + 1 :]])
        with pytest.raises(FormatError, match="are no places"):
            load_bytes(b"".join(map(bytes, contents(encoder))))
        setattr(encoder, part, before)
    encoder.categories_[place] = encoder.categories_[place][::-1].copy()
    with pytest.raises(FormatError, match="not sorted"):
        load_bytes(b"".join(map(bytes, contents(encoder))))


def test_dates_that_are_not_sorted():
    encoder = OneHotEncoder().fit(ROWS.astype("M8[D]"))
    encoder.categories_[1] = encoder.categories_[1][::-1].copy()
    with pytest.raises(FormatError, match="not sorted"):
        load_bytes(b"".join(map(bytes, contents(encoder))))
