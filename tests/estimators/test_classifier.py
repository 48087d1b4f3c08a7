"""The classifiers: fitting in all its ways, outputs, attributes and faults."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, labels_of, ragged
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from tolerances import assert_close

from rnnkit.backends.cpu import using_threads
from rnnkit.backends.reference import ReferenceBackend
from rnnkit.estimators import applying
from rnnkit.training import LBFGS, SGD, Cosine

X = ragged(60)
Y = labels_of(X)


@pytest.mark.parametrize("cell", CELLS)
def test_learns_and_reports(cell):
    classifier = estimator(cell, "Classifier").fit(X, Y)
    assert classifier.score(X, Y) > 0.95
    assert classifier.classes_.tolist() == ["down", "up"]
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 40
    assert classifier.loss_ == classifier.loss_curve_[-1] < 0.3
    assert classifier.best_loss_ == min(classifier.loss_curve_)
    assert classifier.t_ == 40 * len(X)
    assert classifier.n_outputs_ == 2
    assert classifier.validation_scores_ is None
    assert classifier.best_validation_score_ is None


OPTIONS = [
    dict(bidirectional=True),
    dict(n_layers=2, dropout=0.2),
    dict(pooling="mean"),
    dict(pooling="max"),
    dict(pooling="attention"),
    dict(layer_norm=True),
    dict(zoneout=0.1),
    dict(recurrent_dropout=0.1, input_dropout=0.05, input_noise=0.05),
    dict(activation="softsign"),
    dict(activation=("leaky_relu", 0.1)),
    dict(cell_clip=3.0),
    dict(label_smoothing=0.1),
    dict(solver=SGD(momentum=0.9, nesterov=True), learning_rate_init=0.3),
    dict(solver="lbfgs"),
    dict(learning_rate=Cosine()),
    dict(alpha=0.1, l1=0.01),
    dict(clip_norm=None, clip_value=0.02),
    dict(bptt_steps=3),
    dict(batch_size=7, shuffle=False),
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_changes_the_model_and_learns(cell, options):
    plain = estimator(cell, "Classifier").fit(X, Y)
    changed = estimator(cell, "Classifier", **options).fit(X, Y)
    assert changed.score(X, Y) > 0.8
    assert not np.array_equal(changed.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize(
    "cell, options",
    [
        ("LSTM", dict(peephole=True)),
        ("LSTM", dict(coupled_gates=True)),
        ("LSTM", dict(forget_bias=-1.0)),
        ("LSTM", dict(gate_bias="chrono")),
        ("LSTM", dict(gate_bias={"i": -2.0})),
        ("LSTM", dict(gate_activation="hard_sigmoid")),
        ("GRU", dict(reset="before")),
        ("GRU", dict(gate_bias={"z": 1.0})),
        ("GRU", dict(gate_bias="chrono")),
    ],
    ids=str,
)
def test_every_option_of_a_cell_changes_the_model_and_learns(cell, options):
    plain = estimator(cell, "Classifier").fit(X, Y)
    changed = estimator(cell, "Classifier", **options).fit(X, Y)
    assert changed.score(X, Y) > 0.8
    assert not np.array_equal(changed.predict_proba(X), plain.predict_proba(X))


def test_probabilities():
    classifier = estimator("LSTM", "Classifier").fit(X, Y)
    probabilities = classifier.predict_proba(X)
    assert_close(probabilities.sum(axis=1), np.ones(len(X)), np.float64, 2)
    np.testing.assert_array_equal(np.log(probabilities), classifier.predict_log_proba(X))
    expected = classifier.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(X), expected)


@pytest.mark.parametrize(
    "labels",
    [
        [True, False],
        [-3, 2**62],
        ["no", "yes"],
        np.array([1, 0], object),
        np.array(["é", "ab"], object),
        [1.0, 2.0],
    ],
    ids=str,
)
def test_labels_of_any_type(labels):
    labels = np.asarray(labels)
    y = labels[(Y == "up").astype(int)]
    classifier = estimator("GRU", "Classifier").fit(X, y)
    assert classifier.classes_.dtype == labels.dtype
    assert classifier.classes_.tolist() == sorted(labels.tolist())
    assert classifier.score(X, y) > 0.9
    assert classifier.predict(X).dtype == labels.dtype


def test_same_seed_same_bits_other_seed_others():
    first, second = (estimator("LSTM", "Classifier").fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = estimator("LSTM", "Classifier", random_state=1).fit(X, Y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_a_row_has_the_same_bits_in_any_batch():
    classifier = estimator("LSTM", "Classifier", n_layers=2, bidirectional=True).fit(X, Y)
    together = classifier.predict_proba(X)
    alone = np.concatenate([classifier.predict_proba([x]) for x in X])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(classifier.predict_proba(X[::-1])[::-1], together)


def test_large_input_is_predicted_in_batches(monkeypatch):
    classifier = estimator("GRU", "Classifier").fit(X, Y)
    expected = classifier.predict_proba(X)
    monkeypatch.setattr("rnnkit.estimators.applying.ROWS_AT_ONCE", 20)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_batches_suit_the_threads_that_share_them(monkeypatch):
    """As many steps as a thread's caches hold, but enough sequences, and never above the limit."""
    network = estimator("GRU", "Classifier").fit(X, Y).network_
    offsets = np.concatenate([np.arange(0, 300, 3), np.arange(300, 3300, 30)])

    def steps_of(backend):
        batches = list(applying.bounded_batches(network, offsets, backend))
        sequences = np.concatenate([np.sort(batch.sequences) for batch in batches])
        np.testing.assert_array_equal(sequences, np.arange(len(offsets) - 1))
        return [batch.plan.n_rows for batch in batches]

    monkeypatch.setattr(applying, "ROWS_OF_A_THREAD", 100)
    monkeypatch.setattr(applying, "SEQUENCES_OF_A_THREAD", 4)
    one, two, device = (
        SimpleNamespace(on_host=on_host, n_threads=n)
        for on_host, n in ((True, 1), (True, 2), (False, 1))
    )
    assert steps_of(one)[:5] == [99, 99, 99, 93, 120]
    assert steps_of(one)[-2] == 120
    assert steps_of(two)[:2] == [198, 192]
    assert steps_of(two)[-2] == 240
    assert steps_of(device) == steps_of(None) == [offsets[-1]]
    monkeypatch.setattr(applying, "ROWS_AT_ONCE", 90)
    assert max(steps_of(one)) == 90


