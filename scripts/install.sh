#!/bin/sh
# Install the systemd units of this checkout; the engine then starts at boot.  Arguments are flags of `wharfd serve`.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python=${WHARF_VENV:-$here/.venv}/bin/python
[ -d /run/systemd/system ] || { echo "install: systemd does not run here; use ./wharf serve" >&2; exit 1; }
getent group docker >/dev/null || groupadd --system docker
sed -e "s|@HERE@|$here|g" -e "s|@PYTHON@|$python|g" -e "s|@FLAGS@|$*|g" "$here/packaging/wharfd.service.in" > /etc/systemd/system/wharfd.service
cp "$here/packaging/wharfd.socket" /etc/systemd/system/wharfd.socket
systemctl daemon-reload
# The engine that quickstart has started uses the same socket and data; its containers go on under the unit.
systemctl stop wharfd-quickstart.service 2>/dev/null || true
systemctl enable --now wharfd.socket wharfd.service
systemctl --no-pager --lines=0 status wharfd.service
