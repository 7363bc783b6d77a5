"""A volume plugin as people write them: an HTTP server on a UNIX socket that keeps directories.  Run as a program: SOCKET DIRECTORY."""

import json
import shutil
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any


class Plugin(ThreadingUnixStreamServer):
    """`calls` are those that came, `failures` the words that a method answers with instead of doing anything."""

    daemon_threads = True

    def __init__(self, socket: str, directory: Path, implements: tuple[str, ...] = ("VolumeDriver",)) -> None:
        self.directory = directory
        self.implements = implements
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, str] = {}
        self.options: dict[str, dict[str, str]] = {}
        self.mounts: dict[str, set[str]] = {}
        super().__init__(socket, Handler)

    def place(self, name: str) -> str:
        return str(self.directory / name)

    def answer(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((method, asked))
        if method in self.failures:
            return {"Err": self.failures[method]}
        name = asked.get("Name", "")
        there = name in self.options
        match method:
            case "Plugin.Activate":
                return {"Implements": list(self.implements)}
            case "VolumeDriver.Capabilities":
                return {"Capabilities": {"Scope": "global"}}
            case "VolumeDriver.Create":
                Path(self.place(name)).mkdir(exist_ok=True)
                self.options[name] = asked.get("Opts") or {}
                return {"Err": ""}
            case "VolumeDriver.List":
                return {"Volumes": [self.shown(each) for each in sorted(self.options)], "Err": ""}
            case "VolumeDriver.Get" if there:
                return {"Volume": {**self.shown(name), "Status": {"opts": self.options[name]}}, "Err": ""}
            case "VolumeDriver.Path" if there:
                return {"Mountpoint": self.place(name), "Err": ""}
            case "VolumeDriver.Mount" if there:
                self.mounts.setdefault(name, set()).add(asked["ID"])
                return {"Mountpoint": self.place(name), "Err": ""}
            case "VolumeDriver.Unmount" if there:
                self.mounts.get(name, set()).discard(asked["ID"])
                return {"Err": ""}
            case "VolumeDriver.Remove" if there:
                del self.options[name]
                shutil.rmtree(self.place(name))
                return {"Err": ""}
        return {"Err": f"no such volume {name}"}

    def shown(self, name: str) -> dict[str, str]:
        return {"Name": name, "Mountpoint": self.place(name), "CreatedAt": "2026-01-02T03:04:05Z"}


class Handler(BaseHTTPRequestHandler):
    server: Plugin

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = json.dumps(self.server.answer(self.path.strip("/"), json.loads(body or b"{}") or {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.2+json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "engine"

    def log_message(self, format: str, *args: Any) -> None:
        pass


if __name__ == "__main__":
    Plugin(sys.argv[1], Path(sys.argv[2])).serve_forever()
