"""`serve` as a person runs it: any free port, said as it is; ended by Ctrl-C without a trace."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from processes import importing_as_here


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
