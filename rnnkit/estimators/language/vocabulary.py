"""The tokens that a language model knows, as the ids of its network, and back to text.

The id 0 is the unknown: a token that `fit` did not see, or too rarely, and what stands before a
piece out of the middle of a text. The ids 1, 2, ... are the tokens in sorted order. Where texts are
documents the last id is their end, and what they begin with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.language.contexts import Contexts
from rnnkit.estimators.language.texts import FORMS, KINDS, Texts

__all__ = ["UNKNOWN_ID", "Vocabulary", "is_token"]

UNKNOWN_ID = 0


@dataclass(frozen=True, eq=False)
class Vocabulary(Codec):
    """What `fit` learnt about texts: their tokens, whether they end, in which form they came.

    Parameters
    ----------
    tokens : tuple
        Those of the ids 1, 2, ...: characters, words or whole numbers, sorted.
    token_kind : {"characters", "words", "ids"}
        What a token is.
    form : {"text", "list", "array"}
        What is written comes back as a string, a list or an array.
    has_ends : bool
        Whether texts are documents, which have a beginning and an end.
    contexts : Contexts or None
        What is known of each document beside its text; None: nothing.

    Attributes
    ----------
    index : dict
        Token → id.
    """

    kind: ClassVar[str] = "tokens"

    tokens: tuple[Any, ...]
    token_kind: str
    form: str
    has_ends: bool
    contexts: Contexts | None = None
    index: dict[Any, int] = field(init=False)
    _sorted: np.ndarray = field(init=False)  # ids, or code points of characters

    def __post_init__(self) -> None:
        index = {token: i for i, token in enumerate(self.tokens, start=1)}
        numbers: list[int] = []
        if self.token_kind != "words":
            is_text = self.token_kind == "characters"
            numbers = list(map(ord, self.tokens)) if is_text else list(self.tokens)
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "_sorted", np.array(numbers, np.intp))

    @classmethod
    def learn(
        cls,
        texts: Texts,
        given: Iterable[Any] | None,
        min_frequency: int,
        *,
        has_ends: bool,
        contexts: Contexts | None,
    ) -> Vocabulary:
        """Return the vocabulary of texts.

        Parameters
        ----------
        texts : Texts
        given : iterable or None
            The tokens there are to be; None: those of the texts.
        min_frequency : int
            How often a token must occur not to be unknown, unless they are given.
        has_ends, contexts
            As of the class.

        Raises
        ------
        TypeError, ValueError
            If a token given is of another kind than those of the texts, or there is none.
        """
        if given is not None:
            tokens = _checked(given, texts.kind)
        else:
            found, counts = np.unique(texts.tokens, return_counts=True)
            tokens = found[counts >= min_frequency].tolist()
            if texts.kind == "characters":
                tokens = list(map(chr, tokens))
        if not tokens:
            raise ValueError(
                f"no token of X occurs min_frequency={min_frequency!r} times, so there is nothing "
                "to learn"
            )
        return cls(tuple(tokens), texts.kind, texts.form, has_ends, contexts)

    @property
    def width(self) -> int:
        """K, the ids: of the unknown, the tokens and the end."""
        return len(self.tokens) + 1 + self.has_ends

    @property
    def end(self) -> int | None:
        """The id of the end of a document; None: there is none."""
        return len(self.tokens) + 1 if self.has_ends else None

    @property
    def start(self) -> int:
        """The id that stands before the first token of a text."""
        return len(self.tokens) + 1 if self.has_ends else UNKNOWN_ID

    def ids(self, texts: Texts, name: str = "X") -> np.ndarray:
        """Return the id of every token (ΣT,), intp.

        Raises
        ------
        ValueError
            If the tokens are of another kind than in `fit`.
        """
        if texts.kind != self.token_kind:
            raise ValueError(f"{name} must hold {self.token_kind} as in fit, got {texts.kind}")
        if self.token_kind == "words":
            index = self.index
            found = [index.get(word, UNKNOWN_ID) for word in texts.tokens.tolist()]
            return np.array(found, np.intp)
        places = np.searchsorted(self._sorted, texts.tokens)
        np.minimum(places, len(self._sorted) - 1, out=places)
        ids: np.ndarray = np.where(self._sorted[places] == texts.tokens, places + 1, UNKNOWN_ID)
        return ids

    def text(self, ids: list[int]) -> Any:
        """Return what ids of tokens stand for, in the form of the training texts."""
        tokens = [self.tokens[i - 1] for i in ids]
        if self.form == "text":
            return ("" if self.token_kind == "characters" else " ").join(tokens)
        return np.array(tokens, np.intp) if self.form == "array" else tokens

    # What every codec does.

    def encode(self, y: Any, *, strict: bool) -> np.ndarray:
        """Return the ids of texts."""
        return self.ids(y)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the tokens of ids, None for the unknown and the end."""
        named = np.array([None, *self.tokens, *([None] if self.has_ends else [])], dtype=object)
        tokens: np.ndarray = named[decisions]
        return tokens

    def score(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Return the mean of log-probabilities of targets, which stand for decisions."""
        return float(np.average(decisions, weights=weights))

    def _plain(self) -> dict[str, Any]:
        return {
            "tokens": list(self.tokens),
            "token_kind": self.token_kind,
            "form": self.form,
            "has_ends": self.has_ends,
            "contexts": None if self.contexts is None else self.contexts.to_dict(),
        }

    @classmethod
    def _restore(cls, plain: Mapping[str, Any]) -> Vocabulary:
        if plain["token_kind"] not in KINDS or plain["form"] not in FORMS:
            raise ValueError("its tokens are of an unknown kind or form")
        if type(plain["has_ends"]) is not bool:
            raise ValueError("it does not say whether texts have ends")
        tokens = _checked(plain["tokens"], plain["token_kind"])
        contexts = plain["contexts"]
        return cls(
            tuple(tokens),
            plain["token_kind"],
            plain["form"],
            plain["has_ends"],
            None if contexts is None else Contexts.from_dict(contexts),
        )


def is_token(token: Any, kind: str) -> bool:
    """Whether something is an id, a word or a single character."""
    if kind == "ids":
        is_whole = isinstance(token, (int, np.integer)) and not isinstance(token, bool)
        return bool(is_whole and token >= 0)
    return isinstance(token, str) and (kind == "words" or len(token) == 1)


def _checked(given: Iterable[Any], kind: str) -> list[Any]:
    """Return tokens sorted, if they are of a kind and all different."""
    asked = "ids, whole numbers from 0 on" if kind == "ids" else kind
    if isinstance(given, str) and kind != "characters":
        raise TypeError(f"vocabulary must be a list of {asked}, got the string {given!r:.80}")
    tokens = list(given)
    if not tokens:
        raise ValueError(f"vocabulary must hold at least one token, got {given!r}")
    for token in tokens:
        if not is_token(token, kind):
            raise TypeError(f"vocabulary must hold {asked}, got {token!r:.80}")
    tokens = list(map(int if kind == "ids" else str, tokens))
    if len(set(tokens)) < len(tokens):
        raise ValueError("vocabulary must not hold a token twice")
    return sorted(tokens)
