"""Words or characters become integer ids, several per token where asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.watching import CallbackSupportMixin, watched, whole
from rnnkit.sequences.columns import column_names
from rnnkit.sequences.numbers import convert_values
from rnnkit.sequences.reading import refuse_masked
from rnnkit.sequences.words import WordIds, table_of_words

__all__ = ["TokenEncoder"]

FEATURES = ("word", "shape", "affixes", "chars", "spelling")
UNKNOWN = 0
BEYOND_END = ""  # the entry of a column of "spelling" beyond the end of the token; it has id 0


class TokenEncoder(Documented, ChecksNames, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Encode tokens as integer ids, learnt from the training sequences.

    A sequence is a list of words, or a string, whose tokens are its characters. Each column
    of the result has a vocabulary of its own, with ids from 1 in order of falling frequency;
    0 is the unknown.

    Parameters
    ----------
    features : sequence of {"word", "shape", "affixes", "chars", "spelling"}, default=("word",)
        What to encode of each token, in the order given:

        - "word": the token itself, one column;
        - "shape": its letters as X and x and its digits as d, runs cut to two ("Apple" is
          "Xxx", "2024" is "dd"), one column;
        - "affixes": its first and last characters, two columns for each of `affix_lengths`;
        - "chars": its first `n_chars` and its last `n_chars` characters, one column each, with
          one vocabulary; where the token is shorter a column holds the empty character;
        - "spelling": all its characters, one of `max_word_length` columns each, with one
          vocabulary; 0 beyond the token's end. Of a longer token the middle is left out.
    lowercase : bool, default=False
        Whether words and affixes are taken in lower case; shapes and characters never are.
    min_frequency : int, default=1
        How often an entry must occur in the training sequences to get an id of its own; what
        is rarer is unknown. With 1 no training token is unknown, so that a model cannot learn
        what to do with one: 2 is the better choice for words.
    affix_lengths : sequence of int, default=(1, 2, 3)
        Lengths of the affixes in characters.
    n_chars : int, default=4
        Characters that "chars" takes from each end.
    max_word_length : int, default=20
        Columns of "spelling".

    Attributes
    ----------
    columns_ : list of str
        The C columns: "word", "shape", "prefix_1", "suffix_1", "first_char_0", "last_char_0",
        "char_0", ...
    vocabularies_ : list of dict
        Entry to id, for each column.
    vocabulary_sizes_ : list of int
        The number of ids of each column, the unknown included: the rows of an embedding.

    Examples
    --------
    >>> from rnnkit.preprocessing import TokenEncoder
    >>> encoder = TokenEncoder(lowercase=True).fit([["The", "cat", "the", "dog"]])
    >>> encoder.transform([["the", "bird"], ["Cat"]])
    [array([1, 0]), array([2])]
    >>> encoder.vocabulary_sizes_
    [4]
    >>> TokenEncoder(features=("word", "shape")).fit_transform([["Ann", "runs"]])
    [array([[1, 1],
           [2, 2]])]
    >>> TokenEncoder().fit_transform(["anna", "ada"])
    [array([1, 2, 2, 1]), array([1, 3, 1])]
    >>> TokenEncoder(("word", "spelling"), max_word_length=3).fit_transform([["an", "can"]])
    [array([[1, 1, 2, 0],
           [2, 3, 1, 2]])]
    """

    def __init__(
        self,
        features: Sequence[str] = ("word",),
        *,
        lowercase: bool = False,
        min_frequency: int = 1,
        affix_lengths: Sequence[int] = (1, 2, 3),
        n_chars: int = 4,
        max_word_length: int = 20,
    ) -> None:
        self.features = features
        self.lowercase = lowercase
        self.min_frequency = min_frequency
        self.affix_lengths = affix_lengths
        self.n_chars = n_chars
        self.max_word_length = max_word_length

    _fitted: tuple[Any, ...]  # what `_settings` returned at `fit`

    @watched
    @whole
    def fit(self, X: Any, y: Any = None) -> TokenEncoder:
        """Learn the vocabularies.

        Parameters
        ----------
        X : list or 1-D array of n strings or lists of words
        y : ignored

        Returns
        -------
        TokenEncoder
            This object.

        Raises
        ------
        TypeError
            If a parameter, a sequence or a token has the wrong type.
        ValueError
            If a parameter is out of range or X is empty.
        """
        self._check_parameters()
        counts = Counter(token for sequence in _sequences(X) for token in sequence)
        settings = self._settings()
        columns = _columns(settings)
        names = [_vocabulary_name(column) for column in columns]
        frequencies: dict[str, Counter[str]] = {name: Counter() for name in names}
        for token, n in counts.items():
            for name, entry in zip(names, _entries(token, settings)):
                frequencies[name][entry] += n
        frequencies.get("spelling", Counter()).pop(BEYOND_END, None)
        numbered = {name: self._numbered(frequency) for name, frequency in frequencies.items()}
        self.columns_ = columns
        self.vocabularies_ = [numbered[name] for name in names]
        self.vocabulary_sizes_ = [len(vocabulary) + 1 for vocabulary in self.vocabularies_]
        self._fitted = settings
        return self

    def transform(self, X: Any) -> list[np.ndarray]:
        """Encode the tokens.

        Parameters
        ----------
        X : list or 1-D array of n strings or lists of words
            A sequence without tokens gives an empty array.

        Returns
        -------
        list of n ndarrays of shape (T_i,), or (T_i, C) if there are C > 1 columns; intp
            It remembers the words of the ids, for `embedding_init` of an estimator.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError
            If a sequence or a token has the wrong type.
        ValueError
            If X is empty.
        """
        check_is_fitted(self, "vocabularies_")
        settings = self._fitted_settings()
        sequences = _sequences(X)
        numbers: dict[str, int] = {}  # of each distinct token, whose columns are looked up once
        rows = [numbers.setdefault(token, len(numbers)) for seq in sequences for token in seq]
        ids = np.array(
            [
                [v.get(e, UNKNOWN) for v, e in zip(self.vocabularies_, _entries(token, settings))]
                for token in numbers
            ],
            dtype=np.intp,
        ).reshape(len(numbers), len(self.columns_))
        flat = ids[np.array(rows, dtype=np.intp)]
        if len(self.columns_) == 1:
            flat = flat[:, 0]
        bounds = np.cumsum([len(sequence) for sequence in sequences])[:-1]
        return WordIds(np.split(flat, bounds), [tuple(v) for v in self.vocabularies_])

    def embedding_init(self, vectors: Any, column: str = "word") -> np.ndarray:
        """Return known vectors of the words in the order of their ids: a table to begin with.

        For the parameter `embedding_init` of an estimator. In a Pipeline, where the vocabulary
        is learnt anew by every fit, give that parameter the mapping itself.

        Parameters
        ----------
        vectors : mapping of str to array-like of shape (embedding_dim,)
            Anything with ``word in vectors`` and ``vectors[word]``.
        column : str, default="word"
            Which of `columns_`.

        Returns
        -------
        ndarray of shape (n_tokens, embedding_dim), float64
            NaN in the row of the unknown and of every word without a vector: an estimator draws
            these rows.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If there is no such column, no word has a vector, or vectors differ in their width.

        Examples
        --------
        >>> from rnnkit.preprocessing import TokenEncoder
        >>> encoder = TokenEncoder().fit([["a", "cat"], ["a"]])
        >>> encoder.embedding_init({"cat": [0.5, 1.0], "dog": [0.25, 1.0]})
        array([[nan, nan],
               [nan, nan],
               [0.5, 1. ]])
        """
        check_is_fitted(self, "vocabularies_")
        if column not in self.columns_:
            raise ValueError(f"column must be one of {self.columns_}, got {column!r}")
        place = self.columns_.index(column)
        words = tuple(self.vocabularies_[place])
        return table_of_words(vectors, words, self.vocabulary_sizes_[place], "vectors")

    def inverse_transform(self, X: Iterable[Any], unknown: str = "<unknown>") -> list[list[str]]:
        """Return the words, or characters, of the ids in the column "word".

        Parameters
        ----------
        X : iterable of arrays of shape (T_i,) or (T_i, C), integer
        unknown : str, default="<unknown>"
            What stands for the unknown.

        Returns
        -------
        list of n lists of str

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If there is no column "word" or an id is out of range.
        """
        check_is_fitted(self, "vocabularies_")
        if "word" not in self.columns_:
            features = self._fitted_settings()[0]
            raise ValueError(f"features must contain 'word' to invert, got {features!r}")
        column = self.columns_.index("word")
        words = [unknown, *self.vocabularies_[column]]
        sequences = []
        for i, ids in enumerate(X):
            ids = convert_values(np.asarray(ids), f"X: sequence {i}", "tokens")
            ids = ids[:, column] if ids.ndim == 2 else ids
            if ids.size and not 0 <= ids.min() <= ids.max() < len(words):
                raise ValueError(f"X: sequence {i} holds an id beyond 0 to {len(words) - 1}")
            sequences.append([words[k] for k in ids])
        return sequences

    def _check_parameters(self) -> None:
        for name, what in (("features", "names"), ("affix_lengths", "integers")):
            value = getattr(self, name)
            if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
                raise TypeError(f"{name} must be a sequence of {what}, got {value!r}")
        for feature in self.features:
            if feature not in FEATURES:
                raise ValueError(f"features may hold {', '.join(FEATURES)}; got {feature!r}")
        if not len(self.features) or len(set(self.features)) < len(self.features):
            raise ValueError(f"features must be at least one and different, got {self.features!r}")
        if not isinstance(self.lowercase, (bool, np.bool_)):
            raise TypeError(f"lowercase must be True or False, got {self.lowercase!r}")
        names = ("min_frequency", "n_chars", "max_word_length")
        positive = [(name, getattr(self, name)) for name in names]
        positive += [("affix_lengths", length) for length in self.affix_lengths]
        for name, value in positive:
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}")

    def _settings(self) -> tuple[Any, ...]:
        """Return what decides the entries of a token."""
        features, lengths = tuple(map(str, self.features)), tuple(map(int, self.affix_lengths))
        lowercase = bool(self.lowercase)
        return features, lowercase, lengths, int(self.n_chars), int(self.max_word_length)

    def _fitted_settings(self) -> tuple[Any, ...]:
        """Return the settings as `fit` had them, which files of old do not tell."""
        fitted: tuple[Any, ...] | None = getattr(self, "_fitted", None)
        return self._settings() if fitted is None else fitted

    def _numbered(self, frequency: Counter[str]) -> dict[str, int]:
        kept = [entry for entry, n in frequency.items() if n >= self.min_frequency]
        kept.sort(key=lambda entry: (-frequency[entry], entry))
        return {entry: i for i, entry in enumerate(kept, start=UNKNOWN + 1)}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _sequences(X: Any) -> list[Sequence[str]]:
    """Return the sequences of tokens, checked."""
    if isinstance(X, (str, bytes, dict)) or not hasattr(X, "__len__"):
        raise TypeError(f"X must be a list of strings or of lists of words, got {type(X).__name__}")
    refuse_masked(X, "X")
    columns = column_names(X)
    if columns and len(X.shape) == 2:
        raise TypeError(
            f"X must be a list of strings or of lists of words, got a {type(X).__name__} with the "
            f"columns {list(columns)}; give one of them, such as X[{columns[0]!r}]"
        )
    sequences = list(X)
    if not sequences:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required for X")
    for i, sequence in enumerate(sequences):
        if isinstance(sequence, str):
            continue
        if hasattr(sequence, "to_list"):  # a series of words
            sequences[i] = sequence = sequence.to_list()
        if not isinstance(sequence, (list, tuple, np.ndarray)):
            raise TypeError(
                f"X: sequence {i} must be a string or a list of words, "
                f"got {type(sequence).__name__}"
            )
        for token in sequence:
            if not isinstance(token, str):
                raise TypeError(f"X: sequence {i} must hold words, got {token!r}")
    return sequences


