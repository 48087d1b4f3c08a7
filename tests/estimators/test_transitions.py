"""Taggers with forbidden transitions: never an illegal label, and clear words about wrong rules."""

import itertools
import pickle

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, padded, ragged
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from rnnkit import Sequences
from rnnkit.estimators.transitions import forbidden_pairs
from rnnkit.schemes import forbidden_by_scheme, scheme_of

X = ragged(50, seed=3, shortest=1, longest=9)
SCHEMES = ("bio", "iobes", "bilou", "iob1")


def entity_labels(name, x):
    """Entities of a type for either sign of the first feature, where the second is positive."""
    kinds = ["up" if a > 0 else "down" for a in x[:, 0]]
    inside = [b > 0 for b in x[:, 1]]
    labels = []
    for t, kind in enumerate(kinds):
        if not inside[t]:
            labels.append("O")
            continue
        first = t == 0 or not inside[t - 1] or kinds[t - 1] != kind
        last = t == len(x) - 1 or not inside[t + 1] or kinds[t + 1] != kind
        letters = {"iobes": "BIES", "bilou": "BILU", "bio": "BIIB", "iob1": "IIII"}[name]
        place = 3 if first and last else 0 if first else 2 if last else 1
        labels.append(f"{letters[place]}-{kind}")
    return labels


def illegal(name, predictions, classes):
    forbidden = set(forbidden_by_scheme(name, classes))
    return [
        pair
        for labels in predictions
        if len(labels)
        for pair in itertools.pairwise([None, *map(str, labels), None])
        if pair in forbidden
    ]


def tagger(name, cell="GRU", **parameters):
    settings = dict(output="crf", forbidden_transitions=name, max_iter=2)
    return estimator(cell, "SequenceTagger", **{**settings, **parameters})


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("cell", CELLS)
def test_no_prediction_breaks_a_rule_whatever_the_weights(cell, name):
    y = [entity_labels(name, x) for x in X]
    model = tagger(name, cell).fit(X, y)
    classes = model.classes_.tolist()
    without = 0
    for seed in range(20):
        flat = model.network_.parameters.flat
        flat[:] = np.random.RandomState(seed).randn(len(flat)) * 3
        assert illegal(name, model.predict(X), classes) == []
        for labels, p in zip(model.predict(X), model.predict_proba(X)):
            assert np.isfinite(p).all()
            for first in np.array(classes)[p[0] > 0]:
                assert scheme_of(name).may_follow(None, scheme_of(name).parse(first))
            assert p[np.arange(len(p)), np.searchsorted(classes, labels)].min() > 0
        plain = tagger(None, cell, max_iter=1).fit(X, y)
        plain.network_.parameters.flat[:] = flat
        without += len(illegal(name, plain.predict(X), classes))
    assert name == "iob1" or without > 100


def test_every_form_of_x():
    y = [entity_labels("iobes", x) for x in X]
    model = tagger("iobes").fit(X, y)
    expected = [labels.tolist() for labels in model.predict(X)]
    dense, lengths = padded(X)
    dense_y = np.array([labels + ["?"] * (dense.shape[1] - len(labels)) for labels in y])
    again = tagger("iobes").fit(dense, dense_y, lengths=lengths)
    predicted = again.predict(dense, lengths=lengths)
    assert [p[:n].tolist() for p, n in zip(predicted, lengths)] == expected
    again = tagger("iobes").fit(Sequences.from_list(X), y)
    assert [labels.tolist() for labels in again.predict(Sequences.from_list(X))] == expected
    one_step = model.predict([x[:1] for x in X])
    assert {str(labels[0])[0] for labels in one_step} <= {"O", "S"}
    assert [len(labels) for labels in model.predict([np.empty((0, 2)), X[0]])] == [0, len(X[0])]


def test_learns_with_rules_and_training_counts_allowed_labellings_alone():
    y = [entity_labels("bio", x) for x in X]
    ruled = tagger("bio", max_iter=40).fit(X, y)
    assert ruled.score(X, y) > 0.9
    # At first all labellings are alike: the loss is the logarithm of how many are allowed.
    short = [x[:2] for x in X if len(x) > 1]
    labels = [entity_labels("bio", x) for x in short]
    fresh = tagger("bio", max_iter=1, learning_rate_init=1e-9, batch_size=200)
    classes = sorted({label for one in labels for label in one})
    forbidden = set(forbidden_by_scheme("bio", classes))
    paths = itertools.product(classes, repeat=2)
    n_allowed = sum(not forbidden & set(itertools.pairwise([None, *p, None])) for p in paths)
    fresh.fit(short, labels)
    fresh.network_.parameters.flat[:] = 0
    fresh.set_params(warm_start=True).fit(short, labels)
    assert fresh.loss_ == pytest.approx(np.log(n_allowed))
    weights = ruled.weights_
    for before, after in ruled.network_.output.forbidden:
        if before is not None and after is not None:
            assert weights["crf.transitions"][before, after] == 0


