"""What is learnt about y is plain data: targets become numbers, and numbers predictions again."""

import json

import numpy as np
import pytest

from rnnkit.estimators.codecs import Indicators, LabelLists, Labels, Numbers, codec_from_dict

LISTS = [np.array(["b", "a"]), np.array([], dtype="U1"), np.array(["c"])]
CASES = {
    "text": (Labels(np.array(["a", "b", "c"])), np.array(["b", "c", "a"])),
    "integers": (Labels(np.array([-1, 4, 7])), np.array([7, -1, 4])),
    "objects": (Labels(np.array(["a", "b"], object)), np.array(["b", "a"], object)),
    "booleans": (Labels(np.array([False, True])), np.array([True, False])),
    "lists": (LabelLists(np.array(["a", "b", "c"])), LISTS),
    "indicators": (Indicators(3, "step"), np.array([[0, 1, 1], [1, 0, 0]])),
    "numbers": (Numbers(1, False), np.array([0.5, -2.0])),
    "a column": (Numbers(1, True), np.array([[0.5], [-2.0]])),
    "vectors": (Numbers(2, True), np.array([[0.5, 1.0], [-2.0, 3.0]])),
}


@pytest.mark.parametrize("name", CASES)
def test_decoding_undoes_encoding_also_after_json(name):
    codec, y = CASES[name]
    again = codec_from_dict(json.loads(json.dumps(codec.to_dict())))
    assert again.to_dict() == codec.to_dict()
    assert again.width == codec.width
    for coder in (codec, again):
        decoded = coder.decode(coder.encode(y, strict=True))
        assert [np.asarray(d).tolist() for d in decoded] == [np.asarray(t).tolist() for t in y]
        if name != "lists":
            assert decoded.dtype == y.dtype


@pytest.mark.parametrize("name", CASES)
def test_what_is_right_scores_one(name):
    codec, y = CASES[name]
    targets = codec.encode(y, strict=True)
    assert codec.score(targets, targets, None) == 1.0
    assert codec.score(targets, targets, np.arange(1.0, len(y) + 1)) == 1.0


def test_a_new_label_is_refused_or_never_right():
    codec = CASES["text"][0]
    with pytest.raises(ValueError, match=r"not among the classes: \['z'\]"):
        codec.encode(np.array(["a", "z"]), strict=True)
    codes = codec.encode(np.array(["a", "z"]), strict=False)
    assert codes[1] not in range(codec.width)


@pytest.mark.parametrize("wrong", [np.array([[1, 2, 1]]), np.array([[0, 1]]), np.array([0, 1])])
def test_indicators_are_zero_and_one(wrong):
    with pytest.raises(ValueError, match="3 times 0 or 1 for every step"):
        CASES["indicators"][0].encode(wrong, strict=True)


def test_labels_have_one_dimension():
    with pytest.raises(ValueError, match="one label for each"):
        CASES["text"][0].encode(np.array([["a", "b"]]), strict=True)


def test_numbers_keep_their_number():
    with pytest.raises(ValueError, match="y has 3 outputs, expected 2 as in fit"):
        CASES["vectors"][0].encode(np.ones((4, 3)), strict=True)
