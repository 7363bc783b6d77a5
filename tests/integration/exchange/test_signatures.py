"""A signature policy before a real registry: images signed as cosign does it, unsigned ones, and signatures that are not good."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Answer, Engine
from tests.integration.exchange.images import load
from tests.registries.inside import registry_inside
from wharfd.wire.oci import Descriptor, Manifest, digest_of, encode
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_MANIFEST
from wharfd.wire.signaturepolicy import SIGNATURE_NOTE, SIGNATURE_TYPE

pytestmark = pytest.mark.root
PORT = 5000
HOST = f"127.0.0.1:{PORT}"
KINDS = {"ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["RSA"]}


class Signer:
    def __init__(self, folder: Path, kind: str) -> None:
        self.private, self.public = folder / f"{kind}.key", folder / f"{kind}.pub"
        run("openssl", "genpkey", "-algorithm", *KINDS[kind], "-out", str(self.private))
        run("openssl", "pkey", "-in", str(self.private), "-pubout", "-out", str(self.public))

    def sign(self, data: bytes) -> str:
        done = run("openssl", "dgst", "-sha256", "-sign", str(self.private), stdin=data)
        return base64.b64encode(done).decode()


def run(*words: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(words, input=stdin, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signatures")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    flags = [f"--signature-policy={folder}/policy.json", "--image-budget=50g"]
    with Engine(folder / "engine", flags=flags) as engine, registry_inside(engine.netns, folder / "registry", PORT):
        yield engine


@pytest.fixture(scope="module")
def signer(folder: Path) -> Signer:
    return Signer(folder, "ec")


def set_policy(folder: Path, key: Path, **more: Any) -> None:
    signed = {"type": "sigstoreSigned", "keyPath": str(key), "signedIdentity": {"type": "matchRepository"}, **more}
    scopes = {f"{HOST}/signed": [signed], f"{HOST}/rejected": [{"type": "reject"}]}
    document = {"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": scopes}}
    (folder / "policy.json").write_text(json.dumps(document))


def pushed(engine: Engine, name: str) -> str:
    """The digest.  The image is in the registry, and not here."""
    digest = str(load(engine, name)["Id"])
    assert b'"error"' not in engine.post(f"/images/{name}/push").body
    engine.delete(f"/images/{name}?force=1")
    return digest


def attach(engine: Engine, name: str, payload: bytes, signature: str, digest: str) -> None:
    """As `cosign attach signature`: under the tag that belongs to the digest."""
    repository = name.rpartition(":")[0]
    config = b'{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":["%s"]}}' % digest_of(payload).encode()
    layer = Descriptor(
        media_type=SIGNATURE_TYPE, digest=digest_of(payload), size=len(payload), annotations={SIGNATURE_NOTE: signature}
    )
    described = Descriptor(media_type=OCI_CONFIG, digest=digest_of(config), size=len(config))
    manifest = encode(Manifest(media_type=OCI_MANIFEST, config=described, layers=[layer]))
    target = Descriptor(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest))
    tag = f"{repository}:{digest.replace(':', '-')}.sig"
    put(
        engine,
        f"/v2/{repository.partition('/')[2]}",
        {digest_of(each): each for each in (config, payload)},
        tag,
        manifest,
        target,
    )


def put(engine: Engine, path: str, blobs: dict[Any, bytes], tag: str, manifest: bytes, target: Descriptor) -> None:
    """Straight to the registry, with curl in the engine's namespace."""
    curl = ["nsenter", f"--net={engine.netns}", "curl", "-sSf"]
    sending = ["-X", "PUT", "--data-binary", "@-", "-H"]
    for digest, data in blobs.items():
        head = run(*curl, "-X", "POST", "-D", "-", "-o", "/dev/null", f"http://{HOST}{path}/blobs/uploads/").decode()
        place = next(
            line.split(": ", 1)[1].strip() for line in head.splitlines() if line.lower().startswith("location: ")
        )
        run(*curl, *sending, "Content-Type: application/octet-stream", f"{place}&digest={digest}", stdin=data)
    where = f"http://{HOST}{path}/manifests/{tag.rpartition(':')[2]}"
    run(*curl, *sending, f"Content-Type: {target.media_type}", where, stdin=manifest)


