"""Tracked connections of any bytes: a flow, None, or ValueError; what was read can be named again."""

from wharfd.wire.conntrack import UDP, decode_flow, del_flow, dump_flows

SEEDS = [
    dump_flows(False, UDP, 53).body,
    bytes.fromhex(
        "02000000340001801400018008000100c000020908000200c00002011c000280050001001100000006000200"
        "9c4000000600030 01f75000008000c0012345678".replace(" ", "")
    ),
]


def fuzz_one(data: bytes) -> None:
    try:
        flow = decode_flow(data)
    except ValueError:
        return
    if flow is not None:
        again = decode_flow(del_flow(flow).body)
        assert again is not None
        assert (again.destination, again.port, again.protocol) == (flow.destination, flow.port, flow.protocol)