def test_weights_are_named_views():
    classifier = estimator("LSTM", "Classifier", max_iter=1).fit(X, Y)
    weights = classifier.weights_
    assert weights["rnn.weight_ih_l0"].shape == (32, 2)
    assert weights["rnn.weight_hh_l0"].shape == (32, 8)
    assert weights["rnn.bias_l0"].shape == (32,)
    assert weights["head.weight"].shape == (2, 8)
    assert weights["head.bias"].shape == (2,)
    weights["head.weight"][:] = 0
    weights["head.bias"][:] = [0, np.log(3)]
    assert_close(classifier.predict_proba(X), [[0.25, 0.75]] * len(X), np.float64, 2)


def test_hidden_states_and_gates():
    classifier = estimator("LSTM", "Classifier", bidirectional=True, max_iter=2).fit(X, Y)
    states = classifier.hidden_states(X)
    assert [s.shape for s in states] == [(len(x), 16) for x in X]
    last = np.array([np.append(s[-1, :8], s[0, 8:]) for s in states])
    weights = classifier.weights_
    scores = last @ weights["head.weight"].T + weights["head.bias"]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = e / e.sum(axis=1, keepdims=True)
    assert_close(classifier.predict_proba(X), expected, np.float64, 16)
    gates = classifier.gate_activations(X)
    assert sorted(gates) == ["f", "g", "i", "o"]
    for gate, values in gates.items():
        assert [v.shape for v in values] == [(len(x), 16) for x in X]
        assert all(np.all(v > (-1 if gate == "g" else 0)) and np.all(v < 1) for v in values)
    dense = np.zeros((3, 4, 2))
    assert classifier.hidden_states(dense, lengths=[1, 4, 2]).shape == (3, 4, 16)
    assert not classifier.hidden_states(dense, lengths=[1, 4, 2])[0, 1:].any()
    with pytest.raises(ValueError, match="layer"):
        classifier.hidden_states(X, layer=1)
    for layer in ("a", 0.0, None, True):
        for method in (classifier.hidden_states, classifier.gate_activations):
            with pytest.raises(TypeError, match="layer must be an integer"):
                method(X, layer=layer)


