"""Content negotiation by the Accept header (RFC 9110, 12.5.1).

text/html, application/json;q=0.5, */*;q=0.1
"""

from collections.abc import Iterable, Sequence


def choose(accept: Iterable[str], offers: Sequence[str], default: str) -> str:
    """The offer that the client likes best; of equals the one named more exactly, then the one offered first.

    `accept` is every value of the header.  `default` if the client accepts none, or does not say.  A quality that is no number counts
    as not accepted.
    """
    wishes = [wish for value in accept for part in value.split(",") if (wish := parse_wish(part)) is not None]
    best, best_quality, best_exactness = default, 0.0, -1
    for offer in offers:
        kind = offer.partition("/")[0]
        for wanted, quality in wishes:
            exactness = {offer: 2, f"{kind}/*": 1, "*/*": 0}.get(wanted)
            if exactness is not None and (quality, exactness) > (best_quality, best_exactness) and quality > 0:
                best, best_quality, best_exactness = offer, quality, exactness
    return best


def choose_encoding(accept: Iterable[str], offers: Sequence[str]) -> str:
    """The content encoding that the client likes best, of equals the one offered first; "" (as it is) if it names none of them.

    Docker: "*" is any of them, and they win over `identity`.
    """
    wishes = [wish for value in accept for part in value.split(",") if (wish := parse_wish(part)) is not None]
    best, best_quality = "", 0.0
    for offer in offers:
        for wanted, quality in wishes:
            if wanted in {"*", offer} and quality > best_quality:
                best, best_quality = offer, quality
    return best


def parse_wish(text: str) -> tuple[str, float] | None:
    """Media type in lower case, and quality; None if there is nothing."""
    media, *parameters = (piece.strip() for piece in text.lower().split(";"))
    if not media:
        return None
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media, quality if 0 <= quality <= 1 else 0.0
