"""Build checks: their names and descriptions, and what a file or a caller says of them.

    # check=skip=JSONArgsRecommended,StageNameCasing;experimental=all;error=true

Experimental ones are looked at only where somebody asks for them.  Names, texts and addresses are those of BuildKit's linter.
"""

from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.quoting import quote

DOCS = "https://docs.docker.com/go/dockerfile/rule/"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    page: str
    description: str
    is_experimental: bool = False

    @property
    def url(self) -> str:
        return f"{DOCS}{self.page}/" if self.page else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """`skips_all`, `takes_all`: all rules; all experimental ones."""

    skipped: frozenset[str] = frozenset()
    skips_all: bool = False
    experimental: frozenset[str] = frozenset()
    takes_all: bool = False
    is_error: bool = False

    def wants(self, rule: Rule) -> bool:
        if rule.is_experimental:
            return self.takes_all or rule.name in self.experimental
        return not (self.skips_all or rule.name in self.skipped)


def parse_check_options(text: str) -> CheckOptions:
    """Raises InvalidParameter."""
    skipped: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    is_error = False
    text = text.strip()
    for part in text.split(";", 2) if text else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise InvalidParameter(f"invalid check option {quote(part)}")
        key, value = key.strip(), value.strip()
        match key:
            case "skip":
                skipped = names(value)
            case "experimental":
                experimental = names(value)
            case "error":
                if value not in _TRUE + _FALSE:
                    said = f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"
                    raise InvalidParameter(f"failed to parse check option {quote(part)}: {said}")
                is_error = value in _TRUE
            case _:
                raise InvalidParameter(f"invalid check option {quote(key)}")
    return CheckOptions(
        skipped=skipped,
        skips_all=skipped == {"all"},
        experimental=experimental,
        takes_all=experimental == {"all"},
        is_error=is_error,
    )


def names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


STAGE_NAME_CASING = Rule("StageNameCasing", "stage-name-casing", "Stage names should be lowercase")
FROM_AS_CASING = Rule("FromAsCasing", "from-as-casing", "The 'as' keyword should match the case of the 'from' keyword")
NO_EMPTY_CONTINUATION = Rule(
    "NoEmptyContinuation",
    "no-empty-continuation",
    "Empty continuation lines will become errors in a future release",
)
CONSISTENT_INSTRUCTION_CASING = Rule(
    "ConsistentInstructionCasing",
    "consistent-instruction-casing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
)
DUPLICATE_STAGE_NAME = Rule("DuplicateStageName", "duplicate-stage-name", "Stage names should be unique")
RESERVED_STAGE_NAME = Rule(
    "ReservedStageName", "reserved-stage-name", "Reserved words should not be used as stage names"
)
JSON_ARGS_RECOMMENDED = Rule(
    "JSONArgsRecommended",
    "json-args-recommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
)
MAINTAINER_DEPRECATED = Rule(
    "MaintainerDeprecated",
    "maintainer-deprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
)
UNDEFINED_ARG_IN_FROM = Rule("UndefinedArgInFrom", "undefined-arg-in-from", "FROM command must use declared ARGs")
WORKDIR_RELATIVE_PATH = Rule(
    "WorkdirRelativePath",
    "workdir-relative-path",
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the "
    "base image changes",
)
UNDEFINED_VAR = Rule("UndefinedVar", "undefined-var", "Variables should be defined before their use")
MULTIPLE_INSTRUCTIONS_DISALLOWED = Rule(
    "MultipleInstructionsDisallowed",
    "multiple-instructions-disallowed",
    "Multiple instructions of the same type should not be used in the same stage",
)
LEGACY_KEY_VALUE_FORMAT = Rule(
    "LegacyKeyValueFormat",
    "legacy-key-value-format",
    "Legacy key/value format with whitespace separator should not be used",
)
INVALID_BASE_IMAGE_PLATFORM = Rule(
    "InvalidBaseImagePlatform", "", "Base image platform does not match expected target platform"
)
REDUNDANT_TARGET_PLATFORM = Rule(
    "RedundantTargetPlatform",
    "redundant-target-platform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
)
SECRETS_USED_IN_ARG_OR_ENV = Rule(
    "SecretsUsedInArgOrEnv",
    "secrets-used-in-arg-or-env",
    "Sensitive data should not be used in the ARG or ENV commands",
)
INVALID_DEFAULT_ARG_IN_FROM = Rule(
    "InvalidDefaultArgInFrom",
    "invalid-default-arg-in-from",
    "Default value for global ARG results in an empty or invalid base image name",
)
FROM_PLATFORM_FLAG_CONST_DISALLOWED = Rule(
    "FromPlatformFlagConstDisallowed",
    "from-platform-flag-const-disallowed",
    "FROM --platform flag should not use a constant value",
)
COPY_IGNORED_FILE = Rule(
    "CopyIgnoredFile", "copy-ignored-file", "Attempting to Copy file that is excluded by .dockerignore", True
)
INVALID_DEFINITION_DESCRIPTION = Rule(
    "InvalidDefinitionDescription",
    "invalid-definition-description",
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not "
    "intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    True,
)
EXPOSE_PROTO_CASING = Rule(
    "ExposeProtoCasing", "expose-proto-casing", "Protocol in EXPOSE instruction should be lowercase"
)
EXPOSE_INVALID_FORMAT = Rule(
    "ExposeInvalidFormat",
    "expose-invalid-format",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future "
    "release",
)
