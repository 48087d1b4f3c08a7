"""precision="bf16": it is used, it computes in float32, and what it lacks is refused."""

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, labels_of, ragged

X = ragged(30)
LABELS = labels_of(X)
REFUSED = {
    "activation": "relu",
    "gate_activation": "hard_sigmoid",
    "peephole": True,
    "coupled_gates": True,
    "full_gate_recurrence": True,
    "output_activation": "softsign",
    "cell_clip": 1.0,
    "layer_norm": True,
    "zoneout": 0.1,
    "recurrent_dropout": 0.1,
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_rounded_products_change_little(cell, bidirectional):
    options = {"bidirectional": bidirectional, "n_layers": 2, "max_iter": 5}
    single = [x.astype(np.float32) for x in X]
    full, rounded = (
        estimator(cell, "Classifier", precision=precision, **options).fit(single, LABELS)
        for precision in ("full", "bf16")
    )
    differences = np.abs(np.subtract(full.loss_curve_, rounded.loss_curve_))
    assert 0 < differences.max() < 0.01


def test_numbers_are_single_whatever_the_input():
    fits = [
        estimator("GRU", "Classifier", precision="bf16", max_iter=2).fit(sequences, LABELS)
        for sequences in (X, [x.astype(np.float32) for x in X])
    ]
    assert all(model.network_.dtype == np.float32 for model in fits)
    assert fits[0].predict_proba(X).dtype == np.float32
    np.testing.assert_array_equal(fits[0].predict_proba(X), fits[1].predict_proba(X))


def test_a_stream_has_the_bits_of_predict():
    classifier = estimator("LSTM", "Classifier", precision="bf16", max_iter=2).fit(X, LABELS)
    stream = classifier.stream()
    for x in X[0]:
        stream.step(x)
    np.testing.assert_array_equal(stream.predict_proba(), classifier.predict_proba(X[:1])[0])


@pytest.mark.parametrize("option", REFUSED)
def test_other_cells_are_refused(option):
    classifier = estimator("LSTM", "Classifier", precision="bf16", **{option: REFUSED[option]})
    with pytest.raises(ValueError, match=f"must be 'full' unless {option}="):
        classifier.fit(X, LABELS)


def test_reset_before_and_unknown_precisions_are_refused():
    with pytest.raises(ValueError, match="must be 'full' unless reset='after'"):
        estimator("GRU", "Classifier", precision="bf16", reset="before").fit(X, LABELS)
    with pytest.raises(ValueError, match=r"'precision' parameter .* Got 'bf8' instead"):
        estimator("RNN", "Classifier", precision="bf8").fit(X, LABELS)
