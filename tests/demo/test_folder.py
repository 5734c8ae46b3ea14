"""The demo clears only what a demo made."""

import os
from pathlib import Path

import pytest

from airworthy.demo.folder import MARKER, FolderTaken, prepared

NOBODY = 2**22 + 1  # Above the highest pid there can be.


def test_a_new_folder_is_made_and_marked(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "a" / "b", NOBODY)

    assert (folder.path / MARKER).exists()


def test_an_earlier_demo_is_cleared_and_what_it_did_not_make_stays(tmp_path: Path) -> None:
    prepared(tmp_path, NOBODY)
    (tmp_path / "airworthy.db").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")

    prepared(tmp_path, NOBODY)

    assert not (tmp_path / "airworthy.db").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "airworthy.db").write_text("precious")

    with pytest.raises(FolderTaken, match="no demo made"):
        prepared(tmp_path, NOBODY)
    assert (tmp_path / "airworthy.db").read_text() == "precious"


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    prepared(tmp_path, os.getpid())

    with pytest.raises(FolderTaken, match=f"process {os.getpid()}"):
        prepared(tmp_path, NOBODY)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderTaken, match="is a file"):
        prepared(tmp_path / "file", NOBODY)
