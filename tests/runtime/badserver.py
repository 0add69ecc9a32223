"""A server that misbehaves on purpose, in ways that real ones do."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Server(ThreadingHTTPServer):
    """Serves a folder with a fault; a plus in an address is a space to it, as to S3.

    `fault` is one of: "" (none), "404", "500", "changed", "truncated" (less than
    announced), "cut" (once, then whole), "short" (less, and announces that), "slow"
    (a byte now and then), "silent", "endless", "redirect" (to `target`), "ignores"
    (ranges), "other" (ranges of another file).
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.fault, self.target = folder, "", ""
        self.asked: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:
        """Say nothing: a client that gave up is what is tested."""

    def count(self, name: str) -> int:
        return sum(path.endswith(name) for path, _ in self.asked)


class Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer, or misbehave."""
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        name, fault = unquote_plus(self.path).lstrip("/"), self.server.fault
        file = self.server.folder / name
        if not file.is_file() or fault in ("404", "500"):
            self.send_error(500 if fault == "500" else 404)
            return
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", self.server.target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes()
        if fault == "changed":
            middle = len(content) // 2
            content = (
                content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            )
        start = 0
        if wanted and fault != "ignores":
            start = int(re.findall(r"\d+", wanted)[0])
        self._body(content, start, fault)

    def _body(self, content: bytes, start: int, fault: str) -> None:
        self.close_connection = True
        if start >= len(content) and start:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = content[start:] if fault != "short" else content[: len(content) // 2]
        self.send_response(206 if start else 200)
        if start:
            end = len(content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if fault != "endless":
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if fault in ("truncated", "cut"):
            body = body[: len(body) // 2]
            if fault == "cut":
                self.server.fault = ""
        if fault == "silent":
            self.server.over.wait(20)
        elif fault == "slow":
            for byte in body:
                if self.server.over.wait(0.05):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
        elif fault == "endless":
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not self.server.over.is_set():
                self.wfile.write(bytes(1 << 16))
        else:
            self.wfile.write(body)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder until the end of the block."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Give every request the same bytes, and close; yield the address."""

    class Fixed(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Fixed) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
