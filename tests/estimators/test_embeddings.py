"""Embedding tables that are brought along, frozen or trained on, in every way to give them."""

import pickle

import numpy as np
import pytest
from estimators.problems import CELLS, estimator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from rnnkit.preprocessing import TokenEncoder
from rnnkit.training import AdamW

RNG = np.random.RandomState(0)
TABLE = RNG.randn(7, 3).astype(np.float32)
X = [RNG.randint(1, 7, t) for t in RNG.randint(2, 6, 30)]
Y = np.array([int(x[0] > 3) for x in X])
WORDS = [[f"w{i}" for i in x] for x in X]
VECTORS = {f"w{i}": TABLE[i] for i in range(1, 7)}
WEIGHT = "embedding.weight_0"


def classifier(cell="GRU", **parameters):
    return estimator(cell, "Classifier", **{"embedding_init": TABLE, "max_iter": 3, **parameters})


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "adamw"},
        {"solver": AdamW(weight_decay=0.5)},
        {"alpha": 0.5, "l1": 0.5},
        {"solver": "sgd", "clip_value": 0.01},
        {"solver": "lbfgs"},
        {"token_dropout": 2.0, "input_dropout": 0.3},
        {"bptt_steps": 2},
        {"early_stopping": True},
    ],
)
def test_a_frozen_table_keeps_every_bit_and_the_rest_learns(cell, device, options):
    frozen = classifier(cell, embedding_trainable=False, device=device, **options).fit(X, Y)
    assert frozen.weights_[WEIGHT].tobytes() == TABLE.tobytes()
    started = classifier(cell, embedding_trainable=False, device=device, max_iter=1, **options)
    started.set_params(learning_rate_init=1e-9).fit(X, Y)
    assert np.any(frozen.weights_["rnn.weight_ih_l0"] != started.weights_["rnn.weight_ih_l0"])


def test_a_table_is_where_training_begins():
    barely = classifier(learning_rate_init=1e-7, max_iter=1).fit(X, Y).weights_[WEIGHT]
    np.testing.assert_allclose(barely, TABLE, atol=1e-5)
    assert (
        np.abs(classifier(learning_rate_init=0.1).fit(X, Y).weights_[WEIGHT] - TABLE).max() > 0.05
    )


def test_other_weights_are_drawn_as_without_a_table():
    options = {"learning_rate_init": 1e-12, "max_iter": 1}
    brought = classifier(**options).fit(X, Y).weights_
    drawn = classifier(embedding_init=None, embedding_dim=3, n_tokens=7, **options).fit(X, Y)
    for name, weight in drawn.weights_.items():
        assert (name == WEIGHT) != np.allclose(weight, brought[name], rtol=0, atol=1e-10)


def test_a_frozen_gradient_is_that_of_training_the_rest():
    """Frozen and trained networks have the same gradient but for the table, which has none."""
    kwargs = {"solver": "sgd", "max_iter": 1, "batch_size": 30, "clip_norm": None}
    frozen = classifier(embedding_trainable=False, **kwargs).fit(X, Y).weights_
    trained = classifier(**kwargs).fit(X, Y).weights_
    for name in frozen:
        same = np.allclose(frozen[name], trained[name], atol=1e-7)
        assert same == (name != WEIGHT), name


def test_rows_of_nan_are_drawn_as_long_as_the_others():
    table = np.full((7, 3), np.nan)
    table[1:4] = 10 * TABLE[1:4]
    weight = classifier(embedding_init=table, embedding_trainable=False).fit(X, Y).weights_[WEIGHT]
    np.testing.assert_array_equal(weight[1:4], (10 * TABLE[1:4]).astype("f4"))
    assert not weight[0].any()
    lengths = np.linalg.norm(weight, axis=1)
    assert 0.2 < lengths[4:].mean() / lengths[1:4].mean() < 5


def test_words_in_a_pipeline_find_their_vectors():
    pipe = make_pipeline(
        TokenEncoder(), classifier(embedding_init=VECTORS, embedding_trainable=False)
    ).fit(WORDS, Y)
    encoder, fitted = pipe[0], pipe[-1]
    for word, vector in VECTORS.items():
        row = encoder.vocabularies_[0][word]
        assert fitted.weights_[WEIGHT][row].tobytes() == vector.tobytes()
    table = encoder.embedding_init(VECTORS)
    alone = classifier(embedding_init=table, embedding_trainable=False)
    alone.fit(encoder.transform(WORDS), Y)
    np.testing.assert_array_equal(alone.predict_proba(encoder.transform(WORDS)),
                                  pipe.predict_proba(WORDS))  # fmt: skip
    assert pipe.predict([["w1", "never seen"]]).shape == (1,)


def test_words_as_labels_find_their_vectors():
    fitted = classifier(
        embedding_init=VECTORS, categorical_features=[0], embedding_trainable=False
    ).fit(WORDS, Y)
    assert fitted.weights_[WEIGHT][1:].tobytes() == TABLE[1:].tobytes()
    assert not fitted.weights_[WEIGHT][0].any()


