"""Writing files so that nothing half-written is ever found under their names."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from equiworld.errors import ArgumentError

__all__ = ["check_folder", "held_folder", "write_atomically"]


def check_folder(argument: str, folder: str | os.PathLike[str], names: Iterable[str] = ()) -> Path:
    """The folder, if files can be written to it, there already or not; asked before hours of work, not after.

    Args:
        argument: where it was given, for the message.
        folder: the folder. None is made.
        names: of the files that will be written to it.

    Raises:
        ArgumentError: it is no path, or lies at or under something that is no folder or takes no files, or one of the
            names is that of a folder.

    >>> check_folder("--out", "/dev/null/runs")
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: --out: got /dev/null/runs; expected a folder, but /dev/null is none
    """
    if not isinstance(folder, str | os.PathLike) or not _can_be_named(folder):
        raise ArgumentError(argument, repr(folder), "the path of a folder")
    real = Path(os.path.realpath(folder))
    there = next(place for place in (real, *real.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ArgumentError(argument, str(folder), f"a folder, but {there} is none")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ArgumentError(argument, str(folder), f"a folder that can be written to; {there} cannot")
    for name in names:
        if (real / name).is_dir():
            raise ArgumentError(argument, str(folder), f"a folder in which {name} is no folder")
    return Path(folder)


def _can_be_named(folder: str | os.PathLike[str]) -> bool:
    """Whether the system has a name like that."""
    try:
        return b"\0" not in os.fsencode(folder)
    except UnicodeEncodeError:
        return False


@contextmanager
def held_folder(argument: str, folder: str | os.PathLike[str]) -> Iterator[Path]:
    """The folder, made if need be, for one process at a time: of two that write the same files the last would win.

    The system lets go of it when the process ends, however it ends. Folders that were made and are empty at the end go
    again. Where folders cannot be locked, as on Windows and some network drives, nobody is kept out.

    Args:
        argument: where it was given, for the message.
        folder: the folder.

    Raises:
        ArgumentError: another process holds it.
    """
    path = check_folder(argument, folder)
    made = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(argument, path):
            yield path
    finally:
        for place in made:
            with suppress(OSError):  # it is not empty
                place.rmdir()


@contextmanager
def _locked(argument: str, path: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            expected = "a folder that no other command writes to now; wait for it, or choose another folder"
            raise ArgumentError(argument, str(path), expected) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)


def write_atomically(path: str | os.PathLike[str], writer: Callable[[BinaryIO], object]) -> Path:
    """Write a file whole or not at all: under another name beside it, to the disk, then renamed.

    Whoever reads `path` meanwhile, or after a crash or on a full disk, finds the old file or the new one.

    Args:
        path: where to; missing folders are made, a symbolic link is followed and kept.
        writer: gets the binary file to write to.

    Returns:
        The path written.

    Raises:
        OSError: it could not be written (full disk, no permission); says where, and leaves an old file as it
            was. Of the subclass that fits, with `errno`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_atomically(Path(folder) / "new" / "notes.txt", lambda file: file.write(b"3 px"))
    ...     path.read_bytes()
    b'3 px'
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Opened plainly, not by tempfile: the file gets the permissions that the user's umask gives.
        with open(temporary, "xb") as file:
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        _discard(temporary)
        reason = error.strerror or str(error)
        kept = "the old file is untouched" if target.exists() else "no file was left behind"
        raise OSError(error.errno, f"cannot write {os.fspath(path)}: {reason}; {kept}") from error
    except BaseException:
        _discard(temporary)
        raise
    _sync_folder(target.parent)
    return Path(path)


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut, where the system can (Windows cannot)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
