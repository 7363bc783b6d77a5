"""Points in time as people read them in a zone, in forms that Go programs print."""

import datetime
from typing import NamedTuple

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_EPOCH = datetime.datetime(1970, 1, 1)
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 and 9999


class Stamp(NamedTuple):
    """A local time and how far east of Greenwich it is."""

    local: datetime.datetime
    zone_offset_s: int

    def short(self) -> str:
        """`Nov  4 14:20:24`"""
        return f"{MONTHS[self.local.month - 1]} {self.local.day:2} {self.local:%H:%M:%S}"

    def rfc3339(self) -> str:
        """`2026-11-24T14:20:26+01:00`"""
        return self.local.isoformat(timespec="seconds") + self.zone()

    def rfc3339_micro(self) -> str:
        """With six digits of the second."""
        return self.local.isoformat(timespec="microseconds") + self.zone()

    def zone(self) -> str:
        if not self.zone_offset_s:
            return "Z"
        minutes = abs(self.zone_offset_s) // 60
        return f"{'-' if self.zone_offset_s < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def stamp_of(at_ns: int, zone_offset_s: int) -> Stamp:
    seconds, nanos = divmod(at_ns, 10**9)
    seconds = min(max(seconds + zone_offset_s, _FIRST_SECOND), _LAST_SECOND)
    return Stamp(_EPOCH + datetime.timedelta(seconds=seconds, microseconds=nanos // 1000), zone_offset_s)
