"""Building over the classic door."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zstandard

from tests.engine import BASE_IMAGE, Answer, Engine

FROM = f"FROM {BASE_IMAGE}\n"
Files = Mapping[str, str | bytes]


def context(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def dockerfile(*lines: str) -> str:
    return FROM + "".join(f"{line}\n" for line in lines)


@dataclass
class Built:
    """What a build has told."""

    answer: Answer

    @property
    def lines(self) -> list[Any]:
        return self.answer.lines()

    @property
    def text(self) -> str:
        return "".join(line.get("stream", "") for line in self.lines)

    @property
    def image(self) -> str:
        (aux,) = [line["aux"]["ID"] for line in self.lines if "aux" in line]
        return str(aux)

    @property
    def error(self) -> str:
        return str(self.lines[-1]["errorDetail"]["message"])

    @property
    def cached(self) -> int:
        return self.text.count("---> Using cache")


class Builder:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def send(self, body: bytes, query: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        return self.engine.request(
            "POST",
            "/build",
            body,
            query={"rm": "1", **(query or {})},
            headers={"Content-Type": "application/x-tar", **{key.replace("_", "-"): v for key, v in headers.items()}},
        )

    def build(self, *lines: str, files: Files | None = None, **query: Any) -> Built:
        answer = self.send(context({"Dockerfile": dockerfile(*lines), **(files or {})}), query)
        assert answer.status == 200, answer.body
        return Built(answer)

    def run(self, image: str, *command: str) -> str:
        """What a process in a container of the image writes."""
        code, output = self.engine.run_to_end(*command, Image=image)
        assert code == 0, output
        return output


def packed(data: bytes, compression: str) -> bytes:
    match compression:
        case "gzip":
            return gzip.compress(data)
        case "bzip2":
            return bz2.compress(data)
        case "xz":
            return lzma.compress(data)
        case "zstd":
            return zstandard.ZstdCompressor().compress(data)
    return data
