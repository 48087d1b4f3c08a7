"""The grammars of entity labels: which label may follow which, and where entities begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["SCHEMES", "Scheme", "forbidden_by_scheme", "scheme_of"]


class Scheme(NamedTuple):
    """How the labels of a sequence spell entities: a letter, a hyphen and the entity's type.

    ``O`` is a step outside of any entity. A letter alone spells an entity without a type.

    Parameters
    ----------
    name : str
    begin, inside : str
        The letters of an entity's first step and of those that go on.
    end, single : str, default=""
        The letters of the last step and of an entity of one step, where they are told from
        the others.
    begin_between : bool, default=False
        Whether `begin` only parts two entities of one type that touch, and entities begin with
        `inside` elsewhere (IOB1).
    """

    name: str
    begin: str
    inside: str
    end: str = ""
    single: str = ""
    begin_between: bool = False

    @property
    def letters(self) -> str:
        """All letters but O."""
        return self.begin + self.inside + self.end + self.single

    def parse(self, label: Any) -> tuple[str, str]:
        """Return letter and type of a label; the type is empty where there is none.

        Raises
        ------
        ValueError
            If it is no label of the scheme.
        """
        letter, hyphen, kind = str(label).partition("-")
        if letter == "O" and not hyphen:
            return letter, kind
        if len(letter) == 1 and letter in self.letters and bool(hyphen) == bool(kind):
            return letter, kind
        *others, last = (f"{letter}-type" for letter in self.letters)
        raise ValueError(f"labels must be {', '.join(['O', *others])} or {last}, got {label!r}")

    def may_follow(self, before: tuple[str, str] | None, after: tuple[str, str] | None) -> bool:
        """Whether a label may stand right after another.

        Parameters
        ----------
        before, after : tuple of (letter, type), or None
            None stands for what is before the first step, and after the last.
        """
        is_open = before is not None and before[0] in self.begin + self.inside
        same_kind = before is not None and after is not None and before[1] == after[1]
        if after is not None and self.begin_between:
            return after[0] != self.begin or (is_open and same_kind)
        if after is not None and after[0] in self.inside + self.end:
            return is_open and same_kind
        return not (is_open and self.end)

    def entities(self, labels: Iterable[Any]) -> Iterator[tuple[str, int, int]]:
        """Yield (type, first step, step after the last) of each entity that is spelt as it should.

        Raises
        ------
        ValueError
            If a label is none of the scheme.
        """
        opened: tuple[str, int] | None = None  # type and first step of the entity that is open
        before = ("O", "")
        for t, label in enumerate([*labels, "O"]):
            letter, kind = self.parse(label)
            goes_on = opened is not None and opened[0] == kind
            if goes_on and letter in self.inside:
                before = (letter, kind)
                continue
            if opened is not None:
                closed = t + 1 if self.end and letter in self.end and goes_on else t
                if closed > t or self._ends_by_itself(before, (letter, kind)):
                    yield (*opened, closed)
                opened = None
            if letter in self.single:
                yield kind, t, t + 1
            elif self._opens(before, (letter, kind)):
                opened = (kind, t)
            before = (letter, kind)

    def _ends_by_itself(self, last: tuple[str, str], after: tuple[str, str]) -> bool:
        """Whether an entity is over because another label follows its last one."""
        if self.end:
            return False
        # In IOB1 a B of another type right after a B is illegal; neither is an entity.
        return not (self.begin_between and last[0] == after[0] == self.begin and last != after)

    def _opens(self, before: tuple[str, str], label: tuple[str, str]) -> bool:
        if not self.begin_between:
            return label[0] == self.begin
        return label[0] == self.inside or (
            label[0] == self.begin and self.may_follow(before, label)
        )


_IOB2 = Scheme("iob2", "B", "I")
_IOBES = Scheme("iobes", "B", "I", "E", "S")

SCHEMES = {
    "iob1": Scheme("iob1", "B", "I", begin_between=True),
    "iob2": _IOB2,
    "bio": _IOB2,
    "iobes": _IOBES,
    "bioes": _IOBES,
    "bilou": Scheme("bilou", "B", "I", "L", "U"),
}


def scheme_of(name: Any) -> Scheme:
    """Return the scheme of a name.

    Raises
    ------
    ValueError
        If there is no such scheme.
    """
    if not isinstance(name, str) or name not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(map(repr, SCHEMES))}, got {name!r}")
    return SCHEMES[name]


def forbidden_by_scheme(name: str, labels: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the pairs of labels of which the second may not stand right after the first.

    Parameters
    ----------
    name : str
        Of a scheme.
    labels : sequence of str

    Returns
    -------
    list of tuple
        None in the first place stands for the beginning of a sequence, in the second for its end.

    Raises
    ------
    ValueError
        If there is no such scheme, or a label is none of it.
    """
    scheme = scheme_of(name)
    parsed = [(label, scheme.parse(label)) for label in labels]
    beyond: list[tuple[Any, Any]] = [(None, None)]
    return [
        (before, after)
        for before, parsed_before in beyond + parsed
        for after, parsed_after in parsed + beyond
        if (before is not None or after is not None)
        and not scheme.may_follow(parsed_before, parsed_after)
    ]
