"""`(did you mean RUN?)`: the one of some names that a misspelt one is nearest to."""

from collections.abc import Iterable

MAX_DISTANCE = 2  # edits; more than that is another word
MAX_LENGTH = 64  # characters; nobody misspells longer ones


def nearest(word: str, names: Iterable[str], *, ignore_case: bool = False) -> str:
    """Empty if none is near, or if the word is one of them and something else must be wrong."""
    best, least = "", MAX_DISTANCE + 1
    wanted = word.lower() if ignore_case else word
    if len(wanted) > MAX_LENGTH:
        return ""
    for name in sorted(names):
        other = name.lower() if ignore_case else name
        if other == wanted:
            return ""
        if abs(len(other) - len(wanted)) < least and (found := distance(wanted, other)) < least:
            best, least = name, found
    return best


def hint(word: str, names: Iterable[str], *, ignore_case: bool = False) -> str:
    """The words to add to a message; empty if there is nothing to suggest."""
    near = nearest(word, names, ignore_case=ignore_case)
    return f" (did you mean {near}?)" if near else ""


def distance(one: str, other: str) -> int:
    """Levenshtein's: characters to insert, to delete and to replace."""
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        corner, row[0] = row[0], number
        for column, wanted in enumerate(other, 1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (char != wanted))
    return row[-1]
