"""The text of the pages means what it seems to.

It reads the sources; no part of Sphinx is needed.
"""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = ["*.rst", "learn/*.rst", "guide/*.rst", "coming_from/*.rst", "gallery_source/*/*.py"]
# "J. Smith" at the beginning of a paragraph is read as item J of a list, and its J. is lost.
ITEM = re.compile(r"^\s*(?:\.\. \[\w+\] )?[A-Z]\. [A-Z]", re.MULTILINE)


def test_no_name_begins_with_what_is_read_as_a_list():
    files = [file for pattern in WRITTEN for file in DOCS.glob(pattern)]
    assert len(files) > 40
    found = {str(file.relative_to(DOCS)): ITEM.findall(file.read_text()) for file in files}
    assert {name: lines for name, lines in found.items() if lines} == {}
