"""A source folder in which nothing is compiled says so, whichever way one gets to the core."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rnnkit

WAYS = ("rnnkit", "rnnkit.backends.cpu", "rnnkit.configuration", "rnnkit._core.heads")


@pytest.fixture(scope="module")
def source_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "*.dylib", "__pycache__")
    shutil.copytree(Path(rnnkit.__file__).parent, folder / "rnnkit", ignore=compiled)
    return folder


@pytest.mark.parametrize("module", WAYS)
def test_one_sentence_says_what_happened_and_what_to_do(module, source_folder):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSAFEPATH")
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=source_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: Python took rnnkit from its source folder {source_folder}"
    )
    assert "start Python in another folder, or run `pip install -e .`" in last
