"""What displays compute, take and refuse, whatever they draw."""

import pickle
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, numbers_of, padded, ragged, tags_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import (
    GRUClassifier,
    GRUSequenceTagger,
    RecurrentFeatures,
    Sequences,
    TransformedTargetSequenceRegressor,
)
from rnnkit.inspection import (
    AttentionDisplay,
    ForecastDisplay,
    GateActivationDisplay,
    GradientFlowDisplay,
    HiddenStateDisplay,
    LossCurveDisplay,
    SaliencyDisplay,
    TaggingDisplay,
    TokenConfusionDisplay,
    TransitionDisplay,
)
from rnnkit.metrics import token_confusion_matrix
from rnnkit.preprocessing import SequenceScaler, TokenEncoder

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

X = ragged(16)
ON_ONE_SEQUENCE = [GateActivationDisplay, HiddenStateDisplay, SaliencyDisplay]
ON_X = [*ON_ONE_SEQUENCE, GradientFlowDisplay, AttentionDisplay]
TEXTS = [["the", "cat", "sleeps"], ["a", "dog", "barks", "loudly"], ["<b>", "dog"]] * 6
TAGS = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB", "ADV"], ["DET", "NOUN"]] * 6


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def classifier():
    return estimator("GRU", "Classifier", max_iter=5, pooling="attention").fit(X, labels_of(X))


@pytest.fixture(scope="module")
def tagger():
    rules = {"output": "crf", "forbidden_transitions": [("ADV", "DET"), (None, "VERB")]}
    inner = estimator("LSTM", "SequenceTagger", max_iter=30, embedding_dim=4, **rules)
    return make_pipeline(TokenEncoder(), inner).fit(TEXTS, TAGS)


def numbers_behind(display):
    for name in ("activations", "states", "saliency", "norms", "weights"):
        if hasattr(display, name):
            values = getattr(display, name)
            values = values.values() if isinstance(values, dict) else values
            return np.concatenate([np.ravel(v) for v in values])
    raise AssertionError(display)


# Conventions


