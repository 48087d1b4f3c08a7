"""The life of a fit of texts: every option, splits, weights, going on, errors, copies, searches."""

import copy
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
from estimators.language.models import CELLS, NAMES, SEXES, TEXT, model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

import rnnkit
from rnnkit import training
from rnnkit.backends.cpu import using_threads
from rnnkit.sequences import Sequences

# Every parameter with another value than the default, and what it needs beside it.
OPTIONS = {
    "hidden_size": (5, {}),
    "n_layers": (2, {}),
    "embedding_dim": (3, {}),
    "tokens": ("words", {}),
    "vocabulary": ("abcn", {}),
    "min_frequency": (20, {}),
    "document_ends": (False, {}),
    "tied_embeddings": (True, {}),
    "stretch_steps": (3, {}),
    "token_dropout": (5.0, {}),
    "activation": ("softsign", {}),
    "cell_clip": (0.1, {}),
    "layer_norm": (True, {}),
    "zoneout": (0.5, {}),
    "dropout": (0.5, {}),
    "input_dropout": (0.5, {}),
    "recurrent_dropout": (0.5, {}),
    "precision": ("bf16", {}),
    "gate_activation": ("hard_sigmoid", {}),
    "gate_bias": ("chrono", {}),
    "peephole": (True, {}),
    "coupled_gates": (True, {}),
    "full_gate_recurrence": (True, {}),
    "output_activation": ("softsign", {}),
    "fixed_gates": (("o",), {}),
    "forget_bias": (2.0, {}),
    "reset": ("before", {}),
    "solver": ("sgd", {}),
    "learning_rate_init": (0.5, {}),
    "learning_rate": ("constant", {}),
    "alpha": (0.5, {}),
    "l1": (0.5, {}),
    "clip_norm": (1e-3, {}),
    "clip_value": (1e-3, {}),
    "bptt_steps": (2, {}),
    "batch_size": (5, {}),
    "max_iter": (1, {}),
    "shuffle": (False, {}),
    "tol": (1e9, {"learning_rate": "constant", "n_iter_no_change": 1, "max_iter": 5}),
    "n_iter_no_change": (1, {"learning_rate": "constant", "tol": 1e9, "max_iter": 5}),
    "early_stopping": (True, {}),
    "validation_fraction": (0.5, {"early_stopping": True}),
    "random_state": (1, {}),
}
WITHOUT_RESULT = {"device", "verbose", "warm_start"}


def fitted_quietly(estimator, X=NAMES * 8, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, **arguments)


def what_it_says(fitted):
    """All that a model answers, as one list."""
    names = [" ".join(NAMES)] if fitted.tokens == "words" else NAMES
    stream = fitted.stream()
    after = stream.read(names[0])
    return [
        *fitted.score_samples(names).tolist(),
        fitted.perplexity(names),
        *after.tolist(),
        fitted.sample(8, random_state=0),
        "".join(fitted.sample(8, random_state=0, stream=True)).replace(" ", ""),
        *[states.sum() for states in fitted.hidden_states(names)],
        *[a.sum() for of_gate in fitted.gate_activations(names).values() for a in of_gate],
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_the_table_holds_every_parameter(cell):
    assert set(model(cell).get_params()) <= {*OPTIONS, *WITHOUT_RESULT}


@pytest.mark.parametrize(
    "cell, name", [(cell, name) for cell in CELLS for name in OPTIONS if hasattr(model(cell), name)]
)
def test_every_option_works_in_every_method_and_has_an_effect(patience_in_epochs, cell, name):
    value, needs = OPTIONS[name]
    plain = fitted_quietly(model(cell, **needs))
    other = fitted_quietly(model(cell, **{**needs, name: value}))
    assert what_it_says(other) != what_it_says(plain)
    people = fitted_quietly(model(cell, **{**needs, name: value}), context=SEXES * 8)
    names = [" ".join(NAMES)] if other.tokens == "words" else NAMES
    context = ["m"] * len(names)
    assert np.isfinite(people.score_samples(names, context=context)).all()
    assert isinstance(people.sample(5, context="f"), str)
    again = pickle.loads(pickle.dumps(other))
    assert what_it_says(again) == what_it_says(other)


@pytest.mark.parametrize(
    "parameters, words",
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"tokens": "letters"}, "tokens"),
        ({"vocabulary": 3}, "vocabulary"),
        ({"min_frequency": 0}, "min_frequency"),
        ({"document_ends": "yes"}, "document_ends"),
        ({"tied_embeddings": 2.5}, "tied_embeddings"),
        ({"stretch_steps": 0}, "stretch_steps"),
        ({"embedding_dim": None}, "embedding_dim"),
        ({"solver": "lbfgs"}, "bptt_steps"),
        ({"bidirectional": True}, "bidirectional"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, words):
    with pytest.raises((ValueError, TypeError), match=words):
        model(**parameters).fit(NAMES)