def mixed(x):
    labels = np.ones(len(x), int)
    labels[1 : len(x) // 2], labels[len(x) // 2 : -1] = 0, 2
    return labels


def test_pairs_of_any_labels():
    rng = np.random.RandomState(0)
    y = [np.sort(rng.randint(0, 3, len(x))) for x in X]
    falls = [(2, 1), (2, 0), (1, 0)]
    for rules in (falls, tuple(falls), set(falls), frozenset(falls), [list(p) for p in falls]):
        model = tagger(rules).fit(X, y)
        assert model.network_.output.forbidden == ((1, 0), (2, 0), (2, 1))
        assert all((np.diff(labels) >= 0).all() for labels in model.predict(X))
    ends = tagger([(None, 2), (0, None)]).fit(X, list(map(mixed, X)))
    for labels in ends.predict(X):
        assert labels[0] != 2
        assert labels[-1] != 0


def test_indices_follow_the_sorted_classes():
    assert forbidden_pairs([("b", "a"), (None, "b"), ("b", "a")], np.array(["a", "b"])) == (
        (None, 1),
        (1, 0),
    )
    assert forbidden_pairs([], np.array([0, 1])) == forbidden_pairs(None, np.array([0, 1])) == ()
    assert forbidden_pairs([(True, False)], np.array([False, True])) == ((1, 0),)
    y = [entity_labels("bio", x) for x in X]
    model = tagger("bio", learning_rate="constant")
    for part in (slice(20), slice(20, 50)):
        model.partial_fit(X[part], y[part], classes=["O", "I-up", "I-down", "B-up", "B-down"])
    assert illegal("bio", model.predict(X), model.classes_.tolist()) == []
    with pytest.raises(ValueError, match=r"sequence 0 begins with 'I-up'.*='bio' forbids"):
        model.partial_fit(X[:1], [["I-up"] * len(X[0])])


WRONG = [
    ([["O", "I-a"], ["O"]], "sequence 0 has 'I-a' at step 1 right after 'O'"),
    ([["O", "O"], ["I-a"]], "sequence 1 begins with 'I-a'"),
    ([["B-a", "I-b"], ["I-a"]], "sequence 0 has 'I-b' at step 1 right after 'B-a'"),
]


@pytest.mark.parametrize("y, message", WRONG)
def test_illegal_labels_are_refused_by_place_and_name(y, message):
    x = [np.zeros((len(labels), 1)) for labels in y]
    model = tagger("bio")
    with pytest.raises(ValueError, match=message):
        model.fit(x, y)
    assert not hasattr(model, "network_")
    legal_x, legal = [np.zeros((5, 1))] * 2, [["B-a", "I-a", "O", "B-b", "I-b"]] * 2
    with pytest.raises(ValueError, match=message):
        model.fit(legal_x, legal, validation_data=(x, y))
    iobes = tagger("iobes")
    with pytest.raises(ValueError, match="sequence 0 ends with 'B-a'"):
        iobes.fit([np.zeros((1, 1))] * 2, [["B-a"], ["O"]])
    # Their score is what it is: labels may be wrong in any way.
    model.fit(legal_x, legal)
    assert 0 <= model.score(x, y) <= 1


def test_wrong_rules_are_refused():
    y = [["up" if value > 0 else "down" for value in x[:, 0]] for x in X]
    with pytest.raises(ValueError, match=r"forbidden_transitions='bio' does not fit .* got 'down'"):
        tagger("bio").fit(X, y)
    for rules in ([("up",)], ["up"], [("up", "up", "up")], [(None, None)], [None]):
        with pytest.raises(ValueError, match="forbidden_transitions must hold pairs of labels"):
            tagger(rules).fit(X, y)
    for label in ("sideways", 1, ["up"]):
        with pytest.raises(ValueError, match=r"forbidden_transitions names .*not among the labels"):
            tagger([("up", label)]).fit(X, y)
    for rules in ("conll", 3, {"up": "down"}, np.array([["up", "down"]])):
        with pytest.raises(ValueError, match="'forbidden_transitions' parameter"):
            tagger(rules).fit(X, y)
    with pytest.raises(ValueError, match=r"'forbidden_transitions' .* unless output='crf'"):
        tagger([("up", "up")], output="softmax").fit(X, y)


def test_lengths_without_any_labelling():
    x, y = [np.zeros((2, 1))] * 4, [["B-a", "E-a"], ["B-b", "E-b"]] * 2
    model = tagger("iobes").fit(x, y)
    assert model.predict(x)[0][0][0] == "B"
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="allow no labelling of a sequence of 3 steps"):
            method([np.zeros((2, 1)), np.zeros((3, 1))])


