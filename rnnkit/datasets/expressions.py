"""Sums and differences written as text, to be worked out digit by digit."""

from __future__ import annotations

import numpy as np

from rnnkit.datasets.drawing import check_count, random_state_of

__all__ = ["make_expressions"]

DISTRACTORS = "abcdefghij"


def make_expressions(
    n_samples: int = 100,
    n_digits: int = 8,
    n_distractors: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[list[str], list[str]]:
    """Generate sums and differences of two numbers as texts, letters without meaning among them.

    ``3a6b-h1h3=`` asks for 36 - 13, and ``23.`` is the answer. Each number has 1 to `n_digits`
    digits, as many with equal probability, and none but 0 begins with 0; + and - are drawn alike,
    and every letter stands before a character drawn uniformly.

    Task: Zaremba & Sutskever (2014), as Jozefowicz, Zaremba & Sutskever (2015) have it: one network
    reads the question and goes on to the answer, and the share of right characters counts.

    Parameters
    ----------
    n_samples : int, default=100
        Number of expressions N.
    n_digits : int, default=8
        The most digits of a number, at most 17.
    n_distractors : int, default=10
        Letters in each question, at least 0.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    questions : list of N str
        Of digits, one + or -, the letters a to j, and = at the end.
    answers : list of N str
        The number asked for, and a full stop at the end.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or out of range.

    Examples
    --------
    >>> from rnnkit.datasets import make_expressions
    >>> questions, answers = make_expressions(3, n_digits=3, n_distractors=2, random_state=0)
    >>> for question, answer in zip(questions, answers):
    ...     print(question, answer)
    hh4+97= 101.
    i6-98b= -92.
    98+49f6j= 594.
    """
    n = check_count(n_samples, "n_samples")
    check_count(n_digits, "n_digits")
    if n_digits > 17:
        raise ValueError(f"n_digits must be at most 17, got {n_digits!r}")
    check_count(n_distractors, "n_distractors", 0)
    rng = random_state_of(random_state)
    n_of_each = rng.randint(1, n_digits + 1, size=(n, 2))
    lowest = np.where(n_of_each > 1, 10 ** (n_of_each - 1), 0)
    numbers = rng.randint(lowest, 10**n_of_each, dtype=np.int64)
    minus = rng.randint(2, size=n).astype(bool)
    letters = rng.randint(len(DISTRACTORS), size=(n, n_distractors))
    places = rng.uniform(size=(n, n_distractors))
    questions = []
    for pair, is_minus, drawn, shares in zip(numbers, minus, letters, places):
        text = f"{pair[0]}{'-' if is_minus else '+'}{pair[1]}="
        before = np.floor(shares * len(text)).astype(int)
        questions.append(
            "".join(
                "".join(DISTRACTORS[letter] for letter in drawn[before == place]) + character
                for place, character in enumerate(text)
            )
        )
    results = numbers[:, 0] + np.where(minus, -1, 1) * numbers[:, 1]
    return questions, [f"{result}." for result in results]
