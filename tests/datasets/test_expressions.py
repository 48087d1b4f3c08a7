"""Expressions are right, drawn as described, and decided by the seed."""

import re

import numpy as np
import pytest

from rnnkit.datasets import make_expressions


def test_answers_are_those_of_the_questions_without_letters():
    questions, answers = make_expressions(500, n_digits=4, n_distractors=6, random_state=0)
    for question, answer in zip(questions, answers):
        left, sign, right = re.fullmatch(
            r"(\d+)([+-])(\d+)=", re.sub("[a-j]", "", question)
        ).groups()
        assert answer == f"{int(left) + (1 if sign == '+' else -1) * int(right)}."
        assert str(int(left)) == left
        assert str(int(right)) == right
        assert sum(character.isalpha() for character in question) == 6


def test_lengths_signs_letters_and_places_are_drawn_alike():
    n = 6000
    questions, _ = make_expressions(n, n_digits=3, n_distractors=1, random_state=1)
    plain = [re.sub("[a-j]", "", question) for question in questions]
    assert abs(np.mean(["+" in text for text in plain]) - 0.5) < 4 * 0.5 / np.sqrt(n)
    for side in (0, 1):
        digits = [len(re.split("[+-]", text[:-1])[side]) for text in plain]
        shares = np.bincount(digits, minlength=4)[1:] / n
        assert (abs(shares - 1 / 3) < 4 * np.sqrt(2) / 3 / np.sqrt(n)).all()
    assert {re.search("[a-j]", question).group() for question in questions} == set("abcdefghij")
    shortest = [question for question in questions if len(question) == 5]  # four places
    places = np.bincount([re.search("[a-j]", q).start() for q in shortest], minlength=4)
    assert len(places) == 4
    expected = len(shortest) / 4
    assert (abs(places - expected) < 4 * np.sqrt(expected)).all()


def test_no_letters_and_largest_numbers():
    questions, answers = make_expressions(200, n_digits=17, n_distractors=0, random_state=2)
    assert not any(character.isalpha() for text in questions for character in text)
    assert max(map(len, answers)) >= 18
    assert all(int(a[:-1]) == eval(q[:-1]) for q, a in zip(questions, answers))


def test_the_seed_decides():
    first, again, other = (make_expressions(5, random_state=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    rng = np.random.RandomState(1)
    assert make_expressions(5, random_state=rng) == first
    assert make_expressions(5, random_state=rng) != first


def test_wrong_arguments():
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        make_expressions(0)
    with pytest.raises(ValueError, match="n_digits must be at most 17, got 18"):
        make_expressions(1, 18)
    with pytest.raises(ValueError, match="n_digits must be at least 1, got 0"):
        make_expressions(1, 0)
    with pytest.raises(ValueError, match="n_distractors must be at least 0, got -1"):
        make_expressions(1, 1, -1)
    for value in (2.0, "5", True, None):
        with pytest.raises(TypeError, match="n_digits must be an integer"):
            make_expressions(5, value)
