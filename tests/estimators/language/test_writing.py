"""What is written: its distribution, its form, its end, and that it is written again."""

import copy
import itertools
import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
from estimators.language.models import (
    CELLS,
    NAMES,
    TEXT,
    model,
    of_names,
    of_people,
    of_text,
    of_vectors,
)
from scipy.stats import chisquare

from rnnkit.backends import get_backend
from rnnkit.estimators.language.choosing import Choice
from rnnkit.estimators.language.writing import Stops
from rnnkit.sequences import Sequences

CPU = get_backend("cpu")
SCORES = np.array([9.0, 1.0, 3.0, 2.0, -1.0, 2.5])  # the first is the unknown's


def shares(temperature=1.0, top_k=None, top_p=None):
    """The definition, one token after the other."""
    p = np.exp(SCORES[1:] / temperature)
    p /= p.sum()
    order = sorted(range(5), key=lambda i: -p[i])[:top_k]
    kept, mass = [], 0.0
    for i in order:
        kept.append(i)
        mass += p[i]
        if top_p is not None and mass >= top_p * p[order].sum():
            break
    return {i + 1: p[i] / p[kept].sum() for i in kept}


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 3, 99])
@pytest.mark.parametrize("top_p", [None, 0.3, 0.8, 1.0])
def test_tokens_are_drawn_as_often_as_they_should(temperature, top_k, top_p):
    n = 4000
    at = np.random.RandomState(0).random_sample(n)
    choice = Choice(temperature, top_k, top_p)
    drawn = choice.draw(np.tile(SCORES, (n, 1)), at, CPU)
    expected = shares(temperature, top_k, top_p)
    assert set(drawn) <= set(expected)
    counts = [np.count_nonzero(drawn == i) for i in expected]
    if len(expected) > 1:
        assert chisquare(counts, np.array(list(expected.values())) * n).pvalue > 1e-4
    np.testing.assert_array_equal(
        drawn[:5], [choice.draw(SCORES[None], at[[i]], CPU)[0] for i in range(5)]
    )


def test_temperature_0_and_extremes():
    assert Choice(0).draw(SCORES[None], np.array([0.999]), CPU) == [2]
    huge = np.array([[0.0, -1e30, 1e30, 0.0]])
    for choice in (Choice(1e-300), Choice(1e-300, top_p=0.5), Choice(1.0, 2)):
        for at in (0.0, 0.5, np.nextafter(1, 0)):
            assert choice.draw(huge, np.array([at]), CPU) == [2]
    assert set(Choice(1e300).draw(np.tile(SCORES, (99, 1)), np.linspace(0, 0.99, 99), CPU)) == {
        1,
        2,
        3,
        4,
        5,
    }


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"temperature": -0.5}, ValueError, "temperature must be at least 0, got -0.5"),
        ({"temperature": float("nan")}, ValueError, "temperature"),
        ({"temperature": "hot"}, TypeError, "temperature must be a number, got 'hot'"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1, got 0"),
        ({"top_k": 2.5}, TypeError, "top_k must be an integer or None, got 2.5"),
        ({"top_p": 0}, ValueError, r"top_p must lie in \(0, 1\], got 0"),
        ({"top_p": 1.5}, ValueError, "top_p"),
        ({"n": -1}, ValueError, "n must be at least 0, got -1"),
        ({"n": 2.5}, TypeError, "n must be an integer, got 2.5"),
        ({"n_samples": 0}, ValueError, "n_samples must be at least 1, got 0"),
        ({"stop": ""}, ValueError, "stop must hold tokens"),
        ({"stop": "§"}, ValueError, "stop must hold tokens"),
        ({"stop": []}, ValueError, "stop must hold a token"),
        ({"stop": 3}, TypeError, "stop"),
        ({"prompt": 3}, TypeError, "prompt must be a string"),
        ({"prompt": [[3]]}, ValueError, "prompt holds ids"),
        ({"prompt": ["a", "b"], "n_samples": 3}, ValueError, "2 by prompt, 3 by n_samples"),
        ({"n_samples": 2, "stream": True}, ValueError, "stream=True writes one text"),
        ({"context": "f"}, ValueError, "context must be None"),
        ({"random_state": "x"}, ValueError, "x"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        of_names().sample(**{"n": 5, **arguments})


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "how", [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.7}, {"temperature": 0}]
)
def test_the_same_text_in_every_way(cell, how):
    fitted = of_text(cell, n_layers=2)
    first = fitted.sample(60, prompt="to be", random_state=3, **how)
    assert len(first) == 60
    assert fitted.sample(60, prompt="to be", random_state=3, **how) == first
    assert "".join(fitted.sample(60, prompt="to be", random_state=3, stream=True, **how)) == first
    several = fitted.sample(60, prompt="to be", random_state=3, n_samples=3, **how)
    assert several[0] == first
    stream = fitted.stream()
    stream.read("to be")
    assert "".join(stream.sample(60, random_state=3, **how)) == first
    other = fitted.sample(60, prompt="to be", random_state=4, **how)
    assert (other == first) == ("temperature" in how and how["temperature"] == 0)


