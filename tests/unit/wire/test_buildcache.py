import msgspec
import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.buildcache import (
    CachedLayer,
    CachedStep,
    CacheWriter,
    decode_cache,
    decode_inline,
    encode_inline,
)
from wharfd.wire.oci import Descriptor


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def layer(number: int) -> CachedLayer:
    return CachedLayer(
        digest=digest(number),
        size=number,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        diff_id=digest(100 + number),
        created_ns=number * 10**9,
    )


def test_what_is_written_is_read() -> None:
    writer = CacheWriter()
    writer.add(digest(11), [digest(21)], [layer(1)], 5)
    writer.add(digest(12), [], [layer(1), layer(2)])
    writer.add(digest(13), [digest(23), digest(24)], None)
    writer.add(digest(14), [], [layer(1), layer(3), layer(2)])
    writer.add(digest(15), [], [])
    table = decode_cache(writer.encode(), {})
    found = {step.key: (step.quick_keys, table.chain(step)) for step in table.steps}
    assert found == {
        digest(11): ((digest(21),), (layer(1),)),
        digest(12): ((), (layer(1), layer(2))),
        digest(13): ((digest(23), digest(24)), None),
        digest(14): ((), (layer(1), layer(3), layer(2))),
        digest(15): ((), ()),
    }


def test_layers_are_written_once_and_told_by_their_descriptors() -> None:
    writer = CacheWriter()
    writer.add(digest(11), [], [layer(1)])
    writer.add(digest(12), [], [layer(1), layer(2)])
    assert writer.layers == [layer(1), layer(2)]
    config = msgspec.json.decode(writer.encode())
    assert [(each["blob"], each["parent"]) for each in config["layers"]] == [(digest(1), -1), (digest(2), 0)]
    for each in config["layers"]:
        del each["annotations"]
    descriptors = {str(each.digest): each.descriptor() for each in writer.layers}
    table = decode_cache(msgspec.json.encode(config), descriptors)
    assert list(table.layers) == [layer(1), layer(2)]


def test_the_inline_form_counts_the_layers_of_the_image() -> None:
    steps = [
        CachedStep(key=digest(11), quick_keys=(digest(21),), layers=(0, 1)),
        CachedStep(key=digest(12), layers=(0, 2)),
        CachedStep(key=digest(13)),
    ]
    data = encode_inline(steps, 3)
    table = decode_inline(data, [layer(1), layer(2), layer(3)])
    chains = {step.key: table.chain(step) for step in table.steps}
    assert chains == {digest(11): (layer(1), layer(2)), digest(12): (layer(1), layer(3))}


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b'{"layers":[{"blob":"sha256:1"}]}',
        b'{"records":[{"digest":"sha256:00","inputs":[[{"link":7}]]}]}',
    ],
)
def test_a_broken_cache_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        decode_cache(data, {})


@pytest.mark.parametrize("number", [-2, 2, 0])
def test_layers_that_are_not_there_or_stand_on_themselves_are_refused_when_they_are_wanted(number: int) -> None:
    ring = [{"blob": digest(n), "parent": 1 - n} for n in range(2)]
    record = {"digest": digest(9), "layers": [{"layer": number}]}
    descriptors: dict[str, Descriptor] = {digest(n): layer(n).descriptor() for n in range(2)}
    table = decode_cache(msgspec.json.encode({"layers": ring, "records": [record]}), descriptors)
    with pytest.raises(InvalidParameter):
        table.chain(table.steps[0])


def test_records_of_another_builder_are_no_trouble() -> None:
    data = b'[{"digest":"sha256:aa"},{"digest":"sha256:bb","layers":[{"layer":0}],"inputs":[[{"selector":"x","link":0}],null]}]'
    table = decode_inline(data, [layer(1)])
    assert [step.key for step in table.steps] == ["sha256:bb"]
