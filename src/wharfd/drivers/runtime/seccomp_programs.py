"""Seccomp profiles as compiled programs, each compiled once: most containers of a host share one."""

import logging
from collections import OrderedDict

import msgspec

from wharfd.model.json import JsonObject
from wharfd.sys.blocking import Pool
from wharfd.sys.libc import MissingLibrary
from wharfd.sys.seccomp import SeccompError, compile_profile

log = logging.getLogger(__name__)

KEPT = 64  # programs of some 10 KiB


class SeccompPrograms:
    """A bounded memory of programs, the longest unused forgotten first."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.programs: OrderedDict[bytes, bytes | None] = OrderedDict()

    async def get(self, profile: JsonObject) -> bytes | None:
        """The program for a `linux.seccomp` document.

        None where a program alone would not do (flags, a listener), where the profile is not understood or the library is missing: the
        OCI runtime then does it in its own way, or says what is wrong.
        """
        if profile.get("flags") or profile.get("listenerPath"):
            return None
        key = msgspec.json.encode(profile)
        if key in self.programs:
            self.programs.move_to_end(key)
            return self.programs[key]
        try:
            program: bytes | None = await self.pool.run(compile_profile, profile)
        except (SeccompError, MissingLibrary) as e:
            log.debug("seccomp profile is left to the OCI runtime reason=%s", e)
            program = None
        self.programs[key] = program
        while len(self.programs) > KEPT:
            self.programs.popitem(last=False)
        return program
