"""A mutant: a small wrong change of one file, and the tests that must notice it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Mutant:
    """A change of a file of the package that makes it wrong.

    Parameters
    ----------
    name : str
        What is wrong.
    file : str
        The file, from the root of the repository.
    tests : tuple of str
        The test files or folders that must fail.
    *changes : pairs of str
        What stands there, once at least, and what is put in place of its first occurrence.
    """

    def __init__(self, name, file, tests, *changes):
        self.name = name
        self.file = file
        self.tests = (tests,) if isinstance(tests, str) else tests
        self.changes = changes

    @property
    def is_compiled(self):
        """Whether the core is to be built again."""
        return Path(self.file).suffix != ".py"

    def planted(self, text):
        """Return the text of the file with the mutant; ValueError if a line is not there."""
        for before, after in self.changes:
            if before not in text:
                raise ValueError(f"{self.name}: {self.file} has no {before!r}")
            text = text.replace(before, after, 1)
        return text
