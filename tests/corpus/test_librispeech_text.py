"""The files of OpenSLR 11: addresses, sizes and checksums that belong together."""

import re

import pytest

from asr.config import LanguageModelConfig
from asr.corpus import librispeech_text
from asr.corpus.librispeech_text import MODELS, TEXT, fetch_text
from asr.errors import AsrError


def test_every_file_has_its_size_and_checksum() -> None:
    files = [*MODELS.values(), TEXT]
    assert all(re.fullmatch("[0-9a-f]{32}", file.md5) and file.size > 10**7 for file in files)
    assert len({file.md5 for file in files}) == len({file.name for file in files}) == len(files)
    for source, file in MODELS.items():
        assert file.name == f"{source}.arpa.gz"
        assert LanguageModelConfig(source=source).source == source


def test_own_mirrors_come_first_and_the_official_ones_name_the_resource(tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        librispeech_text,
        "download",
        lambda urls, path, size, md5: asked.append((list(urls), path, size, md5)),
    )
    file = MODELS["3-gram.pruned.3e-7"]
    path = fetch_text(file, tmp_path / "deep", ["https://mirror.example/lm/"])
    ((urls, place, size, md5),) = asked
    assert path == place == tmp_path / "deep" / "3-gram.pruned.3e-7.arpa.gz"
    assert (size, md5) == (file.size, file.md5)
    assert urls[:2] == [
        "https://mirror.example/lm/3-gram.pruned.3e-7.arpa.gz",
        "https://www.openslr.org/resources/11/3-gram.pruned.3e-7.arpa.gz",
    ]


def test_a_disk_that_is_too_small_is_met_before_the_download(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6})())
    with pytest.raises(AsrError, match=r"4-gram\.arpa\.gz needs 1\.4 GB"):
        fetch_text(MODELS["4-gram"], tmp_path)
