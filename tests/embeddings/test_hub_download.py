"""Downloads from a stand-in of the model hub: once, resumed, checked, and never mistaken for whole."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from clip_export import Oracle, file_hashes
from hub_standin import COMMIT, HubStandIn, Unkindness
from processes import importing_as_here
from semantic_media_search.embeddings import DEFAULT_MODEL, Hub, download, list_models, load_encoder, transfer
from semantic_media_search.embeddings.catalog import known_model
from semantic_media_search.embeddings.hub import RepoCache
from semantic_media_search.embeddings.model_folder import OPTIONAL_FILES, REQUIRED_FILES
from semantic_media_search.errors import (
    HubUnreachableError,
    ModelError,
    ModelLayoutError,
    ModelNotFoundError,
)

REPO = "Xenova/clip-vit-base-patch32"
LARGE = "onnx/text_model.onnx"


class Counter:
    """Adds up what a download reports."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.steps: list[int] = []
        self.finished = 0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        self.stages.append((stage, total, unit))

    def advance(self, amount: int = 1) -> None:
        self.steps.append(amount)

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub talk to loopback, with short pauses, and to nothing by way of a proxy."""
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "a-secret")
    monkeypatch.setattr(transfer, "RETRY_PAUSES", (0.01, 0.01))
    huggingface_hub.close_session()


def cached_at(hub: HubStandIn | str, folder: Path) -> Hub:
    return Hub(hub if isinstance(hub, str) else hub.endpoint, folder / "hub")


def status(hub: Hub) -> bool:
    return next(status.cached for status in list_models(hub) if status.model.name == DEFAULT_MODEL)


def test_the_default_model_is_the_one_of_this_repository() -> None:
    model = known_model(DEFAULT_MODEL)
    assert model is not None
    assert model.repo == REPO


def test_a_model_is_downloaded_once_and_then_used_offline(tiny_clip: Oracle, tmp_path: Path) -> None:
    counter = Counter()
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        assert not status(hub)
        encoder = load_encoder(DEFAULT_MODEL, progress=counter, hub=hub)
        assert encoder.name == DEFAULT_MODEL
        assert encoder.info.version == COMMIT[:12]
        asked = len(standin.requests)
        load_encoder(DEFAULT_MODEL, hub=hub)
        assert len(standin.requests) == asked
    size = sum((tiny_clip.folder / name).stat().st_size for name in (*REQUIRED_FILES, *OPTIONAL_FILES))
    assert counter.stages == [(f"downloading {DEFAULT_MODEL}", size, "B")]
    assert sum(counter.steps) == size
    assert counter.finished == 1
    assert status(hub)
    offline = load_encoder(DEFAULT_MODEL, offline=True, hub=hub)
    local = load_encoder(tiny_clip.folder)
    np.testing.assert_array_equal(offline.encode_texts(["a cat"]), local.encode_texts(["a cat"]))
    assert offline.info.fingerprint == local.info.fingerprint


def test_the_cache_is_laid_out_as_huggingface_hub_reads_it(tiny_clip: Oracle, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        load_encoder(DEFAULT_MODEL, hub=hub)
        asked = len(standin.requests)
        for name in REQUIRED_FILES:
            path = hf_hub_download(REPO, name, cache_dir=hub.cache, local_files_only=True)
            assert Path(path).read_bytes() == (tiny_clip.folder / name).read_bytes()
        assert len(standin.requests) == asked
    scanned = scan_cache_dir(hub.cache)
    assert not scanned.warnings
    assert [repo.repo_id for repo in scanned.repos] == [REPO]


def test_a_model_that_another_program_downloaded_is_found(
    tiny_clip: Oracle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, hf_hub_download

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        for name in REQUIRED_FILES:
            assert not status(hub)
            hf_hub_download(REPO, name, cache_dir=hub.cache, endpoint=standin.endpoint)
        assert status(hub)
        asked = len(standin.requests)
        load_encoder(DEFAULT_MODEL, hub=hub)
        assert len(standin.requests) == asked


def test_a_cut_connection_is_resumed_where_it_ended(tiny_clip: Oracle, tmp_path: Path) -> None:
    cut = 1_000_001
    counter = Counter()
    with HubStandIn({REPO: tiny_clip.folder}, {LARGE: Unkindness(cut_after=cut, cuts=2)}) as standin:
        hub = cached_at(standin, tmp_path)
        encoder = load_encoder(DEFAULT_MODEL, progress=counter, hub=hub)
        bodies = standin.bodies(LARGE)
    assert [body.range for body in bodies] == [None, f"bytes={cut}-", f"bytes={2 * cut}-"]
    size = (tiny_clip.folder / LARGE).stat().st_size
    assert sum(body.sent for body in bodies) == size
    assert sum(counter.steps) == counter.stages[0][1]
    assert encoder.encode_texts(["a cat"]).shape == (1, 16)


def test_a_killed_download_is_resumed_by_the_next_process(tiny_clip: Oracle, tmp_path: Path) -> None:
    unkind = Unkindness(hold_after=2_000_000)
    with HubStandIn({REPO: tiny_clip.folder}, {LARGE: unkind}) as standin:
        hub = cached_at(standin, tmp_path)
        environ = importing_as_here() | {
            "HF_ENDPOINT": standin.endpoint,
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
        }
        code = f"from semantic_media_search.embeddings import load_encoder; load_encoder({DEFAULT_MODEL!r})"
        process = subprocess.Popen([sys.executable, "-c", code], env=environ)
        try:
            assert unkind.held.wait(60), "the download never began"
            partial = _wait_for_partial(hub)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not status(hub)
        have = partial.stat().st_size
        unkind.hold_after = None
        unkind.release.set()
        counter = Counter()
        encoder = load_encoder(DEFAULT_MODEL, progress=counter, hub=hub)
        last = standin.bodies(LARGE)[-1]
    size = (tiny_clip.folder / LARGE).stat().st_size
    assert last.range == f"bytes={have}-"
    assert last.sent == size - have
    assert have in counter.steps, "what was there from before counts as done at once"
    assert sum(counter.steps) == counter.stages[0][1]
    assert encoder.encode_texts(["a cat"]).shape == (1, 16)


def _wait_for_partial(hub: Hub) -> Path:
    """The file that the interrupted download left, once something is in it."""
    for _ in range(500):
        for path in hub.cache.glob("models--*/blobs/*.incomplete"):
            if path.stat().st_size > 1_000_000:
                return path
        time.sleep(0.02)
    raise AssertionError("nothing was written to the cache")


def test_two_at_once_share_one_download(tiny_clip: Oracle, tmp_path: Path) -> None:
    counters = [Counter(), Counter()]
    with HubStandIn({REPO: tiny_clip.folder}) as standin, ThreadPoolExecutor(2) as pool:
        hub = cached_at(standin, tmp_path)
        list(pool.map(lambda counter: load_encoder(DEFAULT_MODEL, progress=counter, hub=hub), counters))
        for name in REQUIRED_FILES:
            sent = sum(body.sent for body in standin.bodies(name))
            assert sent == (tiny_clip.folder / name).stat().st_size
    assert all(sum(counter.steps) == (counter.stages[0][1] or 0) for counter in counters if counter.stages)


def test_a_server_that_ignores_ranges_is_read_from_the_start(tiny_clip: Oracle, tmp_path: Path) -> None:
    counter = Counter()
    unkind = Unkindness(cut_after=500_000, no_ranges=True)
    with HubStandIn({REPO: tiny_clip.folder}, {LARGE: unkind}) as standin:
        load_encoder(DEFAULT_MODEL, progress=counter, hub=cached_at(standin, tmp_path)).encode_texts(["a"])
    assert sum(counter.steps) == counter.stages[0][1]


def test_a_connection_that_keeps_failing_is_given_up_and_goes_on_later(
    tiny_clip: Oracle, tmp_path: Path
) -> None:
    with HubStandIn({REPO: tiny_clip.folder}, {LARGE: Unkindness(cut_after=0, cuts=99)}) as standin:
        hub = cached_at(standin, tmp_path)
        with pytest.raises(HubUnreachableError, match=r"text_model\.onnx.*goes on where it was cut off"):
            load_encoder(DEFAULT_MODEL, hub=hub)
        assert not status(hub)
        with pytest.raises(HubUnreachableError):
            load_encoder(DEFAULT_MODEL, offline=True, hub=hub)
        fetched = [body for body in standin.bodies("onnx/vision_model.onnx") if body.sent]
        standin.unkind.clear()
        load_encoder(DEFAULT_MODEL, hub=hub)
        assert standin.bodies("onnx/vision_model.onnx") == fetched, "whole files are not fetched again"


@pytest.mark.parametrize("name", [LARGE, "preprocessor_config.json"])
def test_a_file_that_arrives_damaged_is_refused(tiny_clip: Oracle, tmp_path: Path, name: str) -> None:
    with HubStandIn({REPO: tiny_clip.folder}, {name: Unkindness(damage=True)}) as standin:
        hub = cached_at(standin, tmp_path)
        with pytest.raises(ModelLayoutError, match=f"{name} arrived damaged"):
            load_encoder(DEFAULT_MODEL, hub=hub)
        assert not status(hub)
        standin.unkind.clear()
        load_encoder(DEFAULT_MODEL, hub=hub)


def test_a_partial_file_of_other_content_is_found_out(tiny_clip: Oracle, tmp_path: Path) -> None:
    digest = file_hashes(tiny_clip.folder)[LARGE]
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        partial = RepoCache.of(hub, REPO).blob(f"{digest}.incomplete")
        partial.parent.mkdir(parents=True)
        partial.write_bytes(b"\0" * 1000)
        with pytest.raises(ModelLayoutError, match="damaged"):
            load_encoder(DEFAULT_MODEL, hub=hub)
        partial.write_bytes(b"\0" * 50_000_000)
        load_encoder(DEFAULT_MODEL, hub=hub)


def test_the_token_stays_with_the_hub(tiny_clip: Oracle, tmp_path: Path) -> None:
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))
    for request in standin.requests:
        stored = request.path.startswith("/storage/")
        assert request.authorization == (None if stored else "Bearer a-secret"), request


def test_a_hub_without_the_model_is_named(tiny_clip: Oracle, tmp_path: Path) -> None:
    with (
        HubStandIn({"other/model": tiny_clip.folder}) as standin,
        pytest.raises(ModelNotFoundError) as caught,
    ):
        load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))
    assert REPO in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(401, ModelNotFoundError), (503, HubUnreachableError)])
def test_a_hub_that_refuses_says_why(
    tiny_clip: Oracle, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    unkind = {"config.json": Unkindness(status=status)}
    with (
        HubStandIn({REPO: tiny_clip.folder}, unkind) as standin,
        pytest.raises(error, match=f"HTTP {status}"),
    ):
        load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))


def test_a_repository_of_another_layout_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / LARGE).unlink()
    with HubStandIn({REPO: copied}) as standin, pytest.raises(ModelLayoutError, match=f"lacks {LARGE}"):
        load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))


def test_too_small_a_disk_is_said_before_anything_is_fetched(
    tiny_clip: Oracle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE_BYTES", 1 << 62)
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        with pytest.raises(ModelError, match=r"needs 11 MB more .* HF_HOME"):
            load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))
        assert not standin.bodies(LARGE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_is_said(tiny_clip: Oracle, tmp_path: Path) -> None:
    digest = file_hashes(tiny_clip.folder)[LARGE]
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        partial = RepoCache.of(hub, REPO).blob(f"{digest}.incomplete")
        partial.parent.mkdir(parents=True)
        partial.symlink_to("/dev/full")
        with pytest.raises(ModelError, match="the disk is full") as caught:
            load_encoder(DEFAULT_MODEL, hub=hub)
        assert not isinstance(caught.value, HubUnreachableError)
        partial.unlink()
        load_encoder(DEFAULT_MODEL, hub=hub)


def test_a_cache_that_cannot_be_written_is_said(tiny_clip: Oracle, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("a file where the folder should be")
    with HubStandIn({REPO: tiny_clip.folder}) as standin, pytest.raises(ModelError, match="cannot be saved"):
        load_encoder(DEFAULT_MODEL, hub=cached_at(standin, tmp_path))


def test_where_links_are_not_allowed_files_are_moved(
    tiny_clip: Oracle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        hub = cached_at(standin, tmp_path)
        encoder = load_encoder(DEFAULT_MODEL, hub=hub)
        asked = len(standin.requests)
        load_encoder(DEFAULT_MODEL, hub=hub)
        assert len(standin.requests) == asked
    assert encoder.info.fingerprint == load_encoder(tiny_clip.folder).info.fingerprint