def test_it_is_a_parameter_like_others():
    y = [entity_labels("bio", x) for x in X]
    model = tagger("bio").fit(X, y)
    again = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    for one, other in zip(model.predict_proba(X), again.predict_proba(X)):
        np.testing.assert_array_equal(one, other)
    grid = {"forbidden_transitions": [None, "bio", [(None, "I-up")]]}
    search = GridSearchCV(tagger(None), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # Weights go on under other rules.
    free = tagger(None, warm_start=True).fit(X, y)
    free.set_params(forbidden_transitions="bio").fit(X, y)
    assert illegal("bio", free.predict(X), free.classes_.tolist()) == []
    partial = tagger(None, learning_rate="constant").partial_fit(X, y, classes=free.classes_)
    partial.set_params(forbidden_transitions="bio").partial_fit(X, y)
    assert illegal("bio", partial.predict(X), free.classes_.tolist()) == []
    with pytest.raises(ValueError, match="output='crf' has none"):
        model.stream()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backends_and_dtypes(dtype, solver):
    x, y = [one.astype(dtype) for one in X], [entity_labels("iobes", one) for one in X]
    here = tagger("iobes", solver=solver).fit(x, y)
    there = tagger("iobes", solver=solver, device="reference").fit(x, y)
    for one, other in zip(here.predict_proba(x), there.predict_proba(x)):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, atol=1e-4 if dtype == np.float32 else 1e-10)


def test_unlabelled_steps_are_summed_over_what_is_allowed():
    x = [np.zeros((n, 1)) for n in (3, 2, 4)]
    y = [["B-a", None, "E-a"], ["O", "S-a"], [None, None, "I-a", "E-a"]]
    model = tagger("iobes", max_iter=3).fit(x, y)
    assert illegal("iobes", model.predict(x), model.classes_.tolist()) == []
    # With all scores alike, the loss is log(allowed labellings / those that agree with y).
    model.set_params(warm_start=True, max_iter=1, learning_rate_init=1e-12)
    model.network_.parameters.flat[:] = 0
    model.fit(x, y)
    forbidden = set(forbidden_by_scheme("iobes", model.classes_.tolist()))
    expected = []
    for labels in y:
        paths = [
            path
            for path in itertools.product(model.classes_.tolist(), repeat=len(labels))
            if not forbidden & set(itertools.pairwise([None, *path, None]))
        ]
        agreeing = [p for p in paths if all(a in (None, b) for a, b in zip(labels, p))]
        expected.append(np.log(len(paths) / len(agreeing)))
    assert model.loss_ == pytest.approx(np.mean(expected))
    for wrong, message in [
        ([None, None, "B-a"], "sequence 0 ends with 'B-a'"),
        (["B-a", "O", None], "sequence 0 has 'O' at step 1 right after 'B-a'"),
        (["B-a", None, "O"], None),
        (["O", None, "I-a"], "sequence 0 ends with 'I-a'"),
    ]:
        if message is None:
            model.fit(x, [wrong, *y[1:]])  # E-a stands between
            continue
        with pytest.raises(ValueError, match=message):
            model.fit(x, [wrong, *y[1:]])
    nothing_before_b = [(before, "B-a") for before in ("B-a", "E-a", "O")]
    gap = [["B-a", None, "E-a"], ["O", None, "B-a"], ["O", "O", "E-a", "O"]]
    x[1] = np.zeros((3, 1))
    with pytest.raises(ValueError, match="sequence 1 has unlabelled steps that no labels fill"):
        tagger(nothing_before_b).fit(x, gap)
