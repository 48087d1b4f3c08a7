"""Lazy predictions of dask collections are those of the whole, partition by partition."""

import numpy as np
import pytest
from partitions import labels, ragged, sequences_in_parts, tags

from rnnkit import GRUClassifier, GRUSequenceTagger, LSTMRegressor, Sequences

pytest.importorskip("dask")
pytest.importorskip("distributed")

from rnnkit import distributed

SMALL = {"hidden_size": 4, "max_iter": 3, "learning_rate": "linear", "random_state": 0}
DENSE = np.random.RandomState(0).standard_normal((30, 5, 2))


def test_arrays_are_answered_lazily(client):
    from dask import array

    model = GRUClassifier(**SMALL).fit(DENSE, np.arange(30) % 3)
    X = array.from_array(DENSE, chunks=(11, 5, 1))
    for method in ("predict", "predict_proba"):
        lazy = distributed.predict(model, X, method=method)
        assert isinstance(lazy, array.Array)
        expected = getattr(model, method)(DENSE)
        assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(lazy.compute(), expected)
    # A part of the answer asks for a part of X: both chunks of one row of them.
    asked = []
    watched = X.map_blocks(lambda block: (asked.append(len(block)), block)[1], meta=DENSE[:0])
    import dask

    with dask.config.set(scheduler="synchronous"):
        asked.clear()
        distributed.predict(model, watched)[:5].compute()
    assert asked == [11, 11]


def test_chunks_of_unknown_size(client):
    from dask import array

    model = LSTMRegressor(**SMALL).fit(DENSE, DENSE[:, 0])
    X = array.from_array(DENSE, chunks=(10, 5, 2))
    some = X[X[:, 0, 0] > 0]
    found = distributed.predict(model, some).compute()
    np.testing.assert_array_equal(found, model.predict(DENSE[DENSE[:, 0, 0] > 0]))


def test_ragged_partitions(client):
    import dask
    from dask import bag

    X = ragged()
    tagger = GRUSequenceTagger(**SMALL).fit(X, tags(X))
    expected = list(tagger.predict(X))
    for parts in (sequences_in_parts(X, 3), bag.from_sequence(X, npartitions=3)):
        lazy = distributed.predict(tagger, parts)
        found = [row for part in dask.compute(*lazy) for row in part]
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            np.testing.assert_array_equal(one, other)


def test_pipelines_answer(client):
    import dask
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from rnnkit.preprocessing import SequenceScaler

    X = ragged()
    pipeline = make_pipeline(SequenceScaler(StandardScaler()), GRUClassifier(**SMALL))
    pipeline.fit(X, labels(X))
    lazy = distributed.predict(pipeline, sequences_in_parts(X, 2))
    np.testing.assert_array_equal(np.concatenate(dask.compute(*lazy)), pipeline.predict(X))


def test_long_frames(client):
    import dask

    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"who": np.repeat(np.arange(12), 3), "value": np.arange(36) % 5.0})
    X = Sequences.from_frame(frame, "who")
    model = LSTMRegressor(**SMALL).fit(X, np.arange(12.0))
    parts = dd.from_pandas(frame.set_index("who"), npartitions=3).map_partitions(
        lambda part: part.reset_index()
    )
    lazy = distributed.predict(model, parts, group="who")
    np.testing.assert_array_equal(np.concatenate(dask.compute(*lazy)), model.predict(X))


def test_an_empty_partition(client):
    import dask

    X = ragged()
    model = GRUClassifier(**SMALL).fit(X, labels(X))
    parts = [dask.delayed([]), dask.delayed(X, traverse=False)]
    found = dask.compute(*distributed.predict(model, parts))
    assert [len(part) for part in found] == [0, len(X)]


def test_refusals(client):
    X = ragged()
    model = GRUClassifier(**SMALL)
    with pytest.raises(Exception, match="not fitted"):
        distributed.predict(model, sequences_in_parts(X, 2))
    model.fit(X, labels(X))
    with pytest.raises(TypeError, match=r"is for estimator\.predict"):
        distributed.predict(model, X)
    with pytest.raises(ValueError, match="method must be one of 'predict'"):
        distributed.predict(model, sequences_in_parts(X, 2), method="fit")
