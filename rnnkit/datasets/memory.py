"""What was shown early in a long sequence is to be remembered to its end."""

from __future__ import annotations

from itertools import product

import numpy as np

from rnnkit.datasets.drawing import (
    check_count,
    check_flag,
    draw_lengths,
    one_hot,
    random_state_of,
)
from rnnkit.sequences import Sequences

__all__ = [
    "make_copying",
    "make_noise_free_lag",
    "make_noisy_lag",
    "make_temporal_order",
    "make_two_sequence",
]

TEMPORAL_ORDER_SYMBOLS = ("a", "b", "c", "d", "X", "Y", "E", "B")
TEMPORAL_ORDER_POSITIONS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}
TAIL_END_PROBABILITY = 0.1
TWO_SEQUENCE_VARIANCE = 0.2


def make_temporal_order(
    n_samples: int = 100,
    n_relevant: int = 2,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Sequences, np.ndarray]:
    """Generate the temporal order problem: which relevant symbols came, in which order.

    A sequence of 100 to 110 symbols begins with E, ends with B and is otherwise drawn from
    a, b, c and d, but for two or three relevant symbols, X or Y, at steps uniform in [10, 20]
    and [50, 60], or in [10, 20], [33, 43] and [66, 76]. The class is their order. A prediction
    counts as right if every output is off by less than 0.3; here, if the class is.

    Task: Hochreiter & Schmidhuber (1997), experiments 6a and 6b.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    n_relevant : {2, 3}, default=2
        Relevant symbols: 2 gives 4 classes (6a), 3 gives 8 (6b).
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : Sequences
        N sequences of 8 features, the unit vectors of a, b, c, d, X, Y, E, B.
    y : ndarray of shape (N,), str
        "XX", "XY", "YX" or "YY"; three letters for 6b.

    Raises
    ------
    TypeError, ValueError
        If an argument is not accepted.

    Examples
    --------
    >>> from rnnkit.datasets import make_temporal_order
    >>> X, y = make_temporal_order(n_samples=4, random_state=0)
    >>> X.lengths, y
    (array([105, 100, 103, 103]), array(['YY', 'YX', 'XX', 'YX'], dtype='<U2'))
    """
    n = check_count(n_samples, "n_samples")
    if n_relevant not in TEMPORAL_ORDER_POSITIONS:
        raise ValueError(f"n_relevant must be 2 or 3, got {n_relevant!r}")
    rng = random_state_of(random_state)
    _, offsets = draw_lengths(rng, n, 100, 110)
    symbols = rng.randint(4, size=offsets[-1])
    relevant = rng.randint(2, size=(n, n_relevant))
    for i, (lowest, highest) in enumerate(TEMPORAL_ORDER_POSITIONS[n_relevant]):
        steps = rng.randint(lowest, highest + 1, size=n)
        symbols[offsets[:-1] + steps] = TEMPORAL_ORDER_SYMBOLS.index("X") + relevant[:, i]
    symbols[offsets[:-1]] = TEMPORAL_ORDER_SYMBOLS.index("E")
    symbols[offsets[1:] - 1] = TEMPORAL_ORDER_SYMBOLS.index("B")
    classes = np.array(["".join(letters) for letters in product("XY", repeat=n_relevant)])
    y = classes[relevant @ (2 ** np.arange(n_relevant)[::-1])]
    return one_hot(symbols, len(TEMPORAL_ORDER_SYMBOLS), offsets), y