def _columns(settings: tuple[Any, ...]) -> list[str]:
    """Name the columns, in the order of `_entries`."""
    features, _, affix_lengths, n_chars, max_word_length = settings
    columns: list[str] = []
    for feature in features:
        if feature == "affixes":
            columns += [f"{end}_{n}" for n in affix_lengths for end in ("prefix", "suffix")]
        elif feature == "chars":
            columns += [f"first_char_{i}" for i in range(n_chars)]
            columns += [f"last_char_{i}" for i in range(n_chars)]
        elif feature == "spelling":
            columns += [f"char_{i}" for i in range(max_word_length)]
        else:
            columns.append(feature)
    return columns


def _entries(token: str, settings: tuple[Any, ...]) -> list[str]:
    """Return what is encoded of a token, one entry per column."""
    features, lowercase, affix_lengths, n_chars, max_word_length = settings
    word = token.lower() if lowercase else token
    entries: list[str] = []
    for feature in features:
        if feature == "word":
            entries.append(word)
        elif feature == "shape":
            entries.append(_shape(token))
        elif feature == "affixes":
            for n in affix_lengths:
                entries += [word[:n], word[-n:]]
        elif feature == "chars":
            entries += [token[i : i + 1] for i in range(n_chars)]
            backwards = token[::-1]
            entries += [backwards[i : i + 1] for i in range(n_chars)]
        else:
            entries += _spelling(token, max_word_length)
    return entries


def _vocabulary_name(column: str) -> str:
    """Name the vocabulary of a column: its own, or one that it shares."""
    if column.startswith("char_"):
        return "spelling"
    return "chars" if "_char_" in column else column


def _spelling(token: str, length: int) -> list[str]:
    """Return the token's characters, filled up to a length or without the middle."""
    if len(token) > length:
        n_last = length // 2
        token = token[: length - n_last] + token[len(token) - n_last :]
    return [*token, *[BEYOND_END] * (length - len(token))]


def _shape(token: str) -> str:
    """Return the token's shape: X, x and d for letters and digits, runs cut to two."""
    shape = ""
    for character in token:
        if character.isdigit():
            kind = "d"
        elif character.isalpha():
            kind = "X" if character.isupper() else "x"
        else:
            kind = character
        if not shape.endswith(kind * 2):
            shape += kind
    return shape
