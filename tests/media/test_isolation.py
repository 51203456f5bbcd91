"""A decoder that crashes or hangs is named, and the next file is read as if nothing had been."""

import io
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picture_makers import photo, save
from semantic_media_search.errors import DecodeError, MediaUnreadableError, UnsupportedMediaError
from semantic_media_search.ingest import isolated
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.ingest.video_ingest import read_video
from semantic_media_search.media.isolation import Message, WorkerPool, read_message, write_message
from video_makers import write_video


@pytest.fixture(autouse=True)
def _workers_find_the_faulty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


def pool(size: int = 1, timeout: float = 30.0) -> WorkerPool:
    return WorkerPool("faulty_worker", size, timeout)


def ask(workers: WorkerPool, **request: object) -> list[Message]:
    return list(workers.run(Message(request), "a.mp4"))


def test_messages_survive_the_way() -> None:
    stream = io.BytesIO()
    write_message(stream, Message({"name": "é\n\udcff", "n": 1}, (b"", b"abc", bytes(70_000))))
    whole = stream.getvalue()
    message = read_message(io.BytesIO(whole))
    assert message is not None
    assert message.header == {"name": "é\n\udcff", "n": 1}
    assert message.blocks == (b"", b"abc", bytes(70_000))
    for cut in (0, 3, 7, 9, 30, len(whole) - 1):
        assert read_message(io.BytesIO(whole[:cut])) is None


@pytest.mark.parametrize(
    "noise", [b"\xff" * 64, bytes(64), b"\x02\0\0\0\0\0\0\0{}", b"\x04\0\0\0\0\0\0\0null"]
)
def test_what_is_no_message_is_the_end(noise: bytes) -> None:
    assert read_message(io.BytesIO(noise)) is None


def test_a_worker_is_kept_and_used_again() -> None:
    with pool() as workers:
        first, second = ask(workers, do="work"), ask(workers, do="babble")
    assert [message.header.get("done") for message in first] == [None, "work"]
    assert second[1].header["done"] == "babble"
    assert first[0].header["pid"] == second[0].header["pid"] != os.getpid()
    assert first[0].blocks == (b"first block", b"")
    assert first[1].blocks == (bytes(300_000),)


@pytest.mark.parametrize(("fault", "words"), [("crash", "SIGSEGV"), ("exit", "exit code 3")])
def test_a_crash_takes_down_one_request(fault: str, words: str) -> None:
    with pool() as workers:
        with pytest.raises(DecodeError, match=rf"a\.mp4 .*crashed \({words}\)"):
            ask(workers, do=fault)
        assert ask(workers, do="work")[-1].header["done"] == "work"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_from_outside_says_nothing_of_the_file(number: signal.Signals) -> None:
    with pool() as workers:
        answers = workers.run(Message({"do": "hang"}), "a.mp4")
        os.kill(next(answers).header["pid"], number)
        with pytest.raises(MediaUnreadableError, match=rf"a\.mp4 was not read: .*killed \({number.name}\)"):
            next(answers)
        assert ask(workers, do="work")[-1].header["done"] == "work"


def test_want_of_memory_says_nothing_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(isolated, "read_image", short)
    request = Message({"kind": "image", "path": "a.jpg", "options": {}})
    with monkeypatch.context() as patched, pytest.raises(MediaUnreadableError, match="not enough memory"):
        patched.setattr(WorkerPool, "run", lambda *_: isolated._answer(request, lambda: None))
        with IsolatedReaders(1) as readers:
            list(readers.read_image("a.jpg"))


def test_a_hang_is_ended() -> None:
    with pool(timeout=4.0) as workers:
        began = time.monotonic()
        with pytest.raises(DecodeError, match="hung and was stopped after 4 seconds"):
            ask(workers, do="hang")
        assert time.monotonic() - began < 60
        assert ask(workers, do="work")[-1].header["done"] == "work"


