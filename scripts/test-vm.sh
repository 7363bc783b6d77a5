#!/bin/sh
# The quickstart, the container tests and the life of the systemd unit in fresh Debian machines with systemd and cgroup v2.
#
#   ./wharf test-vm [SUITE…]        SUITE: bookworm, trixie (default: both, one after the other)
#
# What is tested is the last commit.  Needs root on a Debian host and 4 GB of memory.  The machines (qemu; emulated where there is no KVM,
# then two hours each) are kept in $WHARF_VM_DIR (default /var/tmp/wharf-vm); making one takes some minutes.  None is left running.
#   WHARF_VM_ONLY   parts: quickstart tests unit
#   WHARF_VM_DRIVERS  cgroup drivers of the container tests: systemd cgroupfs
#   WHARF_VM_FRESH  no: go on with the machine as it is
#   WHARF_VM_TESTS  what is given to pytest with either cgroup driver, instead of ours
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
place=${WHARF_VM_DIR:-/var/tmp/wharf-vm}
parts=${WHARF_VM_ONLY:-quickstart tests unit}
# Without those that kill the engine a hundred times, which show nothing of the machine.
all_tests="tests/integration/engine tests/contract/test_runtime_driver.py tests/integration/runtime tests/integration/network
    tests/integration/sys --ignore=tests/integration/engine/test_kill_at_every_step.py --ignore=tests/integration/engine/test_stress.py
    --ignore=tests/integration/engine/test_random_clients.py"
# Those that depend on the cgroup driver; logs, networks and the like do not.
engine=tests/integration/engine
cgroup_tests="$engine/test_apparmor.py $engine/test_isolation.py $engine/test_life.py $engine/test_limits.py $engine/test_stats.py
    $engine/test_survival.py tests/contract/test_runtime_driver.py tests/integration/runtime/test_processes.py
    tests/integration/runtime/test_survival.py"
export TMPDIR="${TMPDIR:-/tmp}" VM_MEM="${VM_MEM:-3072}"
say() { printf '\n== %s %s: %s\n' "$(date +%T)" "$suite" "$*"; }
has() { case " $parts " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
vm() { verb=$1; shift; sh "$here/scripts/vm.sh" "$verb" "$dir" "$@"; }
guest() { vm run "cd /root/wharfd && export WHARF_TEST_PATIENCE=20 PIP_NO_COMPILE=1 && $1"; }
life() { guest "PYTHONPATH=src:. .venv/bin/python -m tests.vm.life $1"; }
# logged NAME COMMAND: its output goes to a file, and is shown if it fails.
logged() { guest "$2" > "$dir/$1.log" 2>&1 || { cat "$dir/$1.log"; return 1; }; }
dir=
trap 'if [ -n "$dir" ]; then vm cut || true; fi' EXIT
trap 'exit 130' INT TERM

# pytest in the guest, as a unit: a login of root has a bus of its own, under which crun would put the scopes.
tests() {
    guest "systemd-run --quiet --wait --pipe --collect -p Delegate=yes -p WorkingDirectory=/root/wharfd \
        -E PIP_NO_COMPILE=1 -E WHARF_TEST_PATIENCE=20 -E WHARF_TEST_CGROUP_DRIVER=$1 /root/wharfd/wharf test -q -p no:cacheprovider --timeout 1800 $2"
}

quickstart() {
    say "quickstart, twice"
    for log in quickstart quickstart-again; do
        logged $log './wharf quickstart' && grep -q 'hello world$' "$dir/$log.log" || { cat "$dir/$log.log"; return 1; }
        tail -4 "$dir/$log.log"
    done
}

# container_tests DRIVER TESTS
container_tests() {
    say "container tests, cgroup driver $1"
    tests "$1" "$(echo ${WHARF_VM_TESTS:-$2})"
}

running() { guest 'systemctl is-active wharfd.service && stat -c "%n is %A %U:%G" /run/wharfd.sock | grep -e "srw-rw---- root:docker"'; }

unit() {
    say "installing the unit"
    logged busybox 'apt-get -q update && apt-get -qy --no-install-recommends install busybox-static'
    guest 'getent group docker || echo "no group docker yet"'
    logged install './wharf install'
    guest 'systemctl is-enabled wharfd.service wharfd.socket'
    running
    life 'prepare /root/written'
    say "reboot"
    vm reboot
    running
    life 'check /root/written'
    say "power cut, while containers are being created"
    : > "$dir/churned"
    life churn > "$dir/churned" 2>/dev/null &
    churning=$!
    tries=0
    until [ "$(wc -l < "$dir/churned")" -ge 10 ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "no containers are created"; return 1; }
        sleep 1
    done
    vm cut
    wait $churning || true
    vm start
    running
    vm copy "$dir/churned" /root
    life 'answered /root/churned'
    life 'check /root/written'
    say "engine killed, restarted, started by its socket"
    guest 'systemctl kill --signal=KILL --kill-whom=main wharfd.service; sleep 5; curl -sS --unix-socket /run/wharfd.sock http://w/_ping; echo'
    life 'check /root/written'
    guest 'systemctl restart wharfd.service'
    life 'check /root/written'
    guest 'systemctl stop wharfd.service && curl -sS --unix-socket /run/wharfd.sock http://w/_ping; echo'
    life 'check /root/written'
    life remove
    guest 'journalctl -q --no-pager -u wharfd.service | grep -i -e traceback -e " error " && exit 1 || true'
}

# part NAME [ARG…]: one part, ended by its first error; those behind it still run.
part() {
    set +e
    ( set -e; trap - EXIT; "$@" )
    status=$?
    set -e
    if [ $status = 0 ]; then say "passed: $1 ${2:-}"; else say "FAILED: $1 ${2:-}"; failed="$failed $suite: $1 ${2:-};"; fi
}

failed=
for suite in ${@:-bookworm trixie}; do
    dir=$place/$suite
    mkdir -p "$dir"
    [ -e "$dir/base.img" ] || { say "making the machine"; vm make "$suite"; }
    if [ "${WHARF_VM_FRESH:-yes}" = yes ]; then
        say "a fresh machine"
        vm stop >/dev/null 2>&1 || true
        rm -f "$dir/disk.qcow2"
        vm start
    else
        vm run true 2>/dev/null || vm start
    fi
    clone=$(mktemp -d)
    git clone -q --no-hardlinks "$here" "$clone/wharfd"
    vm copy "$clone/wharfd" /root/wharfd
    rm -rf "$clone"
    # The machine boots from files outside of itself.
    guest 'sed -i s/^update_initramfs=.*/update_initramfs=no/ /etc/initramfs-tools/update-initramfs.conf'
    guest 'uname -r; /usr/bin/python3 --version; systemctl --version | head -1'
    if has quickstart; then part quickstart; fi
    if has tests; then
        for driver in ${WHARF_VM_DRIVERS:-systemd cgroupfs}; do
            if [ "$driver" = systemd ]; then part container_tests systemd "$all_tests"; fi
            if [ "$driver" = cgroupfs ]; then part container_tests cgroupfs "$cgroup_tests"; fi
        done
    fi
    if has unit; then part unit; fi
    vm stop
    dir=
done
if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
