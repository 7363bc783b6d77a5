"""BuildKit's doors: gRPC on hijacked connections, translated to and from `engine/build`.

    rpc.py          one connection, either role: calls, their messages, deadlines, ends
    methods.py      typed handlers out of functions            failures.py     errors to statuses and back
    control.py  gateway.py  content.py  health.py              what the engine serves on /grpc
    session.py      what the client serves on /session         filesync.py  filesend.py
    llb.py  progress.py  results.py                            messages to the builder's values and back
    door.py         the routes' side

Everything here is imported when the first client comes: protobuf and the messages cost memory that an engine without builds need not
have.
"""