def test_sample_weight_equals_repetition():
    weights = np.random.RandomState(0).randint(0, 3, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weights)
    settings = dict(max_iter=5, batch_size=200)
    weighted = estimator("GRU", "Classifier", **settings).fit(X, Y, sample_weight=weights)
    plain = estimator("GRU", "Classifier", **settings).fit([X[i] for i in repeated], Y[repeated])
    expected = plain.predict_proba(X)
    assert_close(weighted.predict_proba(X), expected, np.float64, 5 * len(repeated))
    assert weighted.score(X, Y, sample_weight=weights) == pytest.approx(
        plain.score([X[i] for i in repeated], Y[repeated])
    )


def test_class_weight_equals_sample_weight():
    count = {label: np.sum(label == Y) for label in ("up", "down")}
    balanced = np.array([len(Y) / (2 * count[label]) for label in Y])
    expected = estimator("GRU", "Classifier", max_iter=3).fit(X, Y, sample_weight=balanced)
    for class_weight in ("balanced", {label: len(Y) / (2 * n) for label, n in count.items()}):
        got = estimator("GRU", "Classifier", max_iter=3, class_weight=class_weight).fit(X, Y)
        assert_close(got.predict_proba(X), expected.predict_proba(X), np.float64, 3 * len(X))


@pytest.mark.parametrize("monitor", ["loss", "score"])
def test_early_stopping_sets_data_aside_and_keeps_the_best_weights(monitor):
    rng = np.random.RandomState(0)
    noisy = np.where(rng.rand(len(Y)) < 0.3, "up", Y)
    classifier = estimator(
        "LSTM", "Classifier", early_stopping=True, validation_fraction=0.3, n_iter_no_change=3,
        max_iter=100, learning_rate="constant", batch_size=1, monitor=monitor,
    ).fit(X, noisy)  # fmt: skip
    losses, scores = classifier.validation_loss_curve_, classifier.validation_scores_
    assert classifier.n_iter_ == len(scores) == len(losses) < 100
    assert classifier.best_validation_score_ == max(scores)
    assert classifier.best_loss_ is None
    best = scores.index(max(scores)) if monitor == "score" else losses.index(min(losses))
    assert classifier.best_epoch_ == best + 1 < len(scores)


def test_validation_data_replaces_the_split():
    X_val = ragged(30, seed=1)
    y_val = labels_of(X_val)
    by_score = estimator("GRU", "Classifier", monitor="score")
    by_score.fit(X, Y, validation_data=(X_val, y_val))
    assert by_score.score(X_val, y_val) == by_score.best_validation_score_
    by_loss = estimator("GRU", "Classifier").fit(X, Y, validation_data=(X_val, y_val))
    kept = by_loss.best_epoch_ - 1
    assert by_loss.score(X_val, y_val) == by_loss.validation_scores_[kept]
    chosen = by_loss.predict_proba(X_val)[np.arange(30), (np.array(y_val) == "up").astype(int)]
    assert_close(-np.log(chosen).mean(), min(by_loss.validation_loss_curve_), np.float64, 100)
    with pytest.raises(ValueError, match="tuple"):
        estimator("GRU", "Classifier").fit(X, Y, validation_data=X_val)
    with pytest.raises(ValueError, match="not among the classes"):
        estimator("GRU", "Classifier").fit(X, Y, validation_data=(X_val, ["sideways"] * 30))