def test_a_text_does_not_depend_on_those_beside_it():
    fitted, prompts = of_names(max_iter=60), ["a", "", "ivan", "han", "ol", "n"]
    together = fitted.sample(9, prompt=prompts, temperature=0)
    assert together == [fitted.sample(9, prompt=p, temperature=0) for p in prompts]
    assert len(set(map(len, together))) > 2  # so that they end one after the other


def test_dice_do_not_depend_on_the_texts_beside_them():
    """Beyond the 64 steps whose dice are thrown together, and where others end before."""
    seeds = np.random.RandomState(5).randint(2**31 - 1, size=9)
    for fitted, n, stop in ((of_text("GRU"), 150, None), (of_names(max_iter=20), 30, "nn")):
        vocabulary = fitted._codec
        for stops in (Stops(), Stops.of(stop, vocabulary)):
            many = fitted.sample(n, n_samples=9, random_state=5, stop=stop if stops.runs else None)
            alone = [fitted.stream().written(n, Choice(), stops, seed) for seed in seeds]
            assert many == [vocabulary.text(ids) for ids in alone]
            assert len(set(many)) > 5
        assert (len({len(text) for text in many}) > 2) == (n == 30)


def test_documents_end_in_every_way_of_writing():
    fitted = of_names(max_iter=20)
    for seed in range(8):
        for how in ({}, {"top_k": 4}, {"stop": "nn"}):
            written = fitted.sample(30, random_state=seed, **how)
            assert len(written) < 30
            assert "".join(fitted.sample(30, random_state=seed, stream=True, **how)) == written
            assert fitted.sample(30, random_state=seed, n_samples=3, **how)[0] == written


def test_people_do_not_depend_on_those_beside_them():
    people = of_people()
    both = people.sample(9, context=["f", "m"], temperature=0)
    assert both == [people.sample(9, context=c, temperature=0) for c in "fm"]
    assert people.sample(9, prompt=["i", "o"], context="m", temperature=0) == [
        people.sample(9, prompt=p, context="m", temperature=0) for p in "io"
    ]


def test_what_is_written_has_its_probability():
    """Whole documents come as often as score_samples says."""
    fitted = of_names(max_iter=20)
    n = 3000
    written = fitted.sample(12, n_samples=n, random_state=0)
    for name in ("ada", "anna", "igor"):
        p = np.exp(fitted.score_samples([name])[0])
        assert abs(written.count(name) - n * p) < 5 * np.sqrt(n * p)


def test_contexts_decide():
    fitted = of_people()
    women, men = (fitted.sample(9, n_samples=50, context=c, random_state=0) for c in "fm")
    assert np.mean([name in NAMES[:3] + ["nina"] for name in women]) > 0.8
    assert np.mean([name in NAMES[3:6] for name in men]) > 0.8


def test_bayes_tells_the_context():
    fitted = of_people()
    likelihoods = np.array([fitted.score_samples(NAMES, context=label) for label in "fm"])
    told = ["fm"[i] for i in likelihoods.argmax(axis=0)]
    assert told == ["f", "f", "f", "m", "m", "m", "f"]


def test_numbers_are_one_for_each_text_as_in_fit():
    fitted = model(max_iter=20).fit(NAMES, context=np.arange(7.0))
    for context in ([1.0, 2.0], (1.0, 2.0, 3.0), np.array([0.0, 6.0])):
        texts = fitted.sample(5, context=context, temperature=0)
        columns = [[number] for number in context]
        assert texts == fitted.sample(5, context=columns, temperature=0)
        assert texts == [fitted.sample(5, context=c, temperature=0) for c in context]
        found = fitted.score_samples(texts, context=context)
        np.testing.assert_array_equal(found, fitted.score_samples(texts, context=columns))
    assert isinstance(fitted.sample(5, context=[1.0], temperature=0), str)
    with pytest.raises(ValueError, match="one number of texts, got 2 by context, 3 by n_samples"):
        fitted.sample(5, context=[1.0, 2.0], n_samples=3)
    with pytest.raises(ValueError, match="stream=True writes one text"):
        fitted.sample(5, context=[1.0, 2.0], stream=True)


