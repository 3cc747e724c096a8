"""What the file layer of `speed.losses` keeps when the power is cut, and that a store loses nothing to it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from benchmark.store.files import make_folder, replace_file
from speed.losses import cut, grid_in
from speed.power import Disk, PowerCut

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc to read files by descriptor")


def test_what_was_not_synced_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    disk = Disk(root, Random(0))
    with disk.watching(1000, tmp_path / "never"):
        (root / "unsynced").write_bytes(b"lost")
        (root / "deep" / "folder").mkdir(parents=True)
        replace_file(root / "deep" / "folder" / "file", b"lost with its folder")
        replace_file(root / "new", b"kept")
        make_folder(root / "whole" / "way")
        replace_file(root / "whole" / "way" / "file", b"kept too")
        with (root / "old").open("ab") as file:
            file.write(b" and appended")
            file.flush()
            os.fsync(file.fileno())
            file.write(b", then lost")
    disk.write(tmp_path / "after", only_synced=True)
    disk.close()
    found = {path.name: path.read_bytes() for path in (tmp_path / "after").iterdir() if path.is_file()}
    assert {name: found[name] for name in ("old", "new")} == {"old": b"old and appended", "new": b"kept"}
    assert (tmp_path / "after" / "whole" / "way" / "file").read_bytes() == b"kept too"
    assert not (tmp_path / "after" / "deep" / "folder" / "file").exists()


def test_after_the_cut_nothing_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    disk = Disk(root, Random(0))

    def work() -> None:
        with disk.watching(3, tmp_path / "after"):
            (root / "one").mkdir()
            (root / "two").mkdir()

    with pytest.raises(PowerCut):
        work()
    disk.close()
    assert not (root / "two").exists()
    assert (tmp_path / "after").is_dir()


def test_a_store_loses_nothing_acknowledged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("data", "disks"):
        (tmp_path / part).mkdir()
    seen = cut(grid_in(tmp_path / "data"), 25, tmp_path / "disks", Random(1))
    assert seen["acknowledged"] > 20
    assert not seen["lost"], capsys.readouterr().out
    assert not seen["runs twice"]
