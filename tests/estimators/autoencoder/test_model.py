"""Autoencoders as estimators: codes and back, errors and outliers, forms, what is refused."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from estimators.problems import CELLS
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from tolerances import assert_close

import rnnkit
from rnnkit.estimators.autoencoder.learning import largest_errors_begin
from rnnkit.estimators.codecs import codec_from_dict
from rnnkit.inspection import AttentionDisplay
from rnnkit.persistence import pytorch
from rnnkit.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def waves(n=40, seed=0, dtype="f8"):
    """Sequences (T_i, 2) of different lengths: two sines of a random phase."""
    rng = np.random.RandomState(seed)
    phases = rng.uniform(0, 6, n)
    return [
        np.sin(np.arange(t)[:, None] / 2 + phase + [0, 1]).astype(dtype)
        for t, phase in zip(rng.randint(4, 12, n), phases)
    ]


def small(cell="GRU", **parameters):
    settings = {"hidden_size": 8, "code_size": 3, "max_iter": 4, "random_state": 0}
    return getattr(rnnkit, f"{cell}Autoencoder")(**{**settings, **parameters})


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_codes_and_back(cell, dtype):
    X = waves(dtype=dtype)
    model = small(cell).fit(X)
    codes = model.transform(X)
    assert codes.shape == (len(X), 3)
    assert codes.dtype == dtype
    back = model.inverse_transform(codes, lengths=[len(x) for x in X])
    assert [x.shape for x in back] == [x.shape for x in X]
    assert back[0].dtype == dtype
    spread = np.concatenate(X).astype("f8").std(axis=0)
    errors = [(((x - y) / spread) ** 2).mean() for x, y in zip(X, back)]
    found = model.reconstruction_error(X)
    assert_close(found, errors, dtype, 100)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(model.score_samples(X), -found)
    steps = model.reconstruction_error(X, per_step=True)
    assert [len(of_sequence) for of_sequence in steps] == [len(x) for x in X]
    assert_close([of_sequence.mean() for of_sequence in steps], found, np.float64, 100)
    reference = small(cell, device="reference").fit(X)
    assert_close(reference.transform(X), codes, dtype, 1e6)


def test_it_learns_to_give_back_what_it_read():
    X = waves(200)
    model = small(hidden_size=32, code_size=4, max_iter=80, learning_rate_init=0.01).fit(X)
    assert model.score(X) > 0.95
    rng = np.random.RandomState(0)
    noise = [rng.normal(size=x.shape) for x in X[:50]]
    assert (model.predict(noise) == -1).mean() > 0.95


@pytest.mark.parametrize("contamination", [0.05, 0.25, 0.5])
def test_so_many_of_those_trained_on_are_outliers(contamination):
    X = waves(60)
    model = small(contamination=contamination)
    answers = model.fit_predict(X)
    assert (answers == -1).sum() == round(contamination * 60)
    assert set(answers) == {-1, 1}
    decisions = model.decision_function(X)
    np.testing.assert_array_equal(answers, np.where(decisions < 0, -1, 1))
    np.testing.assert_array_equal(decisions, model.score_samples(X) - model.offset_)


def test_the_place_of_the_offset():
    errors = np.array([3.0, 1.0, 2.0, 4.0, 5.0])
    assert largest_errors_begin(errors, 0.2) == 4.5
    assert largest_errors_begin(errors, 0.4) == 3.5
    assert largest_errors_begin(errors, 0.01) == 5.0
    assert largest_errors_begin(np.ones(3), 0.5) == 1.0
    weights = np.array([0, 1, 2, 3, 1])
    assert largest_errors_begin(errors, 0.3, weights) == largest_errors_begin(
        np.repeat(errors, weights), 0.3
    )
    rng = np.random.RandomState(0)
    for _ in range(100):
        errors = rng.randint(0, 6, 8).astype(float)
        weights = rng.randint(0, 4, 8)
        if weights.any():
            share = rng.uniform(0.01, 0.5)
            assert largest_errors_begin(errors, share, weights) == largest_errors_begin(
                np.repeat(errors, weights), share
            )


def test_forms_of_x_and_of_what_comes_back():
    dense = np.stack([x[:4] for x in waves()])
    fitted = {}
    for name, X in {
        "array": dense,
        "rows": dense.reshape(len(dense), -1),
        "frame": pd.DataFrame(dense.reshape(len(dense), -1), columns=list("abcdefgh")),
        "list": list(dense),
        "Sequences": rnnkit.Sequences.from_list(list(dense)),
    }.items():
        model = small(step_features=2).fit(X)
        codes = model.transform(X)
        back = model.inverse_transform(codes)
        fitted[name] = np.asarray(
            back.to_list() if name == "Sequences" else back
        ).reshape(dense.shape)  # fmt: skip
        kind = {"list": list, "Sequences": rnnkit.Sequences}.get(name, np.ndarray)
        assert isinstance(back, kind)
        if name in ("rows", "frame"):
            assert back.shape == X.shape
            assert model.reconstruction_error(X, per_step=True).shape == (len(X), 4)
    for name, back in fitted.items():
        np.testing.assert_array_equal(back, fitted["array"], err_msg=name)


def test_flat_sequences_come_back_flat():
    X = [x[:, 0] for x in waves()]
    model = small().fit(X)
    back = model.inverse_transform(model.transform(X), lengths=[len(x) for x in X])
    assert [x.shape for x in back] == [x.shape for x in X]


def test_padded_ones_are_read_to_their_lengths():
    X = waves()
    padded, lengths = rnnkit.Sequences.from_list(X).to_padded()
    one, other = small().fit(X), small().fit(padded, lengths=lengths)
    codes = one.transform(X)
    np.testing.assert_array_equal(other.transform(padded, lengths=lengths), codes)
    np.testing.assert_array_equal(small().fit_transform(padded, lengths=lengths), codes)
    assert one.offset_ == other.offset_
    back = other.inverse_transform(codes, lengths=lengths)
    assert back.shape == padded.shape
    assert np.all(back[np.arange(padded.shape[1]) >= lengths[:, None]] == 0)
    np.testing.assert_array_equal(
        small().fit_predict(padded, lengths=lengths), one.predict(X)
    )  # fmt: skip


def test_lengths_of_what_comes_back():
    X = waves()
    model = small().fit(X)
    codes = model.transform(X)
    with pytest.raises(ValueError, match="lengths must be given: the sequences of fit were of"):
        model.inverse_transform(codes)
    assert [len(x) for x in model.inverse_transform(codes, lengths=3)] == [3] * len(X)
    for wrong in ([3], 0, [0] * len(X), 2.5, [2.5] * len(X), True, "nan"):
        with pytest.raises(ValueError, match="lengths must be an integer of at least 1, or 40 of"):
            model.inverse_transform(codes, lengths=wrong)
    with pytest.raises(ValueError, match="X has 2 columns, but GRUAutoencoder is expecting codes"):
        model.inverse_transform(codes[:, :2], lengths=3)
    with pytest.raises(ValueError, match="NaN"):
        model.inverse_transform(codes * np.nan, lengths=3)
    dense = np.stack([x[:4] for x in X])
    model = small().fit(dense)
    assert model.inverse_transform(codes).shape == dense.shape
    assert model.inverse_transform(codes, lengths=9).shape == (len(X), 9, 2)


def test_errors_do_not_depend_on_the_unit_of_a_feature():
    X = waves()
    model = small().fit(X)
    values = model.network_.output
    other = pickle.loads(pickle.dumps(model))
    assert values.scale == pytest.approx(np.concatenate(X).std(axis=0))
    assert np.mean(other.reconstruction_error(X)) < 1.2


def test_weights_count_like_repetitions():
    X = waves(12)
    weights = np.arange(12) % 3
    repeated = [x for x, w in zip(X, weights) for _ in range(w)]
    settings = dict(shuffle=False, input_noise=0.0, batch_size=100, max_iter=5, contamination=0.3)
    one = small(**settings).fit(X, sample_weight=weights)
    other = small(**settings).fit(repeated)
    assert_close(one.transform(X), other.transform(X), np.float64, 1e6)
    assert one.offset_ == pytest.approx(other.offset_, rel=1e-9)
    assert one.score(X, sample_weight=weights) == pytest.approx(other.score(repeated), rel=1e-9)
    with pytest.raises(ValueError, match="sample_weight must hold one weight per sequence"):
        small().fit(X, sample_weight=[np.ones(len(x)) for x in X])


@pytest.mark.parametrize("validation", ["early_stopping", "X_val", "tuple"])
def test_validation(validation):
    X, others = waves(), waves(10, seed=1)
    call = {
        "early_stopping": {},
        "X_val": {"X_val": others},
        "tuple": {"validation_data": (others, None)},
    }[validation]
    model = small(early_stopping=validation == "early_stopping").fit(X, **call)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    if call:
        assert model.best_validation_score_ == pytest.approx(model.score(others), rel=1e-6)
        same = small().fit(X, validation_data=others)
        assert same.validation_scores_ == model.validation_scores_
        with pytest.raises(ValueError, match="Give validation_data or X_val, not both"):
            small().fit(X, validation_data=others, X_val=others)
        with pytest.raises(ValueError, match=r"or a tuple \(X_val, y_val\), got a tuple of 3"):
            small().fit(X, validation_data=(others, None, None))


def test_going_on():
    X = waves()
    model = small(warm_start=True).fit(X)
    before = model.offset_
    model.fit(X)
    assert len(model.loss_curve_) == 8
    assert model.offset_ != before
    part = small().partial_fit(X)
    before = part.offset_
    part.partial_fit(X[:20])
    assert part.offset_ != before
    assert len(part.loss_curve_) == 2
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(
        again.partial_fit(X).transform(X), part.partial_fit(X).transform(X)
    )
    with pytest.raises(ValueError, match="code_size=5 was 3"):
        model.set_params(code_size=5).fit(X)


def test_other_steps_than_in_fit_are_refused_where_rows_are_sequences():
    X = np.random.RandomState(0).normal(size=(20, 6))
    model = small().fit(X)
    with pytest.raises(ValueError, match="X has 5 features, but GRUAutoencoder is expecting 6"):
        model.transform(X[:, :5])
    with pytest.raises(ValueError, match="is empty"):
        small().fit(waves()).transform([np.empty((0, 2))])


def test_files_pickles_and_clones(tmp_path):
    X = waves()
    model = small("LSTM").fit(X)
    path = tmp_path / "model.rnnkit"
    rnnkit.save(model, path)
    for other in (rnnkit.load(path), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.transform(X), model.transform(X))
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert other.offset_ == model.offset_
        back = other.inverse_transform(model.transform(X[:2]), lengths=[3, 4])
        assert [len(x) for x in back] == [3, 4]
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    "form, is_flat, n_steps", [("tuple", 0, 3), ("rows", 1, 3), ("list", True, 0)]
)
def test_a_file_that_tells_nonsense_of_x_is_refused(form, is_flat, n_steps):
    plain = {"kind": "own_steps", "n_outputs": 2, "form": form}
    with pytest.raises(ValueError):
        codec_from_dict({**plain, "is_flat": is_flat, "n_steps": n_steps})


def test_in_pipelines_and_searches():
    X, y = waves(60), np.arange(60) % 2
    dense = np.stack([x[:4] for x in X])
    pipeline = make_pipeline(SequenceScaler(), small())
    codes = pipeline.fit_transform(dense)
    assert pipeline.inverse_transform(codes).shape == dense.shape
    np.testing.assert_array_equal(pipeline.predict(dense), pipeline.fit_predict(dense))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            SequenceScaler().set_inverse_transform_request(lengths=False),
            small().set_inverse_transform_request(lengths=True),
        ).fit(X)
        lengths = [len(x) for x in X]
        back = routed.inverse_transform(routed.transform(X), lengths=lengths)
        assert [x.shape for x in back] == [x.shape for x in X]
    search = GridSearchCV(small(), {"code_size": [1, 3]}, cv=3).fit(X)
    assert set(search.cv_results_["mean_test_score"]) != {0.0}
    scores = cross_val_score(make_pipeline(small(), LogisticRegression()), X, y, cv=3)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_bits_for_any_number_of_threads_and_any_neighbours(cell, dtype, n_threads_limit):
    X = waves(150, dtype=dtype)
    lengths = [len(x) for x in X]

    def answers():
        model = small(cell, hidden_size=40, n_layers=2, dropout=0.2, input_noise=0.1).fit(X)
        codes = model.transform(X)
        return model, codes, model.inverse_transform(codes, lengths=lengths)

    with n_threads_limit(1):
        model, codes, back = answers()
    with n_threads_limit(4):
        other, other_codes, other_back = answers()
    np.testing.assert_array_equal(other_codes, codes)
    assert other.offset_ == model.offset_
    errors = model.reconstruction_error(X)
    for i in range(0, 150, 13):
        np.testing.assert_array_equal(other_back[i], back[i])
        np.testing.assert_array_equal(model.transform(X[i : i + 1]), codes[i : i + 1])
        assert model.reconstruction_error(X[i : i + 1])[0] == errors[i]
        alone = model.inverse_transform(codes[i : i + 1], lengths=lengths[i])[0]
        np.testing.assert_array_equal(alone, back[i])
    with sklearn.config_context(working_memory=0.05):
        np.testing.assert_array_equal(model.transform(X), codes)


def test_names_and_frames():
    X = waves()
    model = small().fit(X)
    names = ["gruautoencoder0", "gruautoencoder1", "gruautoencoder2"]
    assert list(model.get_feature_names_out()) == names
    frame = model.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == names


def test_states_of_encoder_and_decoder():
    X = waves()
    model = small(n_layers=2, bidirectional=True).fit(X)
    codes = model.transform(X)
    states = model.hidden_states(X, layer=1)
    p = model.weights_
    last = np.stack([np.concatenate([h[-1, :8], h[0, 8:]]) for h in states])
    assert_close(last @ p["code.weight"].T + p["code.bias"], codes, np.float64, 100)
    assert len(model.network_.recurrent_layers) == 4
    assert model.hidden_states(X)[3].shape == (len(X[3]), 16)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_pooled_states_make_the_code(pooling):
    X = waves()
    model = small(pooling=pooling).fit(X)
    states = model.hidden_states(X, layer=0)
    p = model.weights_
    if pooling == "attention":
        display = AttentionDisplay.from_estimator(model, X[:1])
        assert display.weights[0].shape == (len(X[0]),)
        return
    pooled = np.stack([getattr(np, pooling)(h, axis=0) for h in states])
    assert_close(model.transform(X), pooled @ p["code.weight"].T + p["code.bias"], np.float64, 100)


def test_what_it_does_not_do_is_refused_by_name(tmp_path):
    X = waves()
    model = small().fit(X)
    with pytest.raises(ValueError, match="GRUAutoencoder has no stream"):
        model.stream()
    for export in (rnnkit.to_onnx, pytorch.to_state_dict):
        with pytest.raises(ValueError, match="takes no autoencoder, got GRUAutoencoder"):
            export(model)
    with pytest.raises(ValueError, match="X"):
        small().fit([["a", "b"], ["b", "a", "c"]])
    with pytest.raises(ValueError, match="'contamination' parameter"):
        small(contamination=0.6).fit(X)
    with pytest.raises(TypeError, match="embedding_dim"):
        rnnkit.GRUAutoencoder(embedding_dim=3)
    with pytest.raises(ValueError, match="early_stopping"):
        small(early_stopping=True).partial_fit(X)


def test_codes_that_fit_no_memory_are_refused_by_name():
    model = small(code_size=10**9)
    with pytest.raises(MemoryError, match=r"codes of code_size=1000000000, needs .* smaller code_"):
        model.fit(waves())
    assert not hasattr(model, "network_")


def test_hints_point_to_the_call():
    padded, lengths = rnnkit.Sequences.from_list(waves()).to_padded()
    with pytest.warns(UserWarning, match="so large that it saturates") as told:
        small().fit(padded * 1000, lengths=lengths)
    model = small().fit(padded, lengths=lengths)
    files = {warning.filename for warning in told}
    for name in ("reconstruction_error", "score_samples", "decision_function", "predict"):
        with pytest.warns(UserWarning, match="fit had lengths, but this X") as told:
            getattr(model, name)(padded)
        files |= {warning.filename for warning in told}
    assert files == {__file__}
    ids = np.random.RandomState(0).randint(0, 30, (20, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        small().fit(ids)  # of which nobody could make tokens here


def test_noise_disturbs_what_is_read_alone():
    X = waves()
    noisy = small(input_noise=5.0, max_iter=1, learning_rate_init=1e-9).fit(X)
    plain = small(input_noise=0.0, max_iter=1, learning_rate_init=1e-9).fit(X)
    assert noisy.loss_ != plain.loss_
    large = [x * [1.0, 1000.0] for x in X]  # in whose unit the noise of the second is
    other = small(input_noise=0.1, max_iter=1, hidden_size=1).fit(large)
    assert other.network_.layers[0].scale == other.network_.output.scale
    assert noisy.loss_ < 3  # of targets that were disturbed it would be above 12


def test_callbacks_see_every_epoch():
    seen = []
    model = small().set_callbacks(lambda epoch: seen.append(epoch.fitted().offset_))
    model.fit(waves())
    assert len(seen) == 4
    assert seen[-1] == model.offset_
