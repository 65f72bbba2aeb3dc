"""A model folder keeps what its units need, and knows when it does not."""

from dataclasses import replace

import pytest

from asr.config import LETTER_TO_SOUND, LEXICON
from asr.errors import AsrError
from asr.model.bundle import load_bundle, save_bundle

FILES = {LEXICON: b"A  AH\n", LETTER_TO_SOUND: b"\0\1"}


@pytest.fixture
def phones(random_bundle):
    return replace(random_bundle(units={"kind": "phones"}), unit_files=FILES)


def test_files_of_units_come_back_as_they_were(tmp_path, phones):
    save_bundle(tmp_path / "model", phones, "# card\n")
    assert load_bundle(tmp_path / "model").unit_files == FILES


def test_a_file_that_was_changed_is_refused(tmp_path, phones):
    save_bundle(tmp_path / "model", phones, "# card\n")
    (tmp_path / "model" / LEXICON).write_bytes(b"A  EY\n")
    with pytest.raises(AsrError, match=rf"{LEXICON}: its content differs from the checksum"):
        load_bundle(tmp_path / "model")


@pytest.mark.parametrize("files", [{}, {LEXICON: b"A  AH\n"}])
def test_a_model_without_them_is_not_written(tmp_path, phones, files):
    with pytest.raises(AsrError, match=r'units of the kind "phones" have it, none was found'):
        save_bundle(tmp_path / "model", replace(phones, unit_files=files), "")
    assert not (tmp_path / "model").exists()


def test_characters_have_no_such_files(tmp_path, random_bundle):
    with pytest.raises(AsrError, match="have no such file, it was found"):
        save_bundle(tmp_path / "model", replace(random_bundle(), unit_files=FILES), "")
