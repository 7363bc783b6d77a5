"""A certificate authority of its own for each test run, made with openssl; names and addresses as they are asked for."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


class Authority:
    def __init__(self, folder: Path, name: str = "wharfd tests") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = folder / "ca.pem", folder / "ca.key"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip

    def issue(self, *names: str, days: int = 2, client: bool = False) -> Pair:
        """For names (`a.example`) and addresses (`127.0.0.1`); they stand in the certificate's alternative names."""
        stem = self.folder / f"{'client' if client else 'server'}-{names[0]}{'' if days > 0 else '-expired'}"
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        wanted = ",".join(f"{'IP' if name[0].isdigit() or ':' in name else 'DNS'}:{name}" for name in names)
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={names[0]}",
            "-addext", f"subjectAltName={wanted}", "-keyout", pair.key, "-out", stem.with_suffix(".csr"),
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", stem.with_suffix(".csr"), "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-copy_extensions", "copy", "-days", str(days), "-out", pair.certificate,
        )  # fmt: skip
        return pair


def openssl(*arguments: object) -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
