"""A file layer that keeps only what was synced: what a disk holds after the power is cut.

POSIX promises of a file what was in it when `fsync` of it returned, and of a folder the names that were in it when
`fsync` of that returned (https://pubs.opengroup.org/onlinepubs/9799919799/functions/fsync.html). All else may be there
or not. While a `Disk` watches, each fsync under its folder is noted; at a step drawn beforehand the power is cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

WATCHED = ("fsync", "replace", "truncate", "mkdir", "unlink")  # calls of os before and after which the power may go


class PowerCut(BaseException):
    """The power is gone: nothing that this process does counts any more."""


class Disk:
    """Watches a folder whose content is durable at the start."""

    def __init__(self, root: Path, draw: Random) -> None:
        self.root, self.draw = root, draw
        self.files: dict[int, bytes] = {}  # durable content by inode
        self.folders: dict[int, dict[str, int]] = {}  # durable names by inode
        self.held: list[int] = []  # descriptors that keep an inode's number from being given away
        for path in (root, *root.rglob("*")):
            self.note(os.open(path, os.O_RDONLY))

    def note(self, descriptor: int) -> None:
        """Takes a file's content, or a folder's names, as durable; keeps the descriptor open."""
        self.held.append(descriptor)
        there, inode = f"/proc/self/fd/{descriptor}", os.fstat(descriptor).st_ino
        if os.path.isdir(there):
            with os.scandir(there) as entries:
                self.folders[inode] = {entry.name: entry.inode() for entry in entries}
        else:
            self.files[inode] = Path(there).read_bytes()

    @contextmanager
    def watching(self, steps: int, after: Path) -> Iterator[None]:
        """Cuts the power after so many steps, and puts what the disk then holds into the folder `after`."""
        left, writing = [steps], [False]

        def step() -> None:
            left[0] -= not writing[0]
            if left[0] == 0 and not writing[0]:
                writing[0] = True
                self.write(after)
                writing[0] = False
            if left[0] <= 0 and not writing[0]:
                raise PowerCut

        def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **options: Any) -> Any:  # as each of os's own has them
                step()
                done = real(*given, **options)
                if name == "fsync":
                    self.note(os.dup(given[0]))
                step()
                return done

            return call

        with mock.patch.multiple(os, **{name: watched(name, getattr(os, name)) for name in WATCHED}):
            yield

    def write(self, target: Path, only_synced: bool | None = None) -> None:
        """Writes what a disk may hold now: of what was not synced nothing, or any part of it, as it is drawn."""
        partly = self.draw.random() < 0.5 if only_synced is None else not only_synced
        visible = {path.stat().st_ino: path for path in (self.root, *self.root.rglob("*"))}
        target.mkdir()
        self.write_folder(self.root.stat().st_ino, target, visible, partly)

    def write_folder(self, inode: int, target: Path, visible: dict[int, Path], partly: bool) -> None:
        """Writes what a folder may hold."""
        names = dict(self.folders.get(inode, {}))
        if partly and inode in visible:
            now = {path.name: path.stat().st_ino for path in visible[inode].iterdir()}
            for name in names.keys() | now.keys():
                if self.draw.random() < 0.5:
                    names.pop(name, None)
                    names |= {name: now[name]} if name in now else {}
        for name, each in names.items():
            if each in self.folders or (each in visible and visible[each].is_dir()):
                (target / name).mkdir()
                self.write_folder(each, target / name, visible, partly)
            else:
                content = visible[each].read_bytes() if each in visible else self.files.get(each, b"")
                (target / name).write_bytes(self.torn(self.files.get(each, b""), content, partly))

    def torn(self, durable: bytes, now: bytes, partly: bool) -> bytes:
        """Returns what a file may hold: what was synced, and perhaps some of what was appended, or zeros for it."""
        if not partly or durable == now:
            return durable
        if not now.startswith(durable):
            return self.draw.choice([durable, now])
        tail = now[len(durable) : self.draw.randint(len(durable), len(now))]
        return durable + (bytes(len(tail)) if self.draw.random() < 0.2 else tail)

    def close(self) -> None:
        """Lets go of the files."""
        for descriptor in self.held:
            os.close(descriptor)
