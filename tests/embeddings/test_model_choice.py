"""Which model a person gets who names none, and what the environment says about the hub."""

from pathlib import Path

import pytest

from semantic_media_search.embeddings import DEFAULT_MODEL, STARTER_MODEL, Hub, ModelChoice, list_models
from semantic_media_search.embeddings.choice import choose_model
from semantic_media_search.errors import HubUnreachableError, ModelNotFoundError


def never(_: str) -> bool:
    raise AssertionError("this must not be asked")


def refuse(_: str) -> None:
    raise HubUnreachableError("nobody there")


def test_what_was_asked_for_wins_unseen() -> None:
    assert choose_model("mine", "the library's", is_cached=never, probe=never) == ModelChoice("mine")
    assert choose_model(None, "the library's", is_cached=never, probe=never) == ModelChoice("the library's")


def test_the_default_is_taken_where_it_is_or_can_be_had() -> None:
    expected = ModelChoice(DEFAULT_MODEL)
    assert choose_model(None, None, is_cached=lambda name: name == DEFAULT_MODEL, probe=never) == expected
    assert choose_model(None, None, is_cached=lambda _: False, probe=lambda _: True) == expected


def test_else_the_starter_model_with_a_notice() -> None:
    choice = choose_model(None, None, is_cached=lambda _: False, probe=refuse)
    assert choice.name == STARTER_MODEL
    assert choice.notice is not None
    assert "starter model" in choice.notice
    assert choice.reason == "nobody there"


def test_other_failures_are_not_hidden() -> None:
    def gone(_: str) -> None:
        raise ModelNotFoundError("the hub has no such model")

    with pytest.raises(ModelNotFoundError):
        choose_model(None, None, is_cached=lambda _: False, probe=gone)


def test_the_environment_says_where_the_hub_is() -> None:
    home = Path.home()
    assert Hub.from_environment({}) == Hub("https://huggingface.co", home / ".cache/huggingface/hub")
    assert Hub.from_environment({"XDG_CACHE_HOME": "/c"}).cache == Path("/c/huggingface/hub")
    assert Hub.from_environment({"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/c"}).cache == home / "hf/hub"
    assert Hub.from_environment({"HF_HUB_CACHE": "/d", "HF_HOME": "/e"}).cache == Path("/d")
    assert Hub.from_environment({"HF_ENDPOINT": "http://mirror/"}).endpoint == "http://mirror"
    for value, offline in {"1": True, "true": True, "yes": True, "0": False, "": False}.items():
        assert Hub.from_environment({"HF_HUB_OFFLINE": value}).offline is offline


def test_models_are_listed_with_what_is_here(tmp_path: Path) -> None:
    listed = {status.model.name: status for status in list_models(Hub("http://127.0.0.1:9", tmp_path))}
    default = listed[DEFAULT_MODEL]
    assert not default.cached
    assert default.model.dim == 512
    assert default.model.size > 500_000_000
    assert STARTER_MODEL in listed
