"""Git repositories as builds name them: `https://host/repo.git#branch:directory`, `git@host:repo.git`, `git://…`, `ssh://…`.

What follows `#` is `ref[:subdirectory]`; a query may say the same and more:
`?ref=…&branch=…&tag=…&commit=…&subdir=…&keep-git-dir=1&submodules=0`.  A plain http(s) address is a repository only if
its path ends in `.git`.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from wharfd.model.errors import InvalidParameter

_SCHEME = re.compile(r"([a-zA-Z0-9]+)://")
_SCP = re.compile(r"(?:[a-zA-Z0-9._-]+@)?[a-zA-Z0-9.-]+:[^/\s][^\s]*|[a-zA-Z0-9._-]+@[a-zA-Z0-9.-]+:[^\s]+")
_BOOLEANS = {"": True, "1": True, "true": True, "t": True, "0": False, "false": False, "f": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRef:
    """`remote` without query and fragment.  None: nothing was said.  `checksum`: a commit's beginning.

    `looks_local`: written as `github.com/…`, which may as well be a path.
    """

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    looks_local: bool = False


def parse_git_ref(text: str) -> GitRef | None:
    """None if the text names no repository.

    Raises:
        InvalidParameter: it does, but its query is wrong.
    """
    if text.startswith(("./", "../", "/")):
        return None
    looks_local = text.startswith("github.com/")
    scheme = _SCHEME.match(text)
    if looks_local or scheme:
        return from_url(f"https://{text}" if looks_local else text, looks_local=looks_local)
    address, _, fragment = text.partition("#")
    return with_fragment(GitRef(remote=address), fragment) if "@" in address and _SCP.fullmatch(address) else None


def from_url(text: str, *, looks_local: bool) -> GitRef | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ssh", "git"}:
        return None
    if parts.scheme in {"http", "https"} and not looks_local and not parts.path.endswith(".git"):
        return None
    found = with_fragment(
        GitRef(remote=parts._replace(query="", fragment="").geturl(), looks_local=looks_local), parts.fragment
    )
    return with_query(found, parse_qsl(parts.query, keep_blank_values=True), parts.fragment)


def with_fragment(found: GitRef, fragment: str) -> GitRef:
    ref, _, subdir = fragment.partition(":")
    return replace(found, ref=ref, subdir=subdir.strip("/"))


def with_query(found: GitRef, query: list[tuple[str, str]], fragment: str) -> GitRef:
    for key, value in query:
        match key:
            case "ref" | "branch" | "tag":
                prefix = {"ref": "", "branch": "refs/heads/", "tag": "refs/tags/"}[key]
                found = replace(found, ref=prefix + value if value and not found.ref else once("ref", found.ref, value))
            case "subdir":
                found = replace(found, subdir=once(key, found.subdir, value.strip("/")))
            case "commit" | "checksum":
                found = replace(found, checksum=once(key, found.checksum, value))
            case "keep-git-dir":
                found = replace(found, keep_git_dir=boolean(key, value))
            case "submodules":
                found = replace(found, submodules=boolean(key, value))
            case _:
                raise InvalidParameter(f'unexpected query "{key}"')
    return found


def once(key: str, said: str, value: str) -> str:
    if said and said != value:
        raise InvalidParameter(f"{key} conflicts: {said} vs {value}")
    return value


def boolean(key: str, value: str) -> bool:
    found = _BOOLEANS.get(value.lower())
    if found is None:
        raise InvalidParameter(f'invalid {key} value: "{value}"')
    return found
