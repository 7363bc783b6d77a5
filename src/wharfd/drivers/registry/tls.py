"""TLS as settings and certificate directories want it.  A context is made off the loop (it reads the system's authorities) and kept."""

import os
import ssl
from collections import OrderedDict
from dataclasses import dataclass

from wharfd.model.errors import RegistryFailure
from wharfd.sys.blocking import Pool

KEPT = 32


@dataclass(frozen=True, slots=True)
class TlsChoice:
    """`ca`: files with authorities besides the system's.  `client`: certificate and key; an empty key means: in the same file."""

    ca: tuple[str, ...] = ()
    client: tuple[tuple[str, str], ...] = ()
    verify: bool = True


SYSTEM = TlsChoice()


class TlsContexts:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.kept: OrderedDict[tuple[TlsChoice, tuple[int, ...]], ssl.SSLContext] = OrderedDict()

    async def context(self, choice: TlsChoice) -> ssl.SSLContext:
        """Raises RegistryFailure naming a file that cannot be used.  A changed file is read again."""
        key = (choice, stamps(choice))
        found = self.kept.get(key)
        if found is None:
            found = self.kept[key] = await self.pool.run(make, choice)
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return found


def stamps(choice: TlsChoice) -> tuple[int, ...]:
    return tuple(stamp(path) for path in (*choice.ca, *(path for pair in choice.client for path in pair if path)))


def stamp(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1  # `make` tells what is wrong


def make(choice: TlsChoice) -> ssl.SSLContext:
    # Without verification the system's authorities need not be read, which takes most of the time and room of a context.
    context = ssl.create_default_context() if choice.verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The authorities that companies make for themselves often lack what the strict mode of Python 3.13 asks for; dockerd takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not choice.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for path in choice.ca:
        try:
            context.load_verify_locations(cafile=path)
        except OSError as e:
            raise RegistryFailure(f'unable to load CA cert "{path}": {e.strerror or e}') from e
    for certificate, key in choice.client:
        try:
            context.load_cert_chain(certificate, key or None, password=no_password)
        except (OSError, ValueError) as e:
            raise RegistryFailure(f'failed to load X509 key pair "{certificate}": {e}') from e
    return context


def no_password() -> str:
    raise ValueError("the key is encrypted")
