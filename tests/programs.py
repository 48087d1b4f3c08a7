"""Programs run in an interpreter of their own, so that a crash fails one test alone."""

import os
import subprocess
import sys


def run_program(program, *, seconds=120, **environment):
    """Run a program; return what it printed.

    -P keeps the current folder, which may be the uncompiled source, off its path.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, (
        f"ended with {done.returncode} after {done.stdout[-200:]!r}: {done.stderr[-2000:]}"
    )
    return done.stdout.strip()
