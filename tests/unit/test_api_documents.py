"""The reduced API documents are whole, and the schemas made from them can say no."""

import pytest

from tests.spec.documents import check_answer, document, documented_versions


def test_newest_document_has_108_operations() -> None:
    assert len(document("1.55").operations()) == 108


@pytest.mark.parametrize("version", documented_versions())
def test_every_response_schema_can_be_built(version: str) -> None:
    doc = document(version)
    for method, path in doc.operations():
        for status in doc.operation(method, path)["responses"]:
            if status.isdigit():
                doc.response_schema(method, path, int(status))


def test_a_wrong_type_is_seen() -> None:
    good = {"Id": "x", "Warnings": []}
    check_answer("1.44", "POST", "/containers/create", 201, good)
    with pytest.raises(AssertionError, match="Warnings"):
        check_answer("1.44", "POST", "/containers/create", 201, {"Id": "x", "Warnings": "none"})


def test_an_undocumented_status_is_seen() -> None:
    with pytest.raises(AssertionError, match="418"):
        check_answer("1.44", "GET", "/containers/json", 418, [])