def test_lbfgs_takes_whole_stretches():
    fitted = fitted_quietly(model(solver="lbfgs", bptt_steps=None, max_iter=5))
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns(cell):
    fitted = fitted_quietly(model(cell, max_iter=60), TEXT)
    assert fitted.perplexity(TEXT) < 1.5
    assert fitted.loss_ == pytest.approx(-fitted.score(TEXT), abs=0.5)


def test_it_begins_from_how_often_tokens_come():
    fitted = fitted_quietly(model(max_iter=1, learning_rate_init=1e-12), TEXT)
    counts = np.array([TEXT.count(c) + 0.5 for c in sorted(set(TEXT))])
    shares = counts / (counts.sum() + 0.5)
    np.testing.assert_allclose(fitted.weights_["head.bias"][1:], np.log(shares), rtol=1e-5)


def test_minibatches_follow_the_amount_of_text():
    size = rnnkit.GRULanguageModel._auto_batch_size
    assert [size(n) for n in (1, 5, 100, 480, 10**6)] == [1, 5, 8, 20, 64]


def test_the_end_of_one_text_is_set_aside():
    """The tail holds a letter of its own: no stretch that is trained on has it."""
    text = "ab" * 450 + "c" * 100
    fitted = model(early_stopping=True, max_iter=20, vocabulary="abc").fit(text)
    assert fitted.validation_loss_curve_[0] > 5 * fitted.loss_curve_[0]
    assert fitted.validation_scores_ == [-loss for loss in fitted.validation_loss_curve_]


def test_the_best_epoch_is_kept():
    fitted = model(early_stopping=True, max_iter=30, learning_rate_init=0.1).fit(TEXT)
    curve = fitted.validation_loss_curve_
    assert fitted.best_epoch_ == int(np.argmin(curve)) + 1
    n = round(0.1 * len(TEXT))
    tail = model().fit(TEXT)
    tail.network_, tail._codec = fitted.network_, fitted._codec
    assert -tail.score(TEXT[-n:]) == pytest.approx(min(curve), rel=1e-4)


def test_validation_data():
    fitted = model().fit(NAMES * 8, validation_data=NAMES[:3])
    assert fitted.validation_loss_curve_[-1] == pytest.approx(-fitted.score(NAMES[:3]), abs=0.2)
    people = model().fit(NAMES * 8, context=SEXES * 8, validation_data=(NAMES, SEXES))
    assert len(people.validation_scores_) == 3
    with pytest.raises(ValueError, match=r"tuple \(texts, context\)"):
        model().fit(NAMES, context=SEXES, validation_data=NAMES)


def test_too_little_text_to_set_aside():
    with pytest.raises(ValueError, match="validation"):
        model(early_stopping=True).fit(["ab", "cd"])
    with pytest.raises(ValueError, match="of 1 token leaves none"):
        model(early_stopping=True).fit("a")