def test_vectors_begin_a_text():
    fitted, vectors = of_vectors(max_iter=60)
    assert (
        fitted.sample(9, context=vectors, temperature=0)[:3]
        != [fitted.sample(9, context=vectors[3], temperature=0)] * 3
    )
    assert (
        fitted.sample(9, context=vectors[2], temperature=0)
        == fitted.sample(9, context=vectors[2:3], temperature=0)[0]
    )


@pytest.mark.parametrize("stop, n_stops", [("be", 1), (["be", "or"], 2), ("b", 1), ("not to", 1)])
def test_writing_stops_before_a_stop(stop, n_stops):
    fitted = of_text(max_iter=20)
    whole = fitted.sample(200, random_state=5)
    stops = [stop] if isinstance(stop, str) else stop
    found = [place for s in stops if (place := whole.find(s)) >= 0]
    ends = [whole.find(s) + len(s) for s in stops if s in whole]
    expected = whole
    if found:
        first = min(zip(ends, stops, strict=False))[0]
        expected = whole[:first]
        for s in stops:
            if expected.endswith(s):
                expected = expected[: -len(s)]
    assert fitted.sample(200, random_state=5, stop=stop) == expected
    assert "".join(fitted.sample(200, random_state=5, stop=stop, stream=True)) == expected
    assert fitted.sample(200, random_state=5, stop=stop, n_samples=2)[0] == expected


def test_what_is_held_back_comes_at_the_end():
    fitted = of_text(max_iter=20)
    for n in range(8):
        whole = fitted.sample(n, prompt="not ", temperature=0)
        assert len(whole) == n
        assert fitted.sample(n, prompt="not ", temperature=0, stop="to be or not") == whole


def test_every_kind_comes_back_as_it_came():
    cases = [
        (["to be", "or to be"], {"tokens": "words"}, "to", str),
        ([["to", "be"], ["or", "to", "be"]], {}, ["to"], list),
        ([[1, 2], [3, 1, 2]], {}, [1], list),
        ([np.array([1, 2]), np.array([3, 1, 2])], {}, np.array([1]), np.ndarray),
    ]
    for X, parameters, prompt, kind in cases:
        fitted = model(**parameters, max_iter=30).fit(X * 10)
        written = fitted.sample(5, prompt=prompt, temperature=0)
        assert type(written) is kind
        expected = X[0][3:] if kind is str else X[0][1:]
        assert list(written) == list(expected)
        tokens = list(fitted.sample(5, prompt=prompt, temperature=0, stream=True))
        assert tokens == (written.split() if kind is str else list(written))
        assert fitted.sample(5, prompt=[prompt, prompt], temperature=0)[1] is not None
    numbers = model().fit(np.array([1, 2, 3] * 20))
    assert numbers.sample(4, prompt=np.array([1]), temperature=0).shape == (4,)
    assert fitted.sample(9, stop=[2], temperature=0, prompt=[1]).tolist() == []


def test_the_unknown_is_never_written():
    fitted = model(vocabulary="ab", max_iter=20).fit("abxx" * 50)
    assert set(fitted.sample(300, random_state=0)) <= {"a", "b"}
    assert len(fitted.sample(30, temperature=0)) == 30


MANY = {
    "list": list,
    "tuple": tuple,
    "series": pd.Series,
    "index": pd.Index,
    "polars": pl.Series,
    "text": lambda given: pd.Series(given, dtype="string"),
    "array": np.array,
    "objects": lambda given: np.array([*given, None], object)[:-1],
}


@pytest.mark.parametrize("form", MANY)
def test_several_prompts_and_stops_in_every_form(form):
    prompts, stops = ["an", "i", "ni"], ["a", "o"]
    words = model(tokens="words").fit(["to be", "or not", "to see"] * 9)
    for written, asked, stop in ((of_names(), prompts, stops), (words, ["to", "or"], ["be", "to"])):
        expected = written.sample(9, prompt=asked, stop=stop, random_state=1)
        found = written.sample(9, prompt=MANY[form](asked), stop=MANY[form](stop), random_state=1)
        assert found == expected
        stream = written.stream()
        assert [*stream.sample(9, stop=MANY[form](stop), random_state=1)] == [
            *written.stream().sample(9, stop=stop, random_state=1)
        ]


