"""chmod's symbolic modes: `u=rwX,go=rX`, `+x`, `a-w`, `u+s`."""

import re
import stat

from wharfd.model.errors import InvalidParameter

CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
ACTION = re.compile(r"([-+=])([rwxXst]+|[ugo]|)")
SHIFTS = {"u": 6, "g": 3, "o": 0}
BITS = {"r": 4, "w": 2, "x": 1}


def apply_mode_text(text: str, mode: int, *, is_directory: bool) -> int:
    """The permission bits (with set-id and sticky bits) after the change; `mode` those before.

    Raises:
        InvalidParameter: the text is none.
    """
    mode = stat.S_IMODE(mode)
    for clause in text.split(","):
        match = CLAUSE.fullmatch(clause)
        if match is None:
            raise InvalidParameter(f"invalid chmod mode: {text!r}")
        who = "ugo" if not match[1] or "a" in match[1] else match[1]
        for sign, what in ACTION.findall(match[2]):
            mode = changed(mode, who, sign, what, is_directory=is_directory)
    return mode


def changed(mode: int, who: str, sign: str, what: str, *, is_directory: bool) -> int:
    bits = special = 0
    if what in SHIFTS and what:
        bits = mode >> SHIFTS[what] & 7
    else:
        for letter in what:
            if letter == "X":
                bits |= 1 if is_directory or mode & 0o111 else 0
            elif letter == "s":
                special |= (stat.S_ISUID if "u" in who else 0) | (stat.S_ISGID if "g" in who else 0)
            elif letter == "t":
                special |= stat.S_ISVTX
            else:
                bits |= BITS[letter]
    wanted = special | sum(bits << SHIFTS[each] for each in set(who))
    if sign == "+":
        return mode | wanted
    if sign == "-":
        return mode & ~wanted
    kept = mode & ~sum(7 << SHIFTS[each] for each in set(who))
    if not is_directory:
        kept &= ~((stat.S_ISUID if "u" in who else 0) | (stat.S_ISGID if "g" in who else 0))
    return kept | wanted