def test_an_interrupt_is_left_to_the_one_who_asked() -> None:
    with pool() as workers:
        pid = ask(workers, do="work")[0].header["pid"]
        os.kill(pid, signal.SIGINT)
        assert ask(workers, do="work")[0].header["pid"] == pid


def test_slow_progress_is_no_hang() -> None:
    with pool(timeout=5.0) as workers:
        ask(workers, do="work")
        assert ask(workers, do="slow", seconds=7)[-1].header["done"] == "slow"


def test_garbage_from_a_worker_is_a_crash() -> None:
    with pool() as workers:
        with pytest.raises(DecodeError, match="crashed"):
            ask(workers, do="garbage", descriptor=3)
        assert ask(workers, do="work")


def test_a_request_given_up_does_not_disturb_the_next() -> None:
    with pool() as workers:
        replies = workers.run(Message({"do": "work"}), "a.mp4")
        next(replies)
        replies.close()
        assert ask(workers, do="work")[-1].header["done"] == "work"


def test_several_threads_share_the_workers() -> None:
    failures: list[str] = []

    def work(number: int) -> None:
        fault = number % 3 == 0
        try:
            ask(workers, do="exit" if fault else "work")
            if fault:
                failures.append("a crash went unnoticed")
        except DecodeError:
            if not fault:
                failures.append("a crash elsewhere was felt")

    with pool(2) as workers:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_files_read_in_a_worker_are_the_same(tmp_path: Path) -> None:
    picture = save(tmp_path / "é \n.jpg", photo(900, 600))
    film = write_video(tmp_path / "a.mp4", frames=75)
    with IsolatedReaders(1) as readers:
        pairs = [
            (readers.read_image(str(picture), max_side=300), read_image(picture, max_side=300)),
            (readers.read_video(str(film), fps=2.0), read_video(film, fps=2.0)),
        ]
        for there, here in pairs:
            for mine, theirs in zip(there, here, strict=True):
                assert np.array_equal(mine.pixels, theirs.pixels)
                assert (mine.jpeg, mine.timestamp, mine.interval, mine.phash) == (
                    theirs.jpeg,
                    theirs.timestamp,
                    theirs.interval,
                    theirs.phash,
                )
            assert there.facts == here.facts


def test_errors_of_a_worker_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    (tmp_path / "b.mp4").write_bytes(b"")
    with IsolatedReaders(1) as readers:
        with pytest.raises(UnsupportedMediaError, match=r"a\.jpg holds no picture"):
            list(readers.read_image(str(tmp_path / "a.jpg")))
        with pytest.raises(DecodeError, match=r"b\.mp4 is empty"):
            list(readers.read_video(str(tmp_path / "b.mp4")))
        with pytest.raises(MediaUnreadableError, match="No such file"):
            list(readers.read_image(str(tmp_path / "gone.jpg")))


def test_a_worker_that_cannot_be_started_costs_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    start, failures = subprocess.Popen, iter([OSError(24, "Too many open files")] * 2)

    def popen(*arguments: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pool() as workers:
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                ask(workers, do="nothing")
        assert ask(workers, do="nothing")


def test_workers_run_nothing_from_the_folder_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("secrets", "fractions", "queue", "numpy"):
        (tmp_path / f"{name}.py").write_text("open('harm', 'w')\nraise SystemExit(1)\n")
    picture = save(tmp_path / "a.png", photo(60, 40))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    with IsolatedReaders(1) as readers:
        assert len(list(readers.read_image(str(picture)))) == 1
    assert not (tmp_path / "harm").exists()


def test_an_interrupt_ends_work_at_once() -> None:
    with pool() as workers:
        answers = workers.run(Message({"do": "hang"}), "a.mp4")
        next(answers)
        threading.Timer(0.2, workers.interrupt).start()
        began = time.monotonic()
        with pytest.raises(MediaUnreadableError, match="stopped"):
            next(answers)
        assert time.monotonic() - began < 10
        with pytest.raises(MediaUnreadableError, match="stopped"):
            ask(workers, do="nothing")
