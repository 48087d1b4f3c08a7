"""A file is written as a whole or not at all, whatever comes in between."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest
from persistence.same import differences
from persistence.written import MODEL

import rnnkit
from rnnkit.persistence import atomic
from rnnkit.persistence.atomic import write_atomically

OLD = b"what was there"


@pytest.fixture(params=[True, False], ids=["file without a name", "file with a name"])
def nameless(request, monkeypatch):
    """Write through a file without a name, or as where the file system knows none."""
    if not request.param:
        real = os.open

        def refuse(path, flags, *rest, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "no such files here")
            return real(path, flags, *rest, **options)

        monkeypatch.setattr(atomic.os, "open", refuse)
    return request.param


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(OLD)
    return path


def failing(error):
    yield b"the beginning"
    raise error


def assert_untouched(target):
    assert target.read_bytes() == OLD
    assert os.listdir(target.parent) == [target.name]


def test_the_new_takes_the_place_of_the_old(target, nameless):
    write_atomically(str(target), [b"ab", b"", b"c"])
    assert target.read_bytes() == b"abc"
    assert os.listdir(target.parent) == ["model"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_what_raises_leaves_all_as_it_was(target, nameless, error):
    with pytest.raises(type(error)):
        write_atomically(str(target), failing(error))
    assert_untouched(target)


def test_a_check_that_fails_leaves_all_as_it_was(target, nameless):
    def check(fd):
        assert os.pread(fd, 99, 0) == b"abc"
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_atomically(str(target), [b"abc"], check)
    assert_untouched(target)


def test_a_rename_that_fails_leaves_all_as_it_was(target, nameless, monkeypatch):
    def fail(*names, **options):
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="lost"):
        write_atomically(str(target), [b"abc"])
    assert_untouched(target)


def test_a_full_disk_leaves_all_as_it_was(target, nameless):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            rnnkit.save(MODEL, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert_untouched(target)


def test_a_device_without_space(target, nameless, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "write", fail)
    with pytest.raises(OSError, match="No space left"):
        rnnkit.save(MODEL, target)
    assert_untouched(target)


KILLED = """
import os, signal, sys
from rnnkit.persistence.atomic import write_atomically
def chunks():
    yield b"the beginning"
    print("writing", flush=True)
    signal.pause()
write_atomically(sys.argv[1], chunks())
"""


def test_a_kill_leaves_all_as_it_was(target):
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", KILLED, target], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert target.read_bytes() == OLD
    others = set(os.listdir(target.parent)) - {target.name}
    assert not others, "a file without a name goes with its process"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_are_kept(target, nameless, mode):
    target.chmod(mode)
    write_atomically(str(target), [b"abc"])
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_file_that_was_not_there_has_the_usual_permissions(tmp_path, nameless):
    before = os.umask(0o027)
    try:
        write_atomically(str(tmp_path / "model"), [b"abc"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays_a_link(target, nameless, dangling):
    folder = target.parent / "elsewhere"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to("../model")
    if dangling:
        target.unlink()
    write_atomically(str(link), [b"abc"])
    assert os.readlink(link) == "../model"
    assert target.read_bytes() == b"abc"
    assert os.listdir(folder) == ["link"]


def test_places_that_cannot_be_written_to(tmp_path, nameless):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, error in [
        ("folder", IsADirectoryError),
        ("missing/model", FileNotFoundError),
        ("pipe/model", NotADirectoryError),
        ("pipe", OSError),
        ("loop", OSError),
        ("x" * 300, OSError),
    ]:
        with pytest.raises(error):
            rnnkit.save(MODEL, tmp_path / name)
    with pytest.raises(OSError, match="no regular file"):
        rnnkit.save(MODEL, "/dev/null")
    assert sorted(os.listdir(tmp_path)) == ["folder", "loop", "pipe"]
    with pytest.raises(TypeError):
        rnnkit.save(MODEL, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not hold root back")
def test_files_and_folders_without_permission(target, nameless):
    target.chmod(0o400)
    with pytest.raises(PermissionError):
        rnnkit.save(MODEL, target)
    target.chmod(0o600)
    target.parent.chmod(0o500)
    with pytest.raises(PermissionError):
        rnnkit.save(MODEL, target)
    target.chmod(0o000)
    with pytest.raises(PermissionError):
        rnnkit.load(target)
    target.parent.chmod(0o700)


def test_a_model_can_be_saved_over_and_over(target):
    for size in (1, 9, 2):
        model = rnnkit.GRUClassifier(size)
        rnnkit.save(model, target)
        assert differences(model, rnnkit.load(target)) == []
    assert os.listdir(target.parent) == ["model"]
