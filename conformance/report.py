"""The score, client by client and area by area, and every failure with its exact difference."""

from collections.abc import Sequence

from conformance.runner import Outcome


def score(outcomes: Sequence[Outcome]) -> str:
    engines = list(dict.fromkeys(each.engine for each in outcomes))
    rows = list(dict.fromkeys((each.client, each.area) for each in outcomes))
    lines = [["client", "area", *engines]]
    for client in dict.fromkeys(client for client, _ in rows):
        for area in (area for of, area in rows if of == client):
            lines.append([client, area, *(count(outcomes, engine, client, area) for engine in engines)])
        lines.append([client, "together", *(count(outcomes, engine, client) for engine in engines)])
    lines.append(["all", "", *(count(outcomes, engine) for engine in engines)])
    return "\n".join(
        "| " + " | ".join(line) + " |" + ("\n|" + "---|" * len(line) if not number else "")
        for number, line in enumerate(lines)
    )


def count(outcomes: Sequence[Outcome], engine: str, client: str = "", area: str = "") -> str:
    """`passed/run`; a scenario that could not run counts in neither."""
    chosen = [
        each
        for each in outcomes
        if each.engine == engine
        and client in ("", each.client)
        and area in ("", each.area)
        and each.verdict != "not run"
    ]
    return f"{sum(each.verdict == 'passed' for each in chosen)}/{len(chosen)}" if chosen else "-"


def failures(outcomes: Sequence[Outcome]) -> str:
    parts = []
    for each in outcomes:
        if each.verdict != "failed":
            continue
        steps = "".join(f"\n    $ {step}" for step in each.steps[-4:])
        why = f"\n    on machines like this dockerd fails, too: {each.machine}" if each.machine else ""
        difference = each.difference.replace("\n", "\n    ")
        parts.append(
            f"{each.engine}: {each.client}/{each.area}: {each.name} ({each.place}){steps}\n    {difference}{why}"
        )
    return "\n\n".join(parts)


def left_out(outcomes: Sequence[Outcome]) -> str:
    reasons: dict[tuple[str, str], int] = {}
    for each in outcomes:
        if each.verdict == "not run":
            reasons[each.client, each.difference] = reasons.get((each.client, each.difference), 0) + 1
    return "\n".join(f"not run: {number} of {client}: {reason}" for (client, reason), number in reasons.items())
