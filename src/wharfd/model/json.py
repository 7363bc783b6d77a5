"""The types of a decoded JSON value, for the borders where a document has no record of its own.

`Any` is confined to these two names: `api/codec`, `api/versions` and the OCI formats in `wire` use them.
"""

from typing import Any

Json = Any
JsonObject = dict[str, Any]
