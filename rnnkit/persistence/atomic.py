"""Writes a file as a whole or not at all: what was there before stays until all is on disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["write_atomically"]


def write_atomically(
    path: str, chunks: Iterable[Any], check: Callable[[int], None] | None = None
) -> None:
    """Write chunks of bytes to a file in one step.

    They go to a file without a name in the same folder (where the file system knows none: with
    one), which reaches the disk before it takes the target's place. If anything raises, or the
    process is killed, the target is as it was.

    Parameters
    ----------
    path : str
        The target. A symbolic link stays, and what it points to is replaced; the permissions of
        a file that exists are kept.
    chunks : iterable of bytes-like
    check : callable, default=None
        Called with the descriptor of the complete file, readable, before it takes its place.

    Raises
    ------
    OSError
        If the folder is missing or may not be written to, the disk is full, or the target is no
        regular file.
    """
    target = os.path.realpath(path)
    mode = _mode_of(target, path)
    folder = os.path.dirname(target)
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    name: str | None = None
    try:
        fd, name = _open_beside(folder, folder_fd)
        try:
            for chunk in chunks:
                _write_all(fd, chunk)
            if mode is not None:
                os.fchmod(fd, mode)
            os.fsync(fd)
            if check is not None:
                check(fd)
            if name is None:
                name = _give_name(fd, folder_fd)
        finally:
            os.close(fd)
        os.replace(name, os.path.basename(target), src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        name = None
        os.fsync(folder_fd)
    finally:
        if name is not None:
            os.unlink(name, dir_fd=folder_fd)
        os.close(folder_fd)


def _mode_of(target: str, path: str) -> int | None:
    """Return the permissions of the target, or None if there is none yet."""
    try:
        found = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "is no regular file", path)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return stat.S_IMODE(found)


def _random_name() -> str:
    return f".rnnkit-{os.urandom(8).hex()}.tmp"


def _open_beside(folder: str, folder_fd: int) -> tuple[int, str | None]:
    """Open a file for reading and writing in a folder; return its name if it has one."""
    flags = os.O_RDWR | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
        try:
            return os.open(folder, flags | os.O_TMPFILE, 0o666), None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
    name = _random_name()
    return os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder_fd), name


def _give_name(fd: int, folder_fd: int) -> str:
    name = _random_name()
    # A descriptor of a folder makes Python call linkat, which follows the link in /proc.
    os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    return name


def _write_all(fd: int, chunk: Any) -> None:
    rest = memoryview(chunk).cast("B")
    while len(rest):
        rest = rest[os.write(fd, rest) :]
