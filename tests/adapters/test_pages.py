"""What the pages about aeon and sktime show runs against these."""

import re
import textwrap
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "coming_from"
BLOCK = re.compile(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["aeon", "sktime"])
def test_the_code_of_the_page_runs(library):
    pytest.importorskip(library, reason=f"needs the extra {library}")
    blocks = BLOCK.findall((PAGES / f"{library}.rst").read_text(encoding="utf-8"))
    assert len(blocks) == 1
    names = {}
    exec(compile(textwrap.dedent(blocks[0]), f"{library}.rst", "exec"), names)
    if library == "aeon":
        assert names["classifier"].score(names["X"], names["y"]) > 0.95
    else:
        assert len(names["ahead"]) == 36