def test_warm_start_goes_on():
    settings = dict(learning_rate="constant", tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warm = estimator("GRU", "Classifier", warm_start=True, max_iter=5, **settings).fit(X, Y)
        first = warm.loss_
        warm.fit(X, Y)
        assert warm.n_iter_ == 5
        assert len(warm.loss_curve_) == 10
        assert warm.loss_ < first
        cold = estimator("GRU", "Classifier", max_iter=5, **settings)
        assert cold.fit(X, Y).fit(X, Y).loss_ == first
        with pytest.raises(ValueError, match="hidden_size=9 was 8"):
            warm.set_params(hidden_size=9).fit(X, Y)
        with pytest.raises(ValueError, match="not among the classes"):
            warm.set_params(hidden_size=8).fit(X, np.where(Y == "up", "left", "right"))


def test_partial_fit():
    classifier = estimator("GRU", "Classifier", learning_rate="constant")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, Y)
    classifier.partial_fit(X[:10], Y[:10], classes=["up", "down", "left"])
    assert classifier.predict_proba(X).shape == (len(X), 3)
    for _ in range(40):
        classifier.partial_fit(X, Y)
    assert classifier.n_iter_ == 1
    assert len(classifier.loss_curve_) == 41
    assert classifier.t_ == 10 + 40 * len(X)
    assert classifier.score(X, Y) > 0.9
    with pytest.raises(ValueError, match="not among the classes"):
        classifier.partial_fit(X, ["sideways"] * len(X))
    with pytest.raises(ValueError, match="not the same as on last call"):
        classifier.partial_fit(X, Y, classes=["up", "down"])
    with pytest.raises(ValueError, match="expecting 2 features"):
        classifier.partial_fit(ragged(n_features=3), labels_of(ragged(n_features=3)))
    classifier.set_params(learning_rate="linear").fit(X, Y)
    assert classifier.classes_.tolist() == ["down", "up"]
    assert len(classifier.loss_curve_) == classifier.n_iter_


def test_partial_fit_keeps_the_solver_going():
    """Adam's first step has the size of the learning rate; later ones do not start anew."""
    kept = estimator("GRU", "Classifier", batch_size=200, shuffle=False, learning_rate="constant")
    whole = estimator(
        "GRU", "Classifier", batch_size=200, shuffle=False, learning_rate="constant", max_iter=6
    )
    for _ in range(6):
        kept.partial_fit(X, Y, classes=["up", "down"])
    with pytest.warns(ConvergenceWarning):
        whole.fit(X, Y)
    np.testing.assert_array_equal(kept.predict_proba(X), whole.predict_proba(X))


