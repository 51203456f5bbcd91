"""`serve` as a person runs it: any free port, said as it is; ended by Ctrl-C without a trace."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from processes import importing_as_here
from semantic_media_search.cli.commands import serve


def test_answers_are_not_held_back() -> None:
    async def accepted() -> int:
        options: list[int] = []

        async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held = writer.get_extra_info("socket")
            options.append(held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = serve._listening("127.0.0.1", 0)
        async with await asyncio.start_server(look, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            await reader.read()
            writer.close()
        return options[0]

    assert asyncio.run(accepted())


def test_any_free_port(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "semantic_media_search", "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=importing_as_here(),
    ) as server:
        assert server.stderr is not None
        try:
            said = re.match(r"Serving (http://\S+:([1-9]\d*)) until Ctrl-C", server.stderr.readline())
            assert said is not None
            with urlopen(f"{said[1]}/health", timeout=30) as answer:
                assert json.load(answer)
        finally:
            server.send_signal(signal.SIGINT)
            _, rest = server.communicate(timeout=30)
    assert "Traceback" not in rest
    assert server.returncode == 0
