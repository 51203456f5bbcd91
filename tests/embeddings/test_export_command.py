"""`training/export_clip.py`; that its exports are right is checked wherever they are used."""

import pytest

from clip_export import Oracle, export_module, file_hashes
from semantic_media_search.embeddings.model_folder import OPTIONAL_FILES, REQUIRED_FILES


def test_the_command_writes_the_hubs_layout(tiny_clip: Oracle) -> None:
    assert set(file_hashes(tiny_clip.folder)) == {*REQUIRED_FILES, *OPTIONAL_FILES}


def test_the_command_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export_module().main(["--help"])
    assert "export_clip.py openai/clip-vit-base-patch32 clip-folder" in capsys.readouterr().out