@pytest.mark.parametrize("display", ON_X)
def test_ax_and_figure(display, classifier):
    _, ax = plt.subplots()
    drawn = display.from_estimator(classifier, X, ax=ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is ax.figure
    again = drawn.plot()
    assert again is drawn
    assert drawn.ax_ is not ax
    assert drawn.figure_ is drawn.ax_.figure


@pytest.mark.parametrize("display", ON_X)
def test_ax_that_is_none(display, classifier):
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes or None, got 3"):
        display.from_estimator(classifier, X, ax=3)


@pytest.mark.parametrize("display", ON_X)
@pytest.mark.parametrize("form", ["object", "sequences", "dense", "float32"])
def test_every_form_of_x_gives_the_same(display, form, classifier):
    lengths = None
    if form == "object":
        same = np.empty(len(X), object)
        same[:] = X
    elif form == "sequences":
        same = Sequences.from_list(X)
    elif form == "dense":
        same, lengths = padded(X)
    else:
        same = [x.astype(np.float32) for x in X]
    expected = numbers_behind(display.from_estimator(classifier, X))
    found = numbers_behind(display.from_estimator(classifier, same, lengths=lengths))
    tolerance = 1e-4 if form == "float32" else 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("display", ON_X)
def test_rows_of_a_table(display):
    rows = np.random.RandomState(0).randn(20, 8)
    model = estimator("RNN", "Classifier", max_iter=3, pooling="attention", step_features=2)
    drawn = display.from_estimator(model.fit(rows, rows[:, 0] > 0), rows)
    assert np.isfinite(numbers_behind(drawn)).all()


@pytest.mark.parametrize("display", ON_X)
def test_float32_networks(display):
    single = [x.astype(np.float32) for x in X]
    model = estimator("LSTM", "Classifier", max_iter=3, pooling="attention")
    drawn = display.from_estimator(model.fit(single, labels_of(X)), single)
    assert np.isfinite(numbers_behind(drawn)).all()


@pytest.mark.parametrize("display", ON_X)
def test_estimators_inside_others(display, classifier):
    scaled = SequenceScaler(StandardScaler()).fit(X)
    model = estimator("GRU", "Classifier", max_iter=3, pooling="attention")
    inner = clone(model).fit(scaled.transform(X), labels_of(X))
    expected = numbers_behind(display.from_estimator(inner, scaled.transform(X)))
    piped = make_pipeline(SequenceScaler(StandardScaler()), model).fit(X, labels_of(X))
    search = GridSearchCV(piped, {"gruclassifier__max_iter": [3]}, cv=2).fit(X, labels_of(X))
    for outer in (piped, search, FrozenEstimator(piped)):
        np.testing.assert_array_equal(
            numbers_behind(display.from_estimator(outer, X)), expected, err_msg=str(outer)
        )
    features = RecurrentFeatures(clone(model)).fit(scaled.transform(X), labels_of(X))
    found = numbers_behind(display.from_estimator(features, scaled.transform(X)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("display", ON_X)
def test_what_is_no_recurrent_estimator_is_refused(display):
    other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    for wrong in (other, make_pipeline(StandardScaler(), other).fit([[0.0], [1.0]], [0, 1]), "x"):
        with pytest.raises(TypeError, match="must be a recurrent estimator of rnnkit"):
            display.from_estimator(wrong, X)


@pytest.mark.parametrize("display", ON_X)
def test_not_fitted(display):
    for model in (GRUClassifier(), make_pipeline(GRUClassifier())):
        with pytest.raises((AttributeError, ValueError), match="not fitted"):
            display.from_estimator(model, X)


@pytest.mark.parametrize("display", ON_ONE_SEQUENCE)
@pytest.mark.parametrize(
    "index, error", [(16, ValueError), (-17, ValueError), (1.0, TypeError), (True, TypeError)]
)
def test_index_out_of_range(display, index, error, classifier):
    with pytest.raises(error, match="index must"):
        display.from_estimator(classifier, X, index=index)


@pytest.mark.parametrize(
    "display", [GateActivationDisplay, HiddenStateDisplay, GradientFlowDisplay]
)
@pytest.mark.parametrize("layer, error", [(1, ValueError), (-2, ValueError), ("0", TypeError)])
def test_layer_out_of_range(display, layer, error, classifier):
    with pytest.raises(error, match="layer must"):
        display.from_estimator(classifier, X, layer=layer)


def test_an_empty_sequence_is_refused():
    model = estimator("GRU", "SequenceTagger", max_iter=3).fit(X, tags_of(X))
    some = [X[0], np.zeros((0, 2))]
    with pytest.raises(ValueError, match="sequence 1 of X is empty"):
        HiddenStateDisplay.from_estimator(model, some, index=1)
    assert np.isfinite(GradientFlowDisplay.from_estimator(model, some).norms).all()


@pytest.mark.parametrize("display", ON_X)
def test_a_display_pickles_before_it_is_drawn(display, classifier):
    drawn = display.from_estimator(classifier, X)
    bare = display.__new__(display)
    bare.__dict__ = {k: v for k, v in vars(drawn).items() if not k.endswith("_")}
    again = pickle.loads(pickle.dumps(bare)).plot()
    np.testing.assert_array_equal(numbers_behind(again), numbers_behind(drawn))


def test_without_matplotlib_one_sentence_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from rnnkit.inspection import HiddenStateDisplay, TaggingDisplay\n"
        "import numpy as np\n"
        "print(len(TaggingDisplay([['a']], [['X']])._repr_html_()) > 0)\n"
        "try:\n    HiddenStateDisplay(np.ones((3, 2))).plot()\n"
        "except ImportError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stdout.splitlines() == [
        "True",
        "HiddenStateDisplay.plot needs the package 'matplotlib', which is not installed; "
        'install it with: pip install "rnnkit[plot]"',
    ], run.stderr


def test_classifiers_with_a_threshold_and_searches_that_were_not_refitted(classifier):
    y = labels_of(X) == "up"
    rows = np.random.RandomState(0).randn(20, 6)
    model = GRUClassifier(4, max_iter=3, learning_rate="linear", random_state=0)
    inner = FixedThresholdClassifier(model, threshold=0.4).fit(rows, rows[:, 0] > 0)
    drawn = HiddenStateDisplay.from_estimator(inner, rows)
    np.testing.assert_array_equal(drawn.states, inner.estimator_.hidden_states(rows)[0])
    search = GridSearchCV(model, {"max_iter": [1]}, cv=2, refit=False).fit(X, y)
    for meta in (search, FixedThresholdClassifier(model), RecurrentFeatures(model)):
        with pytest.raises((NotFittedError, TypeError)):
            HiddenStateDisplay.from_estimator(meta, X)


def test_bf16_networks():
    single = [x.astype(np.float32) for x in X]
    model = estimator("LSTM", "Classifier", max_iter=3, precision="bf16")
    model.fit(single, labels_of(X))
    assert np.isfinite(GradientFlowDisplay.from_estimator(model, single).norms).all()
    assert np.isfinite(SaliencyDisplay.from_estimator(model, single).saliency).all()


def test_a_series_of_texts_with_an_index_of_its_own(tagger):
    pd = pytest.importorskip("pandas")
    series = pd.Series(TEXTS, index=np.arange(100, 100 + len(TEXTS)))
    assert TaggingDisplay.from_estimator(tagger, series, indices=1).words == [TEXTS[1]]


def test_sequences_are_called_by_their_ids(classifier):
    named = Sequences.from_list(X)
    named = Sequences(named.values, named.offsets, [f"patient {i}" for i in range(len(X))])
    drawn = AttentionDisplay.from_estimator(classifier, named, indices=[2, 0])
    assert drawn.sequence_labels == ["patient 2", "patient 0"]


# Gates and states


@pytest.mark.parametrize("cell, gates", [("LSTM", "ifgo"), ("GRU", "rzn"), ("RNN", "a")])
def test_gates_are_those_of_the_estimator(cell, gates):
    model = estimator(cell, "Classifier", max_iter=3, n_layers=2).fit(X, labels_of(X))
    drawn = GateActivationDisplay.from_estimator(model, X, index=-1, layer=1)
    expected = model.gate_activations(X, layer=1)
    assert list(drawn.activations) == list(gates)
    assert len(drawn.axes_) == len(gates)
    for gate in gates:
        np.testing.assert_array_equal(drawn.activations[gate], expected[gate][-1])
    one = GateActivationDisplay.from_estimator(model, X, gates=gates[0])
    assert list(one.activations) == [gates[0]]
    with pytest.raises(ValueError, match=r"gates must name some of"):
        GateActivationDisplay.from_estimator(model, X, gates=["x"])


def test_hidden_states_are_those_of_the_estimator(classifier):
    drawn = HiddenStateDisplay.from_estimator(classifier, X, index=5, sort_units=True)
    np.testing.assert_array_equal(drawn.states, classifier.hidden_states(X)[5])
    assert sorted(drawn.order_) == list(range(8))


def test_words_stand_below_their_steps(tagger):
    for display in ON_ONE_SEQUENCE:
        drawn = display.from_estimator(tagger, TEXTS, index=1)
        assert drawn.step_labels == TEXTS[1]
    characters = make_pipeline(TokenEncoder(), GRUClassifier(4, embedding_dim=2, max_iter=3))
    characters.fit(["abc", "ca"], [0, 1])
    assert HiddenStateDisplay.from_estimator(characters, ["cab"]).step_labels == ["c", "a", "b"]


# Saliency


def test_saliency_refuses_what_there_is_not(classifier):
    for options, text in [
        ({"target": "left"}, "target must be one of the labels"),
        ({"step": 0}, "step must be None where a sequence has one answer"),
        ({"method": "lime"}, "method must be one of"),
    ]:
        with pytest.raises(ValueError, match=text):
            SaliencyDisplay.from_estimator(classifier, X, **options)
    model = estimator("GRU", "SequenceRegressor", max_iter=3).fit(X, numbers_of(X))
    with pytest.raises(ValueError, match="step must lie between"):
        SaliencyDisplay.from_estimator(model, X, step=99)
    with pytest.raises(ValueError, match="target must lie between"):
        SaliencyDisplay.from_estimator(model, X, target=1)
    with pytest.raises(TypeError, match="target must be an integer"):
        SaliencyDisplay.from_estimator(model, X, target="a")


def test_saliency_names_the_columns():
    pd = pytest.importorskip("pandas")
    frames = [pd.DataFrame(x, columns=["pulse", "dose"]) for x in X]
    model = estimator("GRU", "Classifier", max_iter=3).fit(frames, labels_of(X))
    drawn = SaliencyDisplay.from_estimator(model, frames)
    assert [label.get_text() for label in drawn.ax_.get_yticklabels()] == ["pulse", "dose"]


# Attention


def test_attention_weights(classifier):
    drawn = AttentionDisplay.from_estimator(classifier, X, indices=[3, -1])
    assert [len(w) for w in drawn.weights] == [len(X[3]), len(X[-1])]
    states = classifier.hidden_states(X)
    w = classifier.weights_
    for weights, h in zip(drawn.weights, (states[3], states[-1])):
        inner = np.tanh(h @ w["attention.weight"].T + w["attention.bias"])
        energies = np.exp(inner @ w["attention.query"][0])
        np.testing.assert_allclose(weights, energies / energies.sum(), rtol=1e-10)
    one = AttentionDisplay.from_estimator(classifier, X, indices=2)
    assert len(one.weights) == 1
    assert one.image_ is None
    with pytest.raises(ValueError, match="indices must lie between"):
        AttentionDisplay.from_estimator(classifier, X, indices=[99])
    with pytest.raises(ValueError, match="at least one"):
        AttentionDisplay.from_estimator(classifier, X, indices=[])
    model = estimator("GRU", "Classifier", max_iter=3).fit(X, labels_of(X))
    with pytest.raises(ValueError, match="fitted with pooling='attention'"):
        AttentionDisplay.from_estimator(model, X)


# Loss curves


def test_loss_curves():
    model = estimator("GRU", "Classifier", max_iter=8).fit(X, labels_of(X))
    drawn = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(drawn.lines_[0].get_ydata(), model.loss_curve_)
    assert drawn.score_ax_ is None
    model.set_params(monitor="score").fit(X, labels_of(X), validation_data=(X, labels_of(X)))
    drawn = LossCurveDisplay.from_estimator(model, X, name="a")
    _, validation, score, _ = [line.get_ydata() for line in drawn.lines_]
    np.testing.assert_array_equal(validation, model.validation_loss_curve_)
    np.testing.assert_array_equal(score, model.validation_scores_)
    assert drawn.best_epoch == model.best_epoch_
    assert LossCurveDisplay.from_estimator(model, scores=False).score_ax_ is None


# Labels


def test_transitions(tagger):
    drawn = TransitionDisplay.from_estimator(tagger)
    inner = tagger[-1]
    labels = inner.classes_.tolist()
    assert drawn.labels == labels
    assert drawn.transitions[labels.index("ADV"), labels.index("DET")] == -np.inf
    assert drawn.start[labels.index("VERB")] == -np.inf
    allowed = np.isfinite(drawn.transitions)
    expected = inner.weights_["crf.transitions"]
    np.testing.assert_array_equal(drawn.transitions[allowed], expected[allowed])
    softmax = GRUSequenceTagger(4, max_iter=3).fit(X, tags_of(X))
    with pytest.raises(ValueError, match="fitted with output='crf'"):
        TransitionDisplay.from_estimator(softmax)


class Tags(HTMLParser):
    """Whether tags nest, and what text is between them."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        assert tag in ("div", "span"), tag
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_tagging_as_html(tagger):
    truth = [list(tags) for tags in TAGS]
    truth[2][0] = '"<i>&'
    truth[0][0] = None
    drawn = TaggingDisplay.from_estimator(tagger, TEXTS, truth, indices=[0, 2])
    predicted = tagger.predict(TEXTS)
    assert drawn.labels == [list(predicted[0]), list(predicted[2])]
    assert drawn.true_labels == [[None, "NOUN", "VERB"], ['"<i>&', "NOUN"]]
    html = drawn._repr_html_()
    parser = Tags()
    parser.feed(html)
    assert not parser.open
    assert "<b>" not in html
    assert "<i>" not in html
    assert "<b>" in parser.text
    sure = tagger.predict_proba(TEXTS)[2]
    np.testing.assert_allclose(drawn.probabilities[1], sure.max(axis=1))
    assert drawn.figure_ is drawn.ax_.figure


def test_tagging_escapes_styles_and_hints():
    nasty = "'><script>alert(1)</script>\""
    html = TaggingDisplay([[nasty]], [[nasty]], true_labels=[[nasty + "!"]])._repr_html_()
    parser = Tags()
    parser.feed(html)
    assert "<script" not in html


def test_tagging_of_numbers_and_of_several_labels():
    model = GRUSequenceTagger(4, max_iter=3).fit(X, tags_of(X))
    assert TaggingDisplay.from_estimator(model, X).words[0] == [str(t) for t in range(len(X[0]))]
    given = [["w"] * len(x) for x in X]
    assert TaggingDisplay.from_estimator(model, X, words=given).words[1] == given[1]
    with pytest.raises(ValueError, match=r"words\[0\] must have"):
        TaggingDisplay.from_estimator(model, X, words=[["w"]] * len(X))
    several = [np.column_stack([x[:, 0] > 0, x[:, 1] > 0]).astype(int) for x in X]
    model = GRUSequenceTagger(4, max_iter=3).fit(X, several)
    drawn = TaggingDisplay.from_estimator(model, X, indices=0)
    names = ["+".join(str(k) for k in np.flatnonzero(row)) for row in model.predict(X)[0]]
    assert drawn.labels == [names]
    regressor = estimator("GRU", "SequenceRegressor", max_iter=3).fit(X, numbers_of(X))
    with pytest.raises(ValueError, match="needs a sequence tagger"):
        TaggingDisplay.from_estimator(regressor, X)


def test_confusion_of_ragged_labels(tagger):
    drawn = TokenConfusionDisplay.from_estimator(tagger, TEXTS, TAGS)
    expected = token_confusion_matrix(TAGS, tagger.predict(TEXTS))
    np.testing.assert_array_equal(drawn.confusion_matrix, expected)
    assert list(drawn.display_labels) == ["ADV", "DET", "NOUN", "VERB"]
    dense, lengths = padded(X)
    model = GRUSequenceTagger(4, max_iter=3).fit(dense, pad(tags_of(X)), lengths=lengths)
    drawn = TokenConfusionDisplay.from_estimator(
        model, dense, pad(tags_of(X)), lengths=lengths, normalize="true"
    )
    np.testing.assert_allclose(drawn.confusion_matrix.sum(axis=1), 1)


def pad(labels):
    longest = max(map(len, labels))
    return np.array([[*row, *["up"] * (longest - len(row))] for row in labels])


# Forecasts

WAVE = np.sin(np.arange(400) / 4).reshape(10, 40)


def test_forecast_per_sequence():
    past, future = WAVE[:, :30], WAVE[:, 30:]
    options = {"loss": "quantile", "quantile": [0.9, 0.5, 0.1, 0.6]}
    model = estimator("GRU", "Regressor", max_iter=3, **options).fit(past, future)
    drawn = ForecastDisplay.from_estimator(model, past, future, index=4)
    np.testing.assert_array_equal(drawn.predictions, model.predict(past)[4])
    np.testing.assert_array_equal(drawn.steps, np.arange(30, 40))
    np.testing.assert_array_equal(drawn.history, past[4])
    np.testing.assert_array_equal(drawn.line_.get_ydata(), drawn.predictions[:, 1])
    assert len(drawn.bands_) == 2
    single = estimator("GRU", "Regressor", max_iter=3, **options).fit(past, future[:, 0])
    drawn = ForecastDisplay.from_estimator(single, past, future[:, 0], feature=None)
    assert drawn.predictions.shape == (1, 4)
    assert drawn.history is None


def test_forecast_per_step_and_in_closed_loop():
    x, y = WAVE[:, :-1], WAVE[:, 1:]
    model = estimator("GRU", "SequenceRegressor", max_iter=3).fit(x, y)
    drawn = ForecastDisplay.from_estimator(model, x, y, index=1, shift=1, n_history=5)
    np.testing.assert_array_equal(drawn.predictions, model.predict(x)[1])
    np.testing.assert_array_equal(drawn.steps, np.arange(1, 40))
    drawn = ForecastDisplay.from_estimator(model, x, index=1, n_steps=7)
    np.testing.assert_array_equal(drawn.predictions, model.forecast(x, 7)[1])
    np.testing.assert_array_equal(drawn.steps, np.arange(39, 46))
    some = [row[: 20 + i] for i, row in enumerate(x)]
    drawn = ForecastDisplay.from_estimator(model, some, index=3)
    assert len(drawn.predictions) == len(drawn.history) == 23
    outer = TransformedTargetSequenceRegressor(clone(model), func=np.exp, inverse_func=np.log)
    outer.fit(x, y)
    drawn = ForecastDisplay.from_estimator(outer, x)
    np.testing.assert_array_equal(drawn.predictions, outer.predict(x)[0])


def test_forecast_of_several_outputs_and_quantiles_per_step():
    y = [np.column_stack([x[:, 0], x.sum(axis=1)]) for x in X]
    options = {"loss": "quantile", "quantile": [0.2, 0.5]}
    model = estimator("GRU", "SequenceRegressor", max_iter=3, **options).fit(X, y)
    drawn = ForecastDisplay.from_estimator(model, X, y, output=1, feature=1)
    np.testing.assert_array_equal(drawn.predictions, model.predict(X)[0][:, 1])
    np.testing.assert_array_equal(drawn.actual, y[0][:, 1])
    np.testing.assert_array_equal(drawn.history, X[0][:, 1])
    for options, text in [
        ({"output": 2}, "output must lie between"),
        ({"feature": 2}, "feature must lie between"),
        ({"index": 99}, "index must lie between"),
    ]:
        with pytest.raises(ValueError, match=text):
            ForecastDisplay.from_estimator(model, X, **options)


def test_forecast_refuses(classifier):
    with pytest.raises(ValueError, match="needs a regressor"):
        ForecastDisplay.from_estimator(classifier, X)
    model = estimator("GRU", "Regressor", max_iter=3).fit(X, [float(len(x)) for x in X])
    with pytest.raises(ValueError, match="method forecast"):
        ForecastDisplay.from_estimator(model, X, n_steps=3)
    with pytest.raises(ValueError, match="predictions must have shape"):
        ForecastDisplay.from_predictions(np.ones((3, 2)))
    with pytest.raises(ValueError, match="actual must have shape"):
        ForecastDisplay.from_predictions(np.ones(3), actual=[1.0])