def test_partial_fit_that_fails_changes_nothing(monkeypatch):
    """Weights, the solver's state and all that is counted are those of the call before."""
    update, ends_at = ReferenceBackend.update, []

    def limited(self, rule, parameters, gradient, state, pace, **options):
        update(self, rule, parameters, gradient, state, pace, **options)
        if pace.step in ends_at:
            raise MemoryError("no bytes left")

    monkeypatch.setattr(ReferenceBackend, "update", limited)
    settings = dict(batch_size=8, dropout=0.2, device="reference")
    failing, twin = (estimator("GRU", "Classifier", **settings) for _ in range(2))
    for classifier in (failing, twin):
        classifier.partial_fit(X, Y, classes=["up", "down"])
    ends_at.append(2 * len(X) // 8)  # the last minibatch of the second epoch
    with pytest.raises(MemoryError):
        failing.partial_fit(X, Y)
    ends_at.clear()
    for _ in range(2):
        np.testing.assert_array_equal(failing.predict_proba(X), twin.predict_proba(X))
        assert (failing.t_, failing.loss_curve_) == (twin.t_, twin.loss_curve_)
        failing.partial_fit(X, Y)
        twin.partial_fit(X, Y)
    np.testing.assert_array_equal(failing.predict_proba(X), twin.predict_proba(X))


def test_partial_fit_is_refused_where_it_makes_no_sense():
    assert not hasattr(estimator("GRU", "Classifier", solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="early_stopping"):
        estimator("GRU", "Classifier", early_stopping=True).partial_fit(
            X, Y, classes=["up", "down"]
        )
    with pytest.raises(ValueError, match="balanced"):
        estimator("GRU", "Classifier", class_weight="balanced").partial_fit(
            X, Y, classes=["up", "down"]
        )


def test_too_few_epochs_warn_and_enough_do_not():
    with pytest.warns(ConvergenceWarning, match="Maximum number of epochs"):
        estimator("GRU", "Classifier", max_iter=2, learning_rate="constant").fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = dict(max_iter=300, learning_rate="constant", batch_size=8)
        ended = estimator("GRU", "Classifier", **settings).fit(X, Y)
    assert ended.n_iter_ < 300


def test_lbfgs_without_a_step_warns():
    classifier = estimator("GRU", "Classifier", solver=LBFGS(gradient_tolerance=1e9))
    with pytest.warns(ConvergenceWarning, match="took no step"):
        classifier.fit(X, Y)
    assert classifier.n_iter_ == 0


def test_exploding_loss_warns_and_leaves_finite_weights():
    classifier = estimator(
        "RNN", "Classifier", activation="linear", solver="sgd", learning_rate_init=1e6,
        clip_norm=None, learning_rate="constant",
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="epoch"):
        classifier.fit(X, Y)
    assert classifier.n_iter_ == len(classifier.loss_curve_) < 40
    assert all(np.isfinite(weight).all() for weight in classifier.weights_.values())


def test_interrupt_leaves_a_usable_model(monkeypatch):
    from rnnkit.training import PrintProgress

    def interrupt(self, epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(PrintProgress, "on_epoch_end", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        classifier = estimator("GRU", "Classifier", verbose=1).fit(X, Y)
    assert classifier.predict(X).shape == (len(X),)
    assert len(classifier.loss_curve_) == 3


def test_verbose_prints_a_line_per_epoch(capsys):
    estimator("GRU", "Classifier", verbose=True, max_iter=3).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all("loss" in line for line in lines)
    assert "best: iteration" in lines[-1]
    estimator("GRU", "Classifier", max_iter=3).fit(X, Y)
    assert capsys.readouterr().out == ""


def test_several_labels_at_once():
    y = np.array([[x[-1, 0] > 0, x[-1, 1] > 0, True] for x in X]).astype(int)
    classifier = estimator("GRU", "Classifier", max_iter=80).fit(X, y)
    assert classifier.predict_proba(X).shape == (len(X), 3)
    np.testing.assert_array_equal(classifier.predict(X), classifier.predict_proba(X) > 0.5)
    assert classifier.score(X, y) == np.mean((classifier.predict(X) == y).all(axis=1)) > 0.8
    with pytest.raises(ValueError, match="3 times 0 or 1"):
        classifier.score(X, y[:, :2])


def test_token_ids_through_an_embedding():
    rng = np.random.RandomState(0)
    tokens = [rng.randint(1, 6, size=t) for t in rng.randint(3, 7, size=80)]
    y = np.array([2 in sequence for sequence in tokens])
    classifier = estimator("GRU", "Classifier", embedding_dim=4, max_iter=60).fit(tokens, y)
    assert classifier.score(tokens, y) > 0.95
    assert classifier.weights_["embedding.weight_0"].shape == (6, 4)
    assert classifier.predict_proba(tokens).dtype == np.float32
    columns = [np.stack([sequence, 6 - sequence], axis=1) for sequence in tokens]
    two = estimator("GRU", "Classifier", embedding_dim=(4, 2), n_tokens=(8, 9), max_iter=5)
    two.fit(columns, y)
    assert two.weights_["embedding.weight_1"].shape == (9, 2)
    with pytest.raises(ValueError, match="id 9 in column 0"):
        two.predict([np.array([[9, 1]])])
    with pytest.raises(ValueError, match="token ids"):
        classifier.fit([[0.5, 1.0]] * 3 + [[1.0]], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="embedding_dim must be one number or 2"):
        estimator("GRU", "Classifier", embedding_dim=(1, 2, 3)).fit(columns, y)


PARAMETER_FAULTS = [
    (dict(hidden_size=value), "hidden_size") for value in (0, -1, 2.5, "8", None, True, np.nan)
] + [
    (dict(n_layers=0), "n_layers"),
    (dict(dropout=-0.1), "dropout"),
    (dict(dropout=1.0), "dropout"),
    (dict(dropout=np.nan), "dropout"),
    (dict(learning_rate_init=0), "learning_rate_init"),
    (dict(learning_rate_init=np.inf), "learning_rate_init"),
    (dict(batch_size=0), "batch_size"),
    (dict(max_iter=-1), "max_iter"),
    (dict(clip_norm=0), "clip_norm"),
    (dict(activation="elu"), "activation.*softsign"),
    (dict(activation=("leaky_relu", -1)), "activation"),
    (dict(solver="lion"), "solver.*adam"),
    (dict(solver=SGD(momentum=2)), "momentum"),
    (dict(learning_rate="fast"), "learning_rate.*cosine"),
    (dict(random_state="seed"), "random_state"),
    (dict(gate_bias={"z": 1.0}), "gate_bias.*i, f, g, o"),
    (dict(gate_bias={"f": np.nan}), "gate_bias.*finite"),
    (dict(gate_bias={"f": np.inf}), "gate_bias.*finite"),
    (dict(cell_clip=True), "cell_clip"),
    (dict(bptt_steps=3, bidirectional=True), "bptt_steps"),
    (dict(spelling_columns=2), "spelling_columns.*embedding_dim"),
    (dict(device="tpu"), "device.*cpu"),
]


@pytest.mark.parametrize("parameters, message", PARAMETER_FAULTS, ids=str)
def test_wrong_parameter_is_refused_in_one_sentence(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        estimator("LSTM", "Classifier", **parameters).fit(X, Y)


def test_unknown_parameter_is_refused():
    with pytest.raises(TypeError, match="peephole"):
        estimator("GRU", "Classifier", peephole=True)
    with pytest.raises(ValueError, match="Invalid parameter"):
        estimator("GRU", "Classifier").set_params(peephole=True)


def test_weights_beyond_memory_are_refused():
    with pytest.raises(MemoryError, match=r"hidden_size=1000000000 .*needs .* GB"):
        estimator("LSTM", "Classifier", hidden_size=10**9).fit(X, Y)


def test_wrong_y_is_refused():
    classifier = estimator("LSTM", "Classifier")
    with pytest.raises(ValueError, match="inconsistent numbers of samples: \\[60, 59\\]"):
        classifier.fit(X, Y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier.fit(X, np.random.RandomState(0).rand(len(X)))
    with pytest.raises(ValueError, match="got 1 class"):
        classifier.fit(X, np.zeros(len(X)))
    with pytest.warns(DataConversionWarning):
        classifier.fit(X, Y[:, None])
    assert classifier.score(X, ["sideways"] * len(X)) == 0.0


def test_unfitted_estimator_says_so():
    for method in ("predict", "predict_proba", "predict_log_proba", "hidden_states"):
        with pytest.raises(NotFittedError):
            getattr(estimator("LSTM", "Classifier"), method)(X)
    with pytest.raises(NotFittedError):
        estimator("LSTM", "Classifier").stream()
    assert not hasattr(estimator("LSTM", "Classifier"), "weights_")


def test_partial_fit_goes_on_from_a_warm_fit():
    settings = dict(warm_start=True, max_iter=3)
    classifier = estimator("GRU", "Classifier", **settings).partial_fit(X, Y, ["up", "down"])
    fitted = classifier.fit(X, Y).weights_["head.bias"].copy()
    loss = classifier.loss_
    classifier.partial_fit(X, Y)
    assert classifier.loss_ < loss
    assert np.abs(classifier.weights_["head.bias"] - fitted).max() < 1.0


def test_reference_device_agrees_with_the_cpu():
    fits = [
        estimator("LSTM", "Classifier", device=device, max_iter=3, peephole=True).fit(X, Y)
        for device in ("cpu", "reference")
    ]
    expected, got = (fit.predict_proba(X) for fit in fits)
    assert_close(got, expected, np.float64, 3 * len(X))


def test_gpu_that_is_not_there_is_named():
    with pytest.raises((ImportError, RuntimeError), match="cuda"):
        estimator("LSTM", "Classifier", device="cuda").fit(X, Y)


def test_n_threads_tells_what_a_fit_could_use():
    for n in (1, 3):
        with using_threads(n):
            assert estimator("LSTM", "Classifier", max_iter=1).fit(X, Y).n_threads_ == n
