"""How much memory this process can still get on the host, by every limit that is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["host_memory"]

UNLIMITED = 2**60  # bytes; cgroups write "no limit" as some number above
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def host_memory() -> int:
    """Return the bytes that can still be had: the smallest of what each limit leaves.

    The machine's memory, what of it is available (Linux: MemAvailable), what the control groups
    of this process leave (version 1 and 2, up to the root; what the kernel can give back counts as
    free), and what RLIMIT_AS and RLIMIT_DATA leave. Swap does not count.
    """
    return max(0, min(_limits()))


def _limits() -> Iterator[int]:
    yield UNLIMITED
    for pages in ("SC_PHYS_PAGES", "SC_PAGE_SIZE"):
        if pages not in os.sysconf_names:
            break
    else:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines(PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    yield from _left_by_groups()
    yield from _left_by_resource_limits()


def _left_by_groups() -> Iterator[int]:
    for line in _lines(PROC / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _left_by_group_and_above(CGROUPS, path, *names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_by_group_and_above(CGROUPS / controllers, path, *names)


def _left_by_group_and_above(
    root: Path, path: str, limit: str, usage: str, reclaimable: str
) -> Iterator[int]:
    """Yield what a group and those that it lies in leave.

    In a container the path may be that of the host, which is not there: the root then is its own.
    """
    folder = root / path.lstrip("/")
    while True:
        most, used = _number(folder / limit), _number(folder / usage)
        if most is not None and used is not None and most < UNLIMITED:
            statistics = dict(line.split()[:2] for line in _lines(folder / "memory.stat"))
            yield most - used + int(statistics.get(reclaimable, 0))
        if folder == root or root not in folder.parents:
            return
        folder = folder.parent


def _left_by_resource_limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    sizes = [int(pages) for line in _lines(PROC / "self/statm") for pages in line.split()]
    for name, place in (("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)):
        most, _ = resource.getrlimit(getattr(resource, name))
        if most != resource.RLIM_INFINITY:
            used = sizes[place] * os.sysconf("SC_PAGE_SIZE") if len(sizes) > place else 0
            yield most - used


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # another system, or no right to read it
        return []


def _number(path: Path) -> int | None:
    """Return the number in a file; None if there is no file or it says "max"."""
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None