def test_weights_are_as_good_as_repeated_documents():
    weights = np.array([1, 2, 0, 3, 1, 1, 0])
    repeated = [n for n, w in zip(NAMES, weights, strict=True) for _ in range(w)]
    known = dict(vocabulary="".join(sorted(set("".join(NAMES)))), shuffle=False)
    known |= dict(batch_size=99, dropout=0.0)
    a = fitted_quietly(model(**known), NAMES, sample_weight=weights)
    b = fitted_quietly(model(**known), repeated)
    np.testing.assert_allclose(a.score_samples(NAMES), b.score_samples(NAMES), rtol=1e-3)
    unweighted = fitted_quietly(model(**known), NAMES)
    assert abs(unweighted.score(["ivan"]) - a.score(["ivan"])) > 1e-3


def test_partial_fit_is_fit_epoch_by_epoch():
    whole = fitted_quietly(model(max_iter=3, learning_rate="constant"))
    parts = model(max_iter=3, learning_rate="constant")
    for _ in range(3):
        parts.partial_fit(NAMES * 8)
    np.testing.assert_array_equal(parts.network_.parameters.flat, whole.network_.parameters.flat)
    halves = pickle.loads(pickle.dumps(parts)).partial_fit(NAMES * 8)
    np.testing.assert_array_equal(
        parts.partial_fit(NAMES * 8).network_.parameters.flat, halves.network_.parameters.flat
    )
    parts.partial_fit(["xyz", "ada"])
    assert "x" not in parts.vocabulary_


def test_a_warm_start_goes_on():
    fitted = fitted_quietly(model(warm_start=True))
    before = fitted.score(NAMES)
    fitted_quietly(fitted)
    assert fitted.score(NAMES) > before
    fitted.set_params(document_ends=False)
    with pytest.raises(ValueError, match="document_ends=False was 'auto'"):
        fitted.fit(NAMES)
    fitted.set_params(document_ends="auto", tied_embeddings=True)
    with pytest.raises(ValueError, match="tied_embeddings=True was False"):
        fitted.fit(NAMES)


@pytest.mark.parametrize(
    "arguments",
    [
        {"X": ["ab", 3]},
        {"X": []},
        {"X": ["", ""], "ends": False},
        {"X": NAMES, "context": ["a"]},
        {"X": NAMES, "context": [["a"] * 2] * 7},
        {"X": NAMES, "sample_weight": [1.0]},
        {"X": NAMES, "sample_weight": -np.ones(7)},
        {"X": NAMES, "validation_data": []},
        {"X": NAMES, "validation_data": [[1]]},
    ],
)
def test_a_fit_that_raises_changes_nothing(arguments):
    for fitted in (model(), model().fit(NAMES)):
        if not arguments.get("ends", True):
            fitted.set_params(document_ends=False)
        before = dict(vars(fitted))
        with pytest.raises((ValueError, TypeError)):
            fitted.fit(**{k: v for k, v in arguments.items() if k != "ends"})
        assert vars(fitted) == before


def test_documents_with_ids_refuse_what_belongs_to_others():
    texts = Sequences(np.arange(12) % 4, np.arange(0, 13, 3), ids=list("abcd"))
    index = list("dcba")
    weights, contexts = pd.Series(1.0, index), pd.Series(["x", "y", "x", "y"], index)
    told = dict(context=contexts.loc[texts.ids])
    language = model().fit(texts, sample_weight=weights.loc[texts.ids], **told)
    before = pickle.dumps(language)
    methods = [language.fit, language.partial_fit, language.score, language.perplexity]
    for method in methods:
        with pytest.raises(ValueError, match="index of sample_weight has the ids of X in another"):
            method(texts, sample_weight=weights, **told)
    for method in (*methods, language.score_samples, language.hidden_states):
        with pytest.raises(ValueError, match="index of context has the ids of X in another order"):
            method(texts, context=contexts)
    with pytest.raises(ValueError, match="index of context has the ids of X in another order"):
        language.fit(texts, **told, validation_data=(texts, contexts))
    assert pickle.dumps(language) == before


