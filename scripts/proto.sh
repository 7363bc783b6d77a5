#!/bin/sh
# Generate src/wharfd/wire/proto/*_pb2.py from the .proto files.
# usage: proto.sh PYTHON [OUT]      PYTHON has grpcio-tools 1.76 (its protobuf 6 makes code that runs on protobuf 6 and 7)
set -eu
cd "$(dirname "$0")/.."
python=$1 out=${2:-src}
"$python" -m grpc_tools.protoc -I src --python_out="$out" --pyi_out="$out" src/wharfd/wire/proto/*.proto
[ "$out" != src ] || { cd src/wharfd/wire/proto && sha256sum -- *.proto *_pb2.py *_pb2.pyi > SHA256SUMS; }