def payload_for(digest: str, name: str) -> bytes:
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def pull(engine: Engine, name: str) -> Answer:
    return engine.post("/images/create", query={"fromImage": name})


def is_refused(engine: Engine, name: str, why: str) -> None:
    answer = pull(engine, name)
    assert (answer.status, why in answer.message) == (403, True), (answer.status, answer.body)
    assert f"{name} is refused by the signature policy" in answer.message
    assert engine.get("/images/json").json == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_image_comes(engine: Engine, folder: Path, kind: str) -> None:
    signer = Signer(folder, kind)
    set_policy(folder, signer.public)
    name = f"{HOST}/signed/{kind}:1"
    digest = pushed(engine, name)
    payload = payload_for(digest, f"{HOST}/signed/{kind}")
    attach(engine, name, payload, signer.sign(payload), digest)
    assert "error" not in pull(engine, name).lines()[-1]
    assert engine.get(f"/images/{name}/json").json["Id"] == digest
    engine.delete(f"/images/{name}")


def test_what_is_not_signed_does_not_come(engine: Engine, folder: Path, signer: Signer) -> None:
    set_policy(folder, signer.public)
    name = f"{HOST}/signed/bare:1"
    digest = pushed(engine, name)
    is_refused(engine, name, f"{digest} is not signed")
    rejected = f"{HOST}/rejected/app:1"
    pushed(engine, rejected)
    is_refused(engine, rejected, "all images of this scope are")
    free = f"{HOST}/free/app:1"
    pushed(engine, free)
    assert "error" not in pull(engine, free).lines()[-1]
    engine.delete(f"/images/{free}")


@pytest.mark.parametrize("wrong", ["key", "bytes", "digest", "name", "payload", "base64", "letters"])
def test_a_signature_that_is_not_good(engine: Engine, folder: Path, signer: Signer, wrong: str) -> None:
    set_policy(folder, signer.public)
    name = f"{HOST}/signed/{wrong}:1"
    digest = pushed(engine, name)
    said = payload_for(
        "sha256:" + "0" * 64 if wrong == "digest" else digest,
        f"{HOST}/{'other' if wrong == 'name' else 'signed'}/{wrong}",
    )
    if wrong == "payload":
        said = b"{}"
    signature = (Signer(folder, "rsa") if wrong == "key" else signer).sign(said + b" " if wrong == "bytes" else said)
    attach(engine, name, said, {"base64": "%%%", "letters": "éé"}.get(wrong, signature), digest)
    why = {
        "key": f"not by {signer.public}",
        "bytes": f"not by {signer.public}",
        "digest": "for sha256:000",
        "name": f"for the name {HOST}/other/name",
        "payload": "payload.critical must be an object",
        "base64": "is not signed",
        "letters": "is not signed",
    }
    is_refused(engine, name, why[wrong])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid JSON"),
        (
            '{"default": [{"type": "sigstoreSigned", "keyPath": "/nowhere"}]}',
            "/nowhere cannot be used as a public key: No such file",
        ),
        ('{"default": [{"type": "signedBy"}]}', "the type 'signedBy' is not supported"),
    ],
)
def test_a_policy_that_cannot_be_used_lets_nothing_in(
    engine: Engine, folder: Path, signer: Signer, text: str, words: str
) -> None:
    set_policy(folder, signer.public)
    name = f"{HOST}/any/app:1"
    digest = pushed(engine, name)
    payload = payload_for(digest, name)
    attach(engine, name, payload, signer.sign(payload), digest)
    (folder / "policy.json").write_text(text)
    answer = pull(engine, name)
    assert (answer.status, words in answer.message) == (500, True), answer.body
    assert engine.get("/images/json").json == []
