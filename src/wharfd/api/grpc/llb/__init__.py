"""LLB, the graphs that BuildKit's clients send, and the builder's own: the one into the other and back, without loss.

graph = decode_definition(definition)          # Output | None, and where its vertices stand in which files
definition = encode_definition(output)
"""

from wharfd.api.grpc.llb.decode import Decoded, decode_definition
from wharfd.api.grpc.llb.encode import encode_definition

__all__ = ["Decoded", "decode_definition", "encode_definition"]