def test_several_prompts_of_ids_in_every_form():
    ids = model().fit([[1, 2, 3], [2, 3], [3, 1, 2]] * 8)
    expected = ids.sample(5, prompt=[[1, 2], [3, 3]], stop=[2, 3], random_state=1)
    sequences = Sequences.from_list([np.array([1.0, 2.0]), np.array([3.0, 3.0])])
    for given in (pd.Series([[1, 2], [3, 3]]), np.array([[1, 2], [3, 3]]), sequences,
                  [pd.Series([1, 2]), (3, 3)]):  # fmt: skip
        assert ids.sample(5, prompt=given, stop=pd.Series([2, 3]), random_state=1) == expected
    one = ids.sample(5, prompt=[1, 2], random_state=1)
    for given in ((1, 2), np.array([1, 2]), pd.Series([1, 2]), pl.Series([1, 2])):
        assert ids.sample(5, prompt=given, random_state=1) == one


def test_no_tokens():
    assert of_names().sample(0) == ""
    assert of_names().sample(0, n_samples=2) == ["", ""]
    assert list(of_names().sample(0, stream=True)) == []


def test_a_generator_seeds_and_goes_on():
    fitted, rng = of_text(), np.random.RandomState(0)
    first, second = fitted.sample(30, random_state=rng), fitted.sample(30, random_state=rng)
    assert first != second
    assert first == fitted.sample(30, random_state=np.random.RandomState(0))


# Streams.


@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_has_the_bits_of_score_samples(cell):
    for fitted, text, context in ((of_names(cell), "anna?", None), (of_people(cell), "ivan", "m")):
        stream = fitted.stream() if context is None else fitted.stream(context)
        ids = [fitted.vocabulary_.get(c, 0) for c in text]
        found = []
        for i, letter in zip(ids, text, strict=True):
            found.append(stream.log_probabilities[i])
            after = stream.step(letter)
        found.append(after[-1])
        given = {} if context is None else {"context": [context]}
        assert float(np.sum(found)) == pytest.approx(fitted.score_samples([text], **given)[0])
        assert np.exp(after).sum() == pytest.approx(1)
        np.testing.assert_array_equal(after, stream.log_probabilities)


def test_states_copies_and_pickles_go_on():
    fitted = of_text("LSTM", n_layers=2)
    stream = fitted.stream()
    fresh = stream.log_probabilities
    expected = stream.read("to be")
    state = stream.state
    after = stream.step("!")
    others = [copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))]
    stream.state = state
    np.testing.assert_array_equal(stream.log_probabilities, expected)
    for other in others:
        np.testing.assert_array_equal(other.log_probabilities, after)
        other.state = state
        np.testing.assert_array_equal(other.step("x"), stream.step("x"))
        stream.state = state
    stream.reset()
    np.testing.assert_array_equal(stream.log_probabilities, fresh)


@pytest.mark.parametrize(
    "change", [None, (1,), ([], np.zeros(3)), "nan", "shape", "large", "large scores", "complex",
               "text", "masked", "no tuples"]
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_a_state_of_something_else_is_refused(change):
    stream = of_text().stream()
    states, scores = before = stream.state
    if change == "nan":
        change = (states, np.full_like(scores, np.nan))
    elif change == "shape":
        change = ([tuple(None if a is None else a[:, :2] for a in states[0])], scores)
    elif change == "large scores":
        change = (states, np.full(scores.shape, 1e39))
    elif isinstance(change, str):
        changed = {
            "large": lambda a: np.full(a.shape, 1e39),
            "complex": lambda a: a + 1j,
            "text": lambda a: a.astype(str),
            "masked": lambda a: np.ma.array(a, mask=np.ones(a.shape)),
            "no tuples": lambda a: None,
        }[change]
        change = (
            [tuple(None if a is None else changed(a) for a in layer) for layer in states],
            scores,
        )
    with pytest.raises(ValueError, match="state"):
        stream.state = change
    np.testing.assert_array_equal(stream.state[1], before[1])
    for kept, was in zip(stream.state[0][0], states[0], strict=True):
        assert (kept is was is None) or np.array_equal(kept, was)


@pytest.mark.parametrize("token", ["ab", "", 3, None, ["a"]])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(TypeError, match="token must be one of characters"):
        of_text().stream().step(token)
    with pytest.raises(TypeError, match="token must be an id"):
        model().fit([1, 2] * 9).stream().step("a")


def test_streams_do_not_see_later_fits():
    fitted = model().fit(TEXT)
    stream = fitted.stream()
    before = stream.read("to")
    fitted.fit("other text" * 9)
    stream.reset()
    np.testing.assert_array_equal(stream.read("to"), before)


def test_many_threads_write_the_same():
    fitted = of_text()
    expected = fitted.sample(40, random_state=0)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fitted.sample(40, random_state=0)))
        for _ in range(6)
    ]
    for thread in itertools.chain(threads):
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
