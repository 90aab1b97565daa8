"""Files: atomic, exact, refused kindly."""

import pytest

from kansym.base.errors import FormatError, InputError
from kansym.base.storage import read_json, write_json


def test_floats_keep_every_bit(tmp_path):
    data = {"v": [0.1, 1e-308, 2**53 + 2.0, 1 / 3]}
    assert read_json(write_json(tmp_path / "a.json", data)) == data
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = write_json(tmp_path / "a.json", {"v": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"v": float("nan")})
    assert read_json(path) == {"v": 1}


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x80"])
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin1"))
    with pytest.raises(FormatError):
        read_json(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="Cannot read"):
        read_json(tmp_path / "none.json")
    with pytest.raises(InputError, match="Cannot write"):
        write_json(tmp_path / "none" / "a.json", {})
