import subprocess
import sys
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from colour_library import client_of
from semantic_media_search.api import search_routes, security
from semantic_media_search.api.security import host_of
from semantic_media_search.api.server import create_app
from semantic_media_search.config import Settings
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:9", "LOCALHOST", "[::1]:8000", "127.9.9.9"]
)
def test_this_machine_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:8000",
        "192.168.1.5:8000", "[::2]", "127.0.0.1@evil.example", "127.0.0.1:99999", "", "[::1", "localhost:8000/x",
    ],
)  # fmt: skip
def test_a_name_pointed_at_this_machine_is_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/health", "/search?q=red", "/frame/0", "/app/js/main.js"):
        assert client.get(path, headers={"Host": host}).status_code == 421


def test_allowed_hosts_are_answered(make: Callable[..., Library]) -> None:
    with client_of(make(allowed_hosts="photos.home, nas")) as client:
        assert client.get("/health", headers={"Host": "photos.home:80"}).status_code == 200
        assert client.get("/health", headers={"Host": "other.home"}).status_code == 421


def test_hosts_are_read_as_browsers_write_them() -> None:
    assert host_of("[::1]:8000") == "::1"
    assert host_of("Example.COM.:80") == "example.com"
    assert host_of("a b") is None
    assert host_of(None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "myhost"])
def test_others_are_let_in_with_a_token_only(host: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        create_app(Settings(host=host))
    create_app(Settings(host=host, token="secret"))


def test_callers_from_elsewhere_are_refused_without_a_token(shared_library: Library) -> None:
    # However uvicorn was told to bind: the application itself knows who calls.
    with client_of(shared_library, caller="192.168.1.7") as client:
        assert client.get("/search?q=red").status_code == 403


def test_token_by_header_and_by_cookie(make: Callable[..., Library]) -> None:
    library = make(host="0.0.0.0", token="s3cret-ü")
    with client_of(library, "192.168.1.5:8000", caller="192.168.1.7") as client:
        refused = client.get("/health")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        for wrong in ("Bearer wrong", "Bearer", "Basic s3cret", "bearer s3cret", "x"):
            assert client.get("/health", headers={"Authorization": wrong}).status_code == 401
        right = {"Authorization": "Bearer s3cret-ü".encode()}
        assert client.get("/health", headers=right).status_code == 200
        assert client.get("/health?token=s3cret-ü").status_code == 401
        assert client.get("/?token=wrong", follow_redirects=False).status_code == 401
        opened = client.get("/?token=s3cret-ü&q=a+cat", follow_redirects=False)
        assert (opened.status_code, opened.headers["location"]) == (303, "/?q=a+cat")
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=lax" in cookie and "s3cret" not in cookie
        assert client.get("/health").status_code == 200
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://127.0.0.1:8000"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:9000"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
    ],
)
def test_other_sites_cannot_post(client: TestClient, headers: dict[str, str], allowed: bool) -> None:
    answer = client.post("/search/image", content=b"", headers=headers)
    assert answer.status_code == (422 if allowed else 403)


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    for path in ("/", "/health", "/frame/0", "/nowhere", "/search", "/app/js/main.js", "/video/vid_01"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_is_its_own(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text and "https://" not in page.text
    assert "style=" not in page.text and "onclick" not in page.text
    script = client.get("/app/js/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert client.get("/docs").status_code == 404


def test_importing_the_server_opens_nothing() -> None:
    code = (
        "import sys, semantic_media_search.api.server as s; "
        "assert s._app is None; assert 'numba' not in sys.modules; assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_are_a_page_for_who_reads_pages(client: TestClient) -> None:
    address = "/search?q=red&kind=<script>alert(1)</script>"
    plain = client.get(address)
    assert plain.headers["content-type"].startswith("application/json")
    assert plain.headers["vary"] == "Accept"
    assert plain.json()["error"]["code"] == "bad_parameter"
    page = client.get(address, headers={"Accept": "text/html,application/xhtml+xml"})
    assert page.status_code == plain.status_code == 422
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "Accept"
    assert int(page.headers["content-length"]) == len(page.content)
    assert "<script" not in page.text and "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for missing in ("/frame/999", "/nowhere"):
        answer = client.get(missing, headers={"Accept": "text/html"})
        assert answer.status_code == 404 and "<h1>" in answer.text


def test_what_nobody_expected_is_answered_like_every_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(search_routes, "_search", fail)
    answer = client.get("/search?q=red")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "failed"
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    (record,) = [record for record in caplog.records if record.name == security.__name__]
    assert record.getMessage() == "GET /search failed"
    assert record.exc_info is not None and "secret" in str(record.exc_info[1])
    caplog.clear()
