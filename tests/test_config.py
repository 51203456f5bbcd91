from pathlib import Path

import pytest

from semantic_media_search.config import Settings, load_settings
from semantic_media_search.errors import ConfigError


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nfps = 2.5\nlibrary = "/from/file"\n')
    environ = {"MEDIA_SEARCH_PORT": "2", "MEDIA_SEARCH_M": "24"}
    settings = load_settings({"port": 3, "fps": None}, environ=environ, file=file)
    assert (settings.port, settings.fps, settings.library, settings.m) == (3, 2.5, Path("/from/file"), 24)
    assert settings.ef_construction == Settings().ef_construction


@pytest.mark.parametrize(
    ("overrides", "environ", "message"),
    [
        ({"fps": 0.0}, {}, "fps is 0.0"),
        ({"fps": float("nan")}, {}, "fps is nan"),
        ({}, {"MEDIA_SEARCH_PORT": "http"}, "MEDIA_SEARCH_PORT is 'http'"),
        ({"port": 70_000}, {}, "port is 70000"),
        ({"target_recall": 1.5}, {}, "target_recall is 1.5"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(
    overrides: dict[str, object], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(overrides, environ=environ)


def test_a_settings_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("prot = 8000\n")
    with pytest.raises(ConfigError, match="'prot', which is no setting"):
        load_settings(environ={}, file=file)
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(environ={}, file=tmp_path / "absent.toml")
