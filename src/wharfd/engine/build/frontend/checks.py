"""What build checks find: a list of findings, and the checks that need nothing but the file."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from wharfd.engine.build.frontend import rules
from wharfd.engine.build.frontend.rules import CheckOptions, Rule
from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Arg, Command, Dockerfile, From, Instruction, Maintainer
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.suggest import nearest
from wharfd.wire.dockerfile.words import Rules, expand
from wharfd.wire.reference import parse_normalised

RESERVED_STAGE_NAMES = ("context", "scratch")

MAX_KNOWN = 500  # names among which a misspelt one is looked for
MAX_HINTS = 200  # findings with suggestions: who has more of them has other troubles

_SECRET = re.compile(
    "(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_PUBLIC = re.compile("(?:_|^)public(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    rule: Rule
    message: str
    lines: tuple[LineRange, ...]

    def __str__(self) -> str:
        """As it is shown among the warnings of a build."""
        line = f" (line {self.lines[0].start})" if self.lines else ""
        return f"{self.rule.name}: {self.message}{line}"


@dataclass(slots=True)
class Checks:
    options: CheckOptions
    findings: list[Finding] = field(default_factory=list)
    seen: set[Finding] = field(default_factory=set)

    def report(self, rule: Rule, message: str, *lines: LineRange) -> None:
        if self.options.wants(rule):
            finding = Finding(rule, message, lines)
            if finding not in self.seen:
                self.seen.add(finding)
                self.findings.append(finding)

    def error(self) -> InvalidParameter | None:
        """What the build ends with if findings are errors."""
        if not (self.options.is_error and self.findings):
            return None
        names = ", ".join(dict.fromkeys(finding.rule.name for finding in self.findings))
        return InvalidParameter(f"lint violation found for rules: {names}")

    def near(self, name: str, known: Collection[str]) -> str:
        return nearest(name, known) if len(known) <= MAX_KNOWN and len(self.findings) <= MAX_HINTS else ""

    def undefined_variables(self, unset: Iterable[str], known: Collection[str], lines: LineRange) -> None:
        for name in sorted(unset):
            near = self.near(name, known)
            suggestion = f" (did you mean ${near}?)" if near else ""
            self.report(rules.UNDEFINED_VAR, f"Usage of undefined variable '${name}'{suggestion}", lines)

    def undefined_arguments(self, unset: Iterable[str], known: Collection[str], lines: LineRange) -> None:
        for name in sorted(set(unset).difference(known)):
            near = self.near(name, known)
            suggestion = f" (did you mean {near}?)" if near else ""
            self.report(rules.UNDEFINED_ARG_IN_FROM, f"FROM argument '{name}' is not declared{suggestion}", lines)

    def secret(self, instruction: str, name: str, lines: LineRange) -> None:
        if _SECRET.search(name) and not _PUBLIC.search(name):
            message = f"Do not use ARG or ENV instructions for sensitive data ({instruction} {quote(name)})"
            self.report(rules.SECRETS_USED_IN_ARG_OR_ENV, message, lines)

    def legacy_format(self, instruction: str, lines: LineRange) -> None:
        message = f'"{instruction} key=value" should be used instead of legacy "{instruction} key value" format'
        self.report(rules.LEGACY_KEY_VALUE_FORMAT, message, lines)


def check_file(dockerfile: Dockerfile, checks: Checks) -> None:
    """What can be said of the file as it stands."""
    for line in dockerfile.empty_continuations:
        checks.report(rules.NO_EMPTY_CONTINUATION, "Empty continuation line", LineRange(line, line))
    for arg in dockerfile.global_args:
        check_descriptions(arg, checks)
    for stage in dockerfile.stages:
        check_from(stage.start, checks)
        for command in stage.commands:
            check_command(command, checks)
    check_stage_names(dockerfile, checks)
    check_casing(dockerfile, checks)


def check_from(start: From, checks: Checks) -> None:
    if start.written_name != start.written_name.lower():
        message = f"Stage name '{start.written_name}' should be lowercase"
        checks.report(rules.STAGE_NAME_CASING, message, start.lines)
    is_lower = start.name == start.name.lower()
    if is_lower or start.name == start.name.upper():
        wanted = start.keyword_as.lower() if is_lower else start.keyword_as.upper()
        if start.keyword_as != wanted:
            message = f"'{start.keyword_as}' and '{start.name}' keywords' casing do not match"
            checks.report(rules.FROM_AS_CASING, message, start.lines)
    if start.stage_name:
        check_description("FROM", [start.stage_name], start.comments, start.lines, checks)


def check_command(command: Command, checks: Checks) -> None:
    if isinstance(command, Maintainer):
        message = "Maintainer instruction is deprecated in favor of using label"
        checks.report(rules.MAINTAINER_DEPRECATED, message, command.lines)
    elif isinstance(command, Arg):
        check_descriptions(command, checks)


def check_descriptions(arg: Arg, checks: Checks) -> None:
    names = [definition.name for definition in arg.definitions]
    check_description("ARG", names, arg.comments, arg.lines, checks)


def check_description(
    instruction: str, names: list[str], comments: tuple[str, ...], lines: LineRange, checks: Checks
) -> None:
    if not comments or comments[-1].split(" ")[0] in names:
        return
    example = names[0] if len(names) == 1 else "<arg_key>"
    message = f"Comment for {instruction} should follow the format: `# {example} <description>`"
    checks.report(rules.INVALID_DEFINITION_DESCRIPTION, message, lines)


def check_stage_names(dockerfile: Dockerfile, checks: Checks) -> None:
    seen: set[str] = set()
    for stage in dockerfile.stages:
        name, lines = stage.start.stage_name, stage.start.lines
        if name in RESERVED_STAGE_NAMES:
            message = f"Stage name should not use the same name as reserved stage {quote(name)}"
            checks.report(rules.RESERVED_STAGE_NAME, message, lines)
        if name and name in seen:
            message = f"Duplicate stage name {quote(name)}, stage names should be unique"
            checks.report(rules.DUPLICATE_STAGE_NAME, message, lines)
        seen.add(name)


def check_casing(dockerfile: Dockerfile, checks: Checks) -> None:
    instructions: list[Instruction] = []
    for stage in dockerfile.stages:
        instructions += [stage.start, *stage.commands]
    lower = sum(each.name == each.name.lower() for each in instructions)
    upper = sum(each.name == each.name.upper() for each in instructions)
    wanted, casing = (str.lower, "lowercase") if lower > upper else (str.upper, "uppercase")
    for each in instructions:
        if each.name != wanted(each.name):
            message = f"Command '{each.name}' should match the case of the command majority ({casing})"
            checks.report(rules.CONSISTENT_INSTRUCTION_CASING, message, each.lines)


def check_base_names(dockerfile: Dockerfile, defaults: Mapping[str, str], words: Rules, checks: Checks) -> None:
    """Do the bases have names that can be, if nobody gives a build argument?  `defaults`: the variables then."""
    for stage in dockerfile.stages:
        start = stage.start
        try:
            parse_normalised(expand(start.base, defaults, words).text)
        except DockerfileError:
            return
        except InvalidParameter:
            message = f"Default value for ARG {start.base} results in empty or invalid base image name"
            checks.report(rules.INVALID_DEFAULT_ARG_IN_FROM, message, start.lines)
