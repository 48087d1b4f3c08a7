"""The compiled core, in C and Cython: what runs over whole arrays; it imports nothing above it."""

from importlib.util import find_spec
from pathlib import Path

if find_spec("rnnkit._core.threads") is None:
    raise ImportError(
        f"Python took rnnkit from its source folder {Path(__file__).parents[2]}, where nothing is "
        "compiled, instead of the installed package: start Python in another folder, or run "
        "`pip install -e .` there, which compiles in place"
    )
