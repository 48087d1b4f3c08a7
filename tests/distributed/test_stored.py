"""Sequences in files: trained on block by block, in constant memory, as those in memory."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from partitions import labels, ragged, tags
from sklearn.base import clone

from rnnkit import (
    EchoStateClassifier,
    EvolinoRegressor,
    GRUAutoencoder,
    GRUClassifier,
    GRUSequenceTagger,
    GRUSeriesGenerator,
    LSTMRegressor,
    Sequences,
    distributed,
)
from rnnkit.distributed import StoredSequences
from rnnkit.energy import RecurrentRBM

SMALL = {"hidden_size": 4, "batch_size": 7, "max_iter": 3, "random_state": 0, "tol": 0}
LIST = ragged(60)
X = Sequences.from_list(LIST)
Y = labels(LIST)
STORED = StoredSequences.from_arrays(X.values, X.offsets, block_bytes=300)


def fitted(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def same_bits(one, other):
    np.testing.assert_array_equal(one.network_.parameters.flat, other.network_.parameters.flat)
    np.testing.assert_array_equal(one.loss_curve_, other.loss_curve_)


def test_blocks_hold_all():
    assert STORED.n_blocks > 8
    joined = [row for block in STORED.blocks() for row in block.to_list()]
    assert len(joined) == len(STORED) == 60
    for one, other in zip(joined, LIST):
        np.testing.assert_array_equal(one, other)


CASES = {
    "labels": (GRUClassifier(**SMALL, shuffle=False, class_weight="balanced"), Y),
    "dropout": (GRUClassifier(**SMALL, shuffle=False, dropout=0.3), Y),
    "windows": (GRUClassifier(**SMALL, shuffle=False, bptt_steps=2), Y),
    "medians": (
        LSTMRegressor(**SMALL, shuffle=False, loss="absolute"),
        np.array([x.sum() for x in LIST]),
    ),
    "crf": (GRUSequenceTagger(**SMALL, shuffle=False, output="crf"), tags(LIST)),
}


@pytest.mark.parametrize("case", CASES)
def test_in_order_they_train_as_in_memory(case):
    estimator, y = CASES[case]
    expected = fitted(lambda: clone(estimator).fit(X, y))
    found = fitted(lambda: distributed.fit(clone(estimator), STORED, y))
    assert type(found) is type(estimator)
    if case == "windows":
        assert found.loss_curve_ == pytest.approx(expected.loss_curve_)
    else:
        ours, theirs = found.network_.parameters.flat, expected.network_.parameters.flat
        assert np.abs(ours - theirs).max() <= 1e-9 * np.abs(theirs).max()
    assert found.n_features_in_ == 2
    for one, other in zip(found.predict(X), expected.predict(X)):
        np.testing.assert_array_equal(one, other) if case == "labels" else None


def test_shuffled_by_blocks():
    """Each epoch visits every sequence once, neighbours of a block close together."""
    from rnnkit.distributed.stored import SHUFFLED, _Blocks

    n = 1000
    bounds = np.arange(0, n + 1, 20)
    blocks = _Blocks(np.ones(n, int), np.ones(n), bounds)
    offsets = np.arange(n + 1)
    rng = np.random.RandomState(0)
    orders = []
    for _ in range(2):
        batches = [batch.own.sequences for batch in blocks.minibatches(offsets, 64, rng)]
        assert [len(batch) for batch in batches] == [64] * 15 + [40]
        order = np.concatenate(batches)
        assert sorted(order) == list(range(n))
        assert max(len(np.unique(batch // 20)) for batch in batches) <= 2 * SHUFFLED
        orders.append(order)
    assert not np.array_equal(*orders)


def test_it_learns_and_again_the_same():
    estimator = GRUClassifier(8, learning_rate_init=0.03, max_iter=40, random_state=0)
    first = fitted(lambda: distributed.fit(clone(estimator), STORED, Y))
    again = fitted(lambda: distributed.fit(clone(estimator), STORED, Y))
    assert first.score(X, Y) > 0.9
    same_bits(first, again)


def test_weights_validation_and_warm_start():
    weights = np.random.RandomState(0).uniform(0.5, 2, 60)
    estimator = GRUClassifier(**SMALL, shuffle=False, warm_start=True)
    expected, found = clone(estimator), clone(estimator)
    given = {"sample_weight": weights, "validation_data": (LIST[:20], Y[:20])}
    for _ in range(2):
        fitted(lambda: expected.fit(X, Y, **given))
        fitted(lambda: distributed.fit(found, STORED, Y, **given))
    np.testing.assert_allclose(
        found.network_.parameters.flat, expected.network_.parameters.flat, rtol=1e-7
    )
    np.testing.assert_allclose(found.validation_scores_, expected.validation_scores_)


def test_memory_maps_and_dense_arrays(tmp_path):
    dense = np.random.RandomState(0).standard_normal((50, 6, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", dense)
    stored = StoredSequences.from_arrays(
        np.load(tmp_path / "x.npy", mmap_mode="r"), block_bytes=500
    )
    estimator = GRUClassifier(**SMALL, shuffle=False)
    y = np.arange(50) % 2
    found = fitted(lambda: distributed.fit(clone(estimator), stored, y))
    same_bits(found, fitted(lambda: clone(estimator).fit(dense, y)))


def test_tokens():
    ids = np.random.RandomState(0).randint(0, 9, (len(X.values), 1))
    stored = StoredSequences.from_arrays(ids, X.offsets, block_bytes=100)
    estimator = GRUClassifier(**SMALL, shuffle=False, embedding_dim=3)
    found = fitted(lambda: distributed.fit(clone(estimator), stored, Y))
    expected = fitted(lambda: clone(estimator).fit(Sequences(ids, X.offsets), Y))
    np.testing.assert_allclose(
        found.network_.parameters.flat, expected.network_.parameters.flat, rtol=1e-5
    )


@pytest.mark.parametrize("library", ("h5py", "zarr"))
def test_groups(library, tmp_path):
    module = pytest.importorskip(library)
    numbers = np.array([x.sum() for x in LIST])
    if library == "h5py":
        group = module.File(tmp_path / "data.h5", "w")
        group["values"], group["offsets"], group["y"] = X.values, X.offsets, numbers
    else:
        group = module.open_group(str(tmp_path / "data.zarr"), mode="w")
        for name, data in (("values", X.values), ("offsets", X.offsets), ("y", numbers)):
            group.create_array(name, data=np.asarray(data))
    stored = StoredSequences.from_group(group, target="y")
    estimator = LSTMRegressor(**SMALL, shuffle=False)
    found = fitted(lambda: distributed.fit(clone(estimator), stored))
    np.testing.assert_allclose(
        found.network_.parameters.flat,
        fitted(lambda: clone(estimator).fit(X, numbers)).network_.parameters.flat,
        rtol=1e-9,
    )


def frame_of(n=60):
    pd = pytest.importorskip("pandas")
    lengths = X.lengths
    return pd.DataFrame(
        {
            "who": np.repeat([f"p{i:03}" for i in range(n)], lengths),
            "a": X.values[:, 0],
            "b": X.values[:, 1],
            "kind": np.repeat(Y, lengths),
            "tag": np.concatenate(tags(LIST)),
        }
    )


def test_a_folder_of_parquet_files(tmp_path):
    pytest.importorskip("pyarrow")
    frame = frame_of()
    middle = 101  # in the midst of a sequence
    frame[:middle].to_parquet(tmp_path / "0.parquet", row_group_size=30)
    frame[middle:].to_parquet(tmp_path / "1.parquet", row_group_size=30)
    columns = ["a", "b"]
    stored = StoredSequences.from_arrow(
        str(tmp_path), "who", columns, target="kind", block_bytes=300
    )
    assert stored.n_blocks > 8
    assert stored.ids[-1] == "p059"
    for one, other in zip([row for block in stored.blocks() for row in block], LIST):
        np.testing.assert_array_equal(one, other)
    estimator = GRUClassifier(**SMALL, shuffle=False)
    found = fitted(lambda: distributed.fit(clone(estimator), stored))
    same_bits(found, fitted(lambda: clone(estimator).fit(X, Y)))
    per_step = StoredSequences.from_arrow(
        str(tmp_path), "who", columns, target="tag", target_per="step"
    )
    tagger = GRUSequenceTagger(**SMALL, shuffle=False)
    found = fitted(lambda: distributed.fit(clone(tagger), per_step))
    assert found.classes_.tolist() == ["B-X", "O"]


def test_rows_that_do_not_follow_one_another(tmp_path):
    pytest.importorskip("pyarrow")
    frame = frame_of().sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ValueError, match="must follow one another; sort the data set by 'who'"):
        StoredSequences.from_arrow(str(tmp_path), "who", ["a"])
    with pytest.raises(ValueError, match="no column 'c'"):
        StoredSequences.from_arrow(str(tmp_path), "who", ["c"])
    with pytest.raises(ValueError, match="column 'kind' must hold numbers"):
        StoredSequences.from_arrow(str(tmp_path), "who")


def test_names_of_columns_are_those_of_fit(tmp_path):
    pytest.importorskip("pyarrow")
    frame = frame_of()
    frame.to_parquet(tmp_path / "data.parquet", row_group_size=30)
    stored = StoredSequences.from_arrow(
        str(tmp_path), "who", ["a", "b"], target="kind", block_bytes=300
    )
    model = fitted(lambda: distributed.fit(GRUClassifier(**SMALL, warm_start=True), stored))
    assert model.feature_names_in_.tolist() == ["a", "b"]
    assert all(block.columns == ("a", "b") for block in stored.blocks())
    other = Sequences.from_frame(frame, "who", columns=["b", "a"])
    turned = StoredSequences.from_arrow(str(tmp_path), "who", ["b", "a"], target="kind")
    for call in (lambda: model.predict(other), lambda: distributed.fit(model, turned)):
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            call()
    one = StoredSequences.from_arrow(str(tmp_path), "who", "b", target="kind")
    assert one.n_features == 1


def test_ids_are_compared_as_of_sequences_in_memory():
    pd = pytest.importorskip("pandas")
    ids = [f"p{i:02}" for i in range(60)]
    stored = StoredSequences.from_arrays(X.values, X.offsets, ids=ids, block_bytes=300)
    y, weights = pd.Series(Y, ids), pd.Series(1.0, ids)
    model = fitted(
        lambda: distributed.fit(GRUClassifier(**SMALL), stored, y, sample_weight=weights)
    )
    before = model.network_.parameters.flat.copy()
    with pytest.raises(ValueError, match="index of y has the ids of X in another order"):
        distributed.fit(model, stored, y[::-1])
    with pytest.raises(ValueError, match="index of sample_weight has the ids of X in another"):
        distributed.fit(model, stored, y, sample_weight=weights[::-1])
    np.testing.assert_array_equal(model.network_.parameters.flat, before)
    for wrong in (ids[:-1], [*ids, "p60"], [*ids[:-1], None]):
        with pytest.raises(ValueError, match="ids must"):
            StoredSequences.from_arrays(X.values, X.offsets, ids=wrong)


PEAK = """
import resource, sys, warnings
import numpy as np
from rnnkit import GRUClassifier, distributed
from rnnkit.distributed import StoredSequences