def test_in_a_search_and_through_clone_and_pickle():
    pipe = make_pipeline(TokenEncoder(), classifier(embedding_init=VECTORS))
    grid = {"gruclassifier__embedding_trainable": [True, False],
            "gruclassifier__embedding_init": [None, VECTORS],
            "gruclassifier__embedding_dim": [3]}  # fmt: skip
    search = GridSearchCV(pipe, grid, cv=2).fit(WORDS, Y)
    assert len(search.cv_results_["params"]) == 4
    fitted = classifier(embedding_trainable=False).fit(X, Y)
    again = clone(fitted).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(fitted))
    for same in (again, loaded):
        np.testing.assert_array_equal(same.predict_proba(X), fitted.predict_proba(X))
    assert loaded.fit(X, Y).weights_[WEIGHT].tobytes() == TABLE.tobytes()


def test_training_goes_on_and_may_thaw_the_table():
    frozen = classifier(embedding_trainable=False, warm_start=True).fit(X, Y)
    thawed = frozen.set_params(embedding_trainable=True).fit(X, Y)
    assert np.any(thawed.weights_[WEIGHT] != TABLE)
    with pytest.raises(ValueError, match="cannot go on training: embedding_init"):
        thawed.set_params(embedding_init=TABLE + 1).fit(X, Y)
    in_parts = classifier(embedding_trainable=False).partial_fit(X, Y, classes=[0, 1])
    in_parts = pickle.loads(pickle.dumps(in_parts)).partial_fit(X, Y)
    assert in_parts.weights_[WEIGHT].tobytes() == TABLE.tobytes()


def test_a_table_for_each_column():
    columns = [np.column_stack([x, x % 2]) for x in X]
    kwargs = {"embedding_trainable": False}
    dims = (3, 2)
    for given in ([TABLE, None], {0: TABLE}, [TABLE, RNG.randn(2, 2)]):
        fitted = classifier(embedding_init=given, embedding_dim=dims, **kwargs).fit(columns, Y)
        assert fitted.weights_[WEIGHT].tobytes() == TABLE.tobytes()
        assert fitted.weights_["embedding.weight_1"].shape == (2, 2)
    labels = [np.array([[f"w{a}", f"v{b}"] for a, b in x]) for x in columns]
    by_word = {0: VECTORS, 1: {"v0": [1.0, 2.0]}}
    fitted = classifier(embedding_init=by_word, categorical_features=(0, 1), **kwargs)
    weights = fitted.fit(labels, Y).weights_
    assert weights[WEIGHT][1:].tobytes() == TABLE[1:].tobytes()
    assert weights["embedding.weight_1"][1].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"embedding_init": TABLE[:5]}, r"id 6 in column 0, but the embedding table has 5 ids"),
        ({"embedding_init": TABLE, "n_tokens": 9}, "embedding_init must have 9 rows, .* got 7"),
        ({"embedding_init": TABLE, "embedding_dim": 4}, r"embedding_dim=4 numbers, got shape \(7,"),
        ({"embedding_init": TABLE[0]}, r"shape \(n_tokens, embedding_dim\) or map.*\(3,\)"),
        ({"embedding_init": "glove"}, r"shape \(n_tokens, embedding_dim\) or map"),
        ({"embedding_init": TABLE.astype(str)}, "real numbers of shape .* dtype <U"),
        ({"embedding_init": TABLE * [[np.inf]]}, "must be finite, .* row 0 is neither"),
        ({"embedding_init": VECTORS}, "ids of X stand for no known words; encode"),
        ({"embedding_init": [TABLE, TABLE]}, "must have 1 tables, one for each column .* got 2"),
        ({"embedding_init": {3: TABLE}}, "a table for 3, which is no column of ids"),
        ({"embedding_init": None, "embedding_trainable": False}, "embedding_trainable.*must be"),
        ({"embedding_init": TABLE.astype("f8") * 1e300}, "too large for float32"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(parameters, message):
    fresh = classifier(**parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        fresh.fit(X, Y)
    assert not hasattr(fresh, "network_")


@pytest.mark.parametrize(
    "vectors, message",
    [
        ({"other": [1.0]}, "a vector for none of the 6 words in X, 'w"),
        ({**VECTORS, "w2": [1.0]}, r"vectors of 3 real numbers, got shape \(1,\)|of 1 real"),
        ({**VECTORS, "w2": [1.0, np.nan, 0]}, "must be finite; the vector of 'w2' is not"),
        ({**VECTORS, "w2": ["a", "b", "c"]}, "for 'w2'"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors, message):
    pipe = make_pipeline(TokenEncoder(), classifier(embedding_init=vectors))
    with pytest.raises(ValueError, match=message):
        pipe.fit(WORDS, Y)
    with pytest.raises(ValueError, match=message):
        TokenEncoder().fit(WORDS).embedding_init(vectors)