def make_copying(
    n_samples: int = 100,
    n_blanks: int = 100,
    n_symbols: int = 8,
    n_copied: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate the copying problem: repeat what was shown, long after.

    ``n_copied`` symbols are followed by ``n_blanks - 1`` blanks, a sign to begin and
    ``n_copied`` blanks. The target is blank but for the last ``n_copied`` steps, which repeat
    the symbols. Without memory the mean cross-entropy per step is
    ``n_copied * log(n_symbols) / (n_blanks + 2 * n_copied)`` nats.

    Task: Arjovsky, Shah & Bengio (2016), after Hochreiter & Schmidhuber (1997).

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    n_blanks : int, default=100
        Steps from the last symbol shown to the first repeated, the sign included.
    n_symbols : int, default=8
        Symbols to choose from.
    n_copied : int, default=10
        Symbols shown.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : ndarray of shape (N, T, n_symbols + 2), float64
        Unit vectors with T = n_blanks + 2 * n_copied; feature 0 is the blank, the last is the
        sign.
    y : ndarray of shape (N, T), intp
        0 for blank, symbols from 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or too small.

    Examples
    --------
    >>> from rnnkit.datasets import make_copying
    >>> X, y = make_copying(1, n_blanks=3, n_symbols=4, n_copied=2, random_state=0)
    >>> X.argmax(axis=2)
    array([[1, 4, 0, 0, 5, 0, 0]])
    >>> y
    array([[0, 0, 0, 0, 0, 1, 4]])
    """
    n = check_count(n_samples, "n_samples")
    check_count(n_blanks, "n_blanks")
    check_count(n_symbols, "n_symbols")
    check_count(n_copied, "n_copied")
    rng = random_state_of(random_state)
    shown = rng.randint(1, n_symbols + 1, size=(n, n_copied))
    n_steps = n_blanks + 2 * n_copied
    inputs = np.zeros((n, n_steps), dtype=np.intp)
    inputs[:, :n_copied] = shown
    inputs[:, n_copied + n_blanks - 1] = n_symbols + 1
    y = np.zeros((n, n_steps), dtype=np.intp)
    y[:, -n_copied:] = shown
    return np.eye(n_symbols + 2)[inputs], y


def make_noise_free_lag(
    n_samples: int = 100, lag: int = 100, random_state: int | np.random.RandomState | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Generate the noise-free problem with a long lag: the last symbol is the first.

    Two sequences, each with probability 1/2: ``x, a1, ..., a(p-1), x`` and
    ``y, a1, ..., a(p-1), y`` with p the lag. At every step the next symbol is to be predicted;
    only the last one needs memory.

    Task: Hochreiter & Schmidhuber (1997), experiment 2a.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    lag : int, default=100
        p, at least 2; there are p + 1 symbols.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : ndarray of shape (N, p, p + 1), float64
        Unit vectors of a1, ..., a(p-1), x, y, without the last symbol.
    y : ndarray of shape (N, p), intp
        The next symbol: k - 1 for ak, p - 1 for x, p for y.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or too small.

    Examples
    --------
    >>> from rnnkit.datasets import make_noise_free_lag
    >>> X, y = make_noise_free_lag(n_samples=2, lag=4, random_state=0)
    >>> X.argmax(axis=2)
    array([[3, 0, 1, 2],
           [4, 0, 1, 2]])
    >>> y
    array([[0, 1, 2, 3],
           [0, 1, 2, 4]])
    """
    n = check_count(n_samples, "n_samples")
    check_count(lag, "lag", 2)
    rng = random_state_of(random_state)
    symbols = np.empty((n, lag + 1), dtype=np.intp)
    symbols[:, 1:-1] = np.arange(lag - 1)
    symbols[:, 0] = symbols[:, -1] = lag - 1 + rng.randint(2, size=n)
    return np.eye(lag + 1)[symbols[:, :-1]], symbols[:, 1:]


def make_noisy_lag(
    n_samples: int = 100,
    lag: int = 100,
    n_distractors: int = 100,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Sequences, np.ndarray]:
    """Generate the problem with a long lag and random symbols: what came second comes last.

    A sequence is b, then x or y, then q distractors drawn from a1, ..., ap and further ones
    that stop with probability 0.1 each, then e; then x or y again, which is to be predicted
    and is not part of X. A prediction counts as right if every output is off by less than 0.2;
    here, if the class is.

    Task: Hochreiter & Schmidhuber (1997), experiment 2c.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    lag : int, default=100
        q, the fewest distractors in a sequence.
    n_distractors : int, default=100
        p, the distractors to choose from; there are p + 4 symbols.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : Sequences
        N sequences of p + 4 features, the unit vectors of a1, ..., ap, e, b, x, y; of q + 3
        steps and, on average, 9 more.
    y : ndarray of shape (N,), str
        "x" or "y".

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or too small.

    Examples
    --------
    >>> from rnnkit.datasets import make_noisy_lag
    >>> X, y = make_noisy_lag(n_samples=3, lag=5, n_distractors=2, random_state=0)
    >>> X.lengths, y
    (array([15, 19, 16]), array(['y', 'y', 'y'], dtype='<U1'))
    """
    n = check_count(n_samples, "n_samples")
    check_count(lag, "lag")
    p = check_count(n_distractors, "n_distractors")
    rng = random_state_of(random_state)
    tails = rng.geometric(TAIL_END_PROBABILITY, size=n) - 1
    offsets = np.concatenate([[0], np.cumsum(lag + tails + 3)])
    classes = rng.randint(2, size=n)
    symbols = rng.randint(p, size=offsets[-1])
    end, begin, x = p, p + 1, p + 2
    symbols[offsets[:-1]] = begin
    symbols[offsets[:-1] + 1] = x + classes
    symbols[offsets[1:] - 1] = end
    return one_hot(symbols, p + 4, offsets), np.array(["x", "y"])[classes]


def make_two_sequence(
    n_samples: int = 100,
    n_steps: int = 100,
    n_informative: int = 3,
    noisy_information: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Sequences, np.ndarray]:
    """Generate the two-sequence problem: the first steps tell the class, the rest is noise.

    The first `n_informative` steps are 1 for class 1 and -1 for class 0; all others are
    Gaussian with mean 0 and variance 0.2. Guessing random weights solves it quickly, so it
    shows that a network learns, not that it learns well.

    Task: Hochreiter & Schmidhuber (1997), experiments 3a and 3b, after Bengio, Simard &
    Frasconi (1994).

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    n_steps : int, default=100
        The shortest length T; lengths are uniform in [T, T + T/10].
    n_informative : int, default=3
        Steps that tell the class, fewer than T.
    noisy_information : bool, default=False
        Whether they carry the same noise (3b).
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : Sequences
        N sequences of one feature.
    y : ndarray of shape (N,), intp
        0 or 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or out of range.

    Examples
    --------
    >>> from rnnkit.datasets import make_two_sequence
    >>> X, y = make_two_sequence(n_samples=2, random_state=0)
    >>> X[0][:3, 0], y
    (array([-1., -1., -1.]), array([0, 1]))
    """
    n = check_count(n_samples, "n_samples")
    check_count(n_informative, "n_informative")
    check_count(n_steps, "n_steps", n_informative + 1)
    is_noisy = check_flag(noisy_information, "noisy_information")
    rng = random_state_of(random_state)
    _, offsets = draw_lengths(rng, n, n_steps, n_steps + n_steps // 10)
    values = rng.normal(0.0, TWO_SEQUENCE_VARIANCE**0.5, size=offsets[-1])
    y = rng.randint(2, size=n)
    rows = offsets[:-1, None] + np.arange(n_informative)
    information = np.repeat(2.0 * y[:, None] - 1.0, n_informative, axis=1)
    values[rows] = values[rows] + information if is_noisy else information
    return Sequences(values, offsets), y