n = int(sys.argv[1])

def read(first, last):  # of a file that would be n megabytes
    return np.full((last - first, 10), 0.5, np.float32)

offsets = np.arange(n + 1) * 25_000
X = StoredSequences(read, offsets, np.arange(n) % 2, block_bytes=2**21)
warnings.simplefilter("ignore")
model = GRUClassifier(2, max_iter=1, batch_size=2, bptt_steps=1000, random_state=0)
distributed.fit(model, X)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_data():
    peaks = []
    for n in (8, 80):  # 8 and 80 MB
        run = subprocess.run(
            [sys.executable, "-P", "-c", PEAK, str(n)], capture_output=True, text=True, check=True
        )
        peaks.append(int(run.stdout))
    assert peaks[1] - peaks[0] < 25, peaks


def test_refusals():
    for options, match in (
        ({"early_stopping": True}, "give validation_data"),
        ({"solver": "lbfgs"}, "trains in minibatches|train in minibatches"),
        ({"token_dropout": 0.1}, "token_dropout"),
        ({"categorical_features": [0]}, "categorical_features"),
        ({"hidden_size": -1}, "hidden_size"),
    ):
        with pytest.raises(ValueError, match=match):
            distributed.fit(GRUClassifier(**{**SMALL, **options}), STORED, Y)
    with pytest.raises(ValueError, match="checkpoint must be None"):
        distributed.fit(GRUClassifier(**SMALL), STORED, Y, checkpoint="somewhere")
    with pytest.raises(ValueError, match="requires y"):
        distributed.fit(GRUClassifier(**SMALL), STORED)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        distributed.fit(GRUClassifier(**SMALL), STORED, Y[:-1])
    with pytest.raises(TypeError, match="takes a classifier"):
        distributed.fit(object(), STORED, Y)
    for kind, words in (
        (GRUSeriesGenerator, "no generator of series, got GRUSeriesGenerator"),
        (GRUAutoencoder, "no estimator that learns from X alone, got GRUAutoencoder"),
        (RecurrentRBM, "no estimator that learns from X alone, got RecurrentRBM"),
        (EvolinoRegressor, "no Evolino network, got EvolinoRegressor"),
        (EchoStateClassifier, "no echo state network, got EchoStateClassifier"),
    ):
        with pytest.raises(TypeError, match=words):
            distributed.fit(kind(), STORED, Y)
    broken = StoredSequences(lambda a, b: X.values[a : min(b, 50)], X.offsets, Y, block_bytes=300)
    with pytest.raises(ValueError, match="were read"):
        distributed.fit(GRUClassifier(**SMALL), broken)
    values = X.values.copy()
    values[100] = np.nan
    with pytest.raises(ValueError, match=r"^Input X contains NaN"):
        distributed.fit(GRUClassifier(**SMALL), StoredSequences.from_arrays(values, X.offsets), Y)
    blocks = StoredSequences.from_arrays(values, X.offsets, block_bytes=300)
    place = int(np.searchsorted(X.offsets, 100, side="right")) - 1
    first, last = next((a, b - 1) for a, b in zip(blocks.bounds, blocks.bounds[1:]) if place < b)
    words = f"In the block of sequences {first} to {last}: .* sequence {place - first}, step"
    with pytest.raises(ValueError, match=words):
        distributed.fit(GRUClassifier(**SMALL), blocks, Y)