def test_memory_is_asked_for_before():
    with pytest.raises(MemoryError, match="hidden_size=1000000"):
        rnnkit.LSTMLanguageModel(1_000_000).fit(TEXT)


def test_the_same_bits_for_any_number_of_threads():
    found = []
    for n in (1, 2, 3):
        with using_threads(n):
            fitted = fitted_quietly(model("LSTM", dropout=0.2), TEXT)
            found.append(
                (
                    fitted.network_.parameters.flat,
                    fitted.score(TEXT),
                    fitted.sample(30, random_state=0),
                )
            )
    for flat, score, text in found[1:]:
        np.testing.assert_array_equal(flat, found[0][0])
        assert (score, text) == found[0][1:]


@pytest.mark.parametrize("cell", CELLS)
def test_saved_copied_and_cloned(tmp_path, cell):
    for X, context in ((TEXT, None), (NAMES, SEXES), ([[1, 2], [3]] * 9, np.ones((18, 2)))):
        fitted = model(cell, tied_embeddings=True).fit(X, context=context)
        rnnkit.save(fitted, tmp_path / "m", include_training_state=True)
        for again in (rnnkit.load(tmp_path / "m"), copy.deepcopy(fitted)):
            np.testing.assert_array_equal(
                again.score_samples(X, context=context), fitted.score_samples(X, context=context)
            )
            one = None if context is None else context[0]
            assert list(again.sample(9, random_state=0, context=one)) == list(
                fitted.sample(9, random_state=0, context=one)
            )
            assert again.vocabulary_ == fitted.vocabulary_
        assert not hasattr(clone(fitted), "network_")
        assert clone(fitted).get_params() == fitted.get_params()


def test_a_file_of_other_tokens_than_the_network_reads_is_refused(tmp_path):
    fitted = model().fit(NAMES)
    for tokens in (fitted._codec.tokens[1:], (*fitted._codec.tokens, "z")):
        fitted._codec = replace(fitted._codec, tokens=tokens)
        with pytest.raises(ValueError, match="not those that its network reads"):
            rnnkit.save(fitted, tmp_path / "m")
    fitted._codec = rnnkit.estimators.codecs.Labels(np.arange(10))
    with pytest.raises(ValueError, match="targets of another kind"):
        rnnkit.save(fitted, tmp_path / "m")


def test_training_goes_on_from_a_file(tmp_path):
    fitted = model().partial_fit(NAMES)
    rnnkit.save(fitted, tmp_path / "m", include_training_state=True)
    again = rnnkit.load(tmp_path / "m").partial_fit(NAMES)
    np.testing.assert_array_equal(
        again.network_.parameters.flat, fitted.partial_fit(NAMES).network_.parameters.flat
    )


def test_searches_and_pipelines():
    search = GridSearchCV(model(), {"hidden_size": [2, 12]}, cv=3).fit(NAMES * 8)
    assert search.best_params_ == {"hidden_size": 12}
    assert search.score(NAMES) == search.best_estimator_.score(NAMES)
    solver = model(solver=training.SGD(momentum=0.9))
    GridSearchCV(solver, {"solver__momentum": [0.1, 0.9]}, cv=2).fit(NAMES * 2)
    scores = cross_val_score(model(), [TEXT] * 6, cv=TimeSeriesSplit(2))
    assert np.isfinite(scores).all()
    pipeline = make_pipeline(model()).fit(NAMES * 8)
    assert pipeline.score(NAMES) == pipeline[-1].score(NAMES)
    encoder = rnnkit.preprocessing.TokenEncoder()
    of_ids = make_pipeline(encoder, model()).fit(NAMES * 8)
    assert of_ids.score(NAMES) == pytest.approx(pipeline.score(NAMES), abs=0.3)


