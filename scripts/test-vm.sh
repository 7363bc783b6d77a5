#!/bin/sh
# The quickstart, the container tests and the life of the systemd unit in fresh Debian machines with systemd and cgroup v2.
#
#   ./wharf test-vm [SUITE…]        SUITE: bookworm, trixie (default: both)
#
# The machines (qemu; emulated where there is no KVM) are kept in $WHARF_VM_DIR (default /var/tmp/wharf-vm); making one takes some minutes.
# WHARF_VM_ONLY="quickstart tests unit" chooses parts.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
place=${WHARF_VM_DIR:-/var/tmp/wharf-vm}
parts=${WHARF_VM_ONLY:-quickstart tests unit}
export TMPDIR="${TMPDIR:-/tmp}" VM_MEM="${VM_MEM:-3072}"
say() { printf '\n== %s\n' "$*"; }
has() { case " $parts " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

in_suite() {
    suite=$1 dir=$place/$1
    vm() { verb=$1; shift; sh "$here/scripts/vm.sh" "$verb" "$dir" "$@"; }
    guest() { vm run "cd /root/wharfd && export WHARF_TEST_PATIENCE=20 PIP_CERT=/etc/ssl/certs/ca-certificates.crt && $1"; }
    api() { guest "curl -sS --max-time 120 --unix-socket /run/wharfd.sock $1"; }

    mkdir -p "$dir"
    [ -e "$dir/base.img" ] || { say "$suite: making the machine"; vm make "$suite"; }
    say "$suite: starting afresh"
    vm stop >/dev/null 2>&1 || true
    rm -f "$dir/disk.qcow2"
    vm start
    clone=$(mktemp -d)
    git clone -q "$here" "$clone/wharfd"
    vm copy "$clone/wharfd" /root/wharfd
    rm -rf "$clone"

    if has quickstart; then
        say "$suite: quickstart, twice"
        guest './wharf quickstart' > "$dir/quickstart.log" 2>&1 || { cat "$dir/quickstart.log"; return 1; }
        grep -q 'hello world$' "$dir/quickstart.log" || { cat "$dir/quickstart.log"; return 1; }
        guest './wharf quickstart' > "$dir/quickstart.log" 2>&1 || { cat "$dir/quickstart.log"; return 1; }
        tail -4 "$dir/quickstart.log"
        guest 'systemctl stop wharfd-quickstart.service'
    fi
    if has tests; then
        for driver in systemd cgroupfs; do
            say "$suite: container tests, cgroup driver $driver"
            # As a unit: a login of root has a bus of its own, under which crun would put the scopes.
            guest "systemd-run --quiet --wait --pipe --collect -p Delegate=yes -p WorkingDirectory=/root/wharfd \
                -E WHARF_TEST_PATIENCE=20 -E PIP_CERT=/etc/ssl/certs/ca-certificates.crt -E WHARF_TEST_CGROUP_DRIVER=$driver \
                ./wharf test -q --timeout 1800 tests/integration/engine"
        done
    fi
    if has unit; then
        say "$suite: systemd unit, reboot, power cut"
        guest './wharf install' > "$dir/install.log" 2>&1 || { cat "$dir/install.log"; return 1; }
        guest 'systemctl is-enabled wharfd.service wharfd.socket && systemctl is-active wharfd.service'
        guest 'PYTHONPATH=src .venv/bin/python -m wharfd base-image - |
            curl -sS --unix-socket /run/wharfd.sock -X POST -H "Content-Type: application/x-tar" --data-binary @- http://w/images/load'
        for name in first second; do
            policy=no; [ $name = first ] || policy=always
            api "-H 'Content-Type: application/json' 'http://w/containers/create?name=$name' -d '{
                \"Image\": \"wharfd/busybox:local\", \"Cmd\": [\"sleep\", \"100000\"], \"HostConfig\": {\"RestartPolicy\": {\"Name\": \"$policy\"}}}'"
            api "-X POST http://w/containers/$name/start"
        done
        check_unit() {
            guest 'systemctl is-active wharfd.service'
            api http://w/containers/first/json | grep -q '"Running":false' || { echo "first runs"; return 1; }
            api http://w/containers/second/json | grep -q '"Running":true' || { echo "second does not run"; return 1; }
        }
        vm reboot
        check_unit
        vm cut
        vm start
        check_unit
        guest 'systemctl restart wharfd.service'
        check_unit
    fi
    vm stop
    say "$suite: passed"
}

for suite in "${@:-bookworm trixie}"; do
    for one in $suite; do in_suite "$one"; done
done
