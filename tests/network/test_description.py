"""A network's line and table say what is in its parameters."""

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged, tags_of

from rnnkit.network import CRF, CharacterEncoder, Embedding, SoftmaxCrossEntropy, build_network

X = ragged(8)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_layers": 3, "bidirectional": True, "dropout": 0.2, "input_dropout": 0.1},
        {"pooling": "attention", "input_noise": 0.1, "recurrent_dropout": 0.3},
        {"pooling": "max", "zoneout": 0.1},
    ],
    ids=str,
)
def test_sums_are_those_of_the_vector(cell, dtype, options):
    network = build_network(
        cell, 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=5, dtype=dtype, **options
    )
    table = network.table()
    assert len(table) == len(network.layers)
    assert table.n_parameters == table.n_trained == network.parameters.flat.size
    assert table.n_bytes == network.parameters.flat.nbytes
    assert table[-1].output == "(N, 2)"
    assert f"{table.n_parameters:,} parameters, {dtype}" in repr(network)
    assert repr(table).splitlines()[-1].split()[1] == f"{table.n_parameters:,}"
    assert f"<td>{table.n_bytes:,}</td>" in table._repr_html_()


def test_shapes_follow_the_data():
    model = estimator("LSTM", "SequenceTagger", max_iter=2, n_layers=2, bidirectional=True)
    network = model.fit(X, tags_of(X)).network_
    assert [row.output for row in network.table()] == ["(N, T, 16)", "(N, T, 16)", "(N, T, 2)"]
    model = estimator("GRU", "Classifier", max_iter=2, pooling="mean")
    network = model.fit(X, labels_of(X)).network_
    assert [row.output for row in network.table()] == ["(N, T, 8)", "(N, 8)", "(N, 2)"]


def test_what_is_not_trained_and_what_the_output_has():
    tokens = [Embedding([7], [4], trainable=False), CharacterEncoder(9, 3, 2, (1, 5))]
    network = build_network(
        "gru", 2, CRF(3), per_step=True, hidden_size=4, tokens=tokens, dtype="float32"
    )
    table = network.table()
    assert table.n_parameters - table.n_trained == network.n_frozen == 28
    assert table[-1] == ("output CRF", "(N, T, 3)", 15, 15, 60)
    assert repr(table).endswith("of these not trained: 28")
    first = "embedding 7 × 4 (not trained) + characters 9 × 3, lstm of 2 × 2 + 2 numbers"
    assert table[0].layer == first


def test_features_that_make_the_initial_state():
    steady = [np.column_stack([x, np.full(len(x), i)]) for i, x in enumerate(X)]
    model = estimator("LSTM", "Classifier", max_iter=2, static="state").fit(steady, labels_of(X))
    row = model.network_.table()[0]
    assert row.layer == "lstm 3 → 8 (1 features make the initial state, last state)"


def test_a_table_is_a_frame():
    pd = pytest.importorskip("pandas")
    network = build_network("gru", 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=4)
    frame = pd.DataFrame(network.table())
    assert list(frame) == ["layer", "output", "n_parameters", "n_trained", "n_bytes"]