def test_contexts_and_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        routed = model().set_fit_request(context=True, sample_weight=True)
        routed.set_score_request(context=True, sample_weight=True)
        search = GridSearchCV(routed, {"hidden_size": [4, 8]}, cv=2)
        search.fit(NAMES * 4, context=SEXES * 4, sample_weight=np.ones(28))
        assert search.best_estimator_.sample(5, context="f") is not None


def test_what_it_has_and_has_not():
    fitted = model().fit(NAMES)
    for name in ("predict", "n_features_in_", "feature_names_in_", "predict_proba", "classes_"):
        assert not hasattr(fitted, name)
    assert not hasattr(model(), "vocabulary_")
    assert sklearn.utils.get_tags(fitted).estimator_type == "density_estimator"
    assert "GRULanguageModel" in fitted._repr_html_()
    with pytest.raises(sklearn.exceptions.NotFittedError):
        model().sample(3)


def test_states_and_gates_have_a_row_before_the_first_token():
    fitted = model("LSTM").fit(NAMES)
    states = fitted.hidden_states(["ab", ""])
    assert [s.shape for s in states] == [(3, 12), (1, 12)]
    assert fitted.hidden_states("ab").shape == (3, 12)
    np.testing.assert_array_equal(states[0][:1], states[1])
    gates = fitted.gate_activations("ab")
    assert {gate: a.shape for gate, a in gates.items()} == dict.fromkeys("ifgo", (3, 12))


def test_gates_are_those_that_make_the_states():
    fitted = model("LSTM").fit(NAMES)
    states, gates = fitted.hidden_states(["abc", "b"]), fitted.gate_activations(["abc", "b"])
    one = fitted.gate_activations("abc")
    for document, h in enumerate(states):
        i, f, g, o = (gates[gate][document] for gate in "ifgo")
        c = np.zeros(h.shape[1])
        for t in range(len(h)):
            c = f[t] * c + i[t] * g[t]
            np.testing.assert_allclose(h[t], o[t] * np.tanh(c), rtol=1e-5, atol=1e-6)
    for gate, of_documents in gates.items():
        np.testing.assert_array_equal(one[gate], of_documents[0])


def test_callbacks_end_a_fit():
    epochs = []
    fitted = model(max_iter=9)
    fitted.set_callbacks(
        lambda epoch: epochs.append(epoch.fitted().score(NAMES)) or len(epochs) == 2
    )
    fitted.fit(NAMES * 8)
    assert fitted.n_iter_ == 2
    assert epochs[-1] == fitted.score(NAMES)


def test_a_planned_rate_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model().fit(NAMES)


def test_exports_are_refused_by_name():
    fitted = model().fit(NAMES)
    for export in (
        rnnkit.to_onnx,
        rnnkit.persistence.pytorch.to_state_dict,
        rnnkit.persistence.keras.to_weights,
    ):
        with pytest.raises(ValueError, match="takes no language model, got GRULanguageModel"):
            export(fitted)


def test_states_of_texts_are_features_and_pictures():
    fitted = model().fit(NAMES * 8)
    features = rnnkit.RecurrentFeatures(FrozenEstimator(fitted)).fit(NAMES).transform(NAMES)
    states = fitted.hidden_states(NAMES)
    np.testing.assert_array_equal(features, [of_name[-1] for of_name in states])
    anew = rnnkit.RecurrentFeatures(model(), pooling="mean").fit_transform(NAMES)
    assert anew.shape == (7, 12)
    with pytest.raises(ValueError, match="lengths must be None"):
        rnnkit.RecurrentFeatures(FrozenEstimator(fitted)).fit(NAMES).transform(NAMES, lengths=[3])
    people = model().fit(NAMES, context=SEXES)
    with pytest.raises(ValueError, match="contexts that it was fitted with"):
        rnnkit.RecurrentFeatures(FrozenEstimator(people)).fit(NAMES).transform(NAMES)
