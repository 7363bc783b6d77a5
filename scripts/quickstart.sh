#!/bin/sh
# Start the engine if none answers, make sure that a base image is there, run the README's curl session.  Called by ./wharf quickstart.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python=${WHARF_VENV:-$here/.venv}/bin/python
socket=${WHARF_SOCKET:-/run/wharfd.sock}
log=${WHARF_LOG:-/var/log/wharfd.log}
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }
api() { curl -sS --unix-socket "$socket" "$@"; }
answers() { [ "$(api http://wharfd/_ping 2>/dev/null)" = OK ]; }

start_engine() {
    if [ -d /run/systemd/system ]; then
        # As a unit of its own: it outlives this login, and its containers' cgroups belong to the system.
        if systemctl cat wharfd.service >/dev/null 2>&1; then
            systemctl start wharfd.service
        else
            systemctl reset-failed wharfd-quickstart.service 2>/dev/null || true
            systemd-run --quiet --unit=wharfd-quickstart --property=Delegate=yes --property=KillMode=process \
                --property=TasksMax=infinity --property=LimitNOFILE=1048576 --setenv=PYTHONPATH="$here/src" \
                "$python" -m wharfd serve -H "unix://$socket" "$@"
        fi
    else
        PYTHONPATH=$here/src setsid nohup "$python" -m wharfd serve -H "unix://$socket" "$@" >> "$log" 2>&1 < /dev/null &
    fi
    tries=0
    until answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { tail -20 "$log" >&2 2>/dev/null; die "the engine does not answer on $socket"; }
        sleep 0.1
    done
}

if answers; then echo "# an engine answers on $socket already"; else echo "# starting the engine on $socket"; start_engine "$@"; fi

# The base image: alpine, where a registry can be reached; else one made here from Debian's busybox-static, under its own name.
image=alpine
if [ "$(api -o /dev/null -w '%{http_code}' http://wharfd/images/alpine/json)" != 200 ]; then
    pulled=$(api -X POST 'http://wharfd/images/create?fromImage=alpine&tag=latest' || true)
    if [ "$(api -o /dev/null -w '%{http_code}' http://wharfd/images/alpine/json)" != 200 ]; then
        image=wharfd/busybox:local
        reason=$(printf '%s' "$pulled" | tail -n 1 | jq -r '.message // .error // empty' 2>/dev/null || true)
        echo "# alpine is not to be had here${reason:+ ($reason)}; the session uses $image, made from Debian's busybox-static"
        if [ "$(api -o /dev/null -w '%{http_code}' "http://wharfd/images/$image/json")" != 200 ]; then
            PYTHONPATH=$here/src "$python" -m wharfd base-image - |
                api -X POST -H 'Content-Type: application/x-tar' --data-binary @- http://wharfd/images/load | jq -rj '.stream // .error // empty'
        fi
    fi
fi

show() { printf '\n$ %s\n' "$*"; }

show "curl --unix-socket $socket http:/v1.40/containers/json"
curl -sS --unix-socket "$socket" http:/v1.40/containers/json

body="{\"Image\": \"$image\", \"Cmd\": [\"echo\", \"hello world\"]}"
show "curl --unix-socket $socket -H \"Content-Type: application/json\" \\
    -d '$body' -X POST http:/v1.40/containers/create"
created=$(curl -sS --unix-socket "$socket" -H "Content-Type: application/json" -d "$body" -X POST http:/v1.40/containers/create)
printf '%s\n' "$created"
id=$(printf '%s' "$created" | jq -r '.Id // empty' | cut -c1-12)
[ -n "$id" ] || die "no container was created"

show "curl --unix-socket $socket -X POST http:/v1.40//containers/$id/start"
curl -sS --unix-socket "$socket" -X POST "http:/v1.40//containers/$id/start"
code=$(curl -sS --unix-socket "$socket" -X POST "http:/v1.40/containers/$id/wait" | jq -r .StatusCode)
[ "$code" = 0 ] || die "the container ended with $code"

show "curl --unix-socket $socket \"http:/v1.40/containers/$id/json\" | jq"
curl -sS --unix-socket "$socket" "http:/v1.40/containers/$id/json" | jq

show "curl --unix-socket $socket \"http:/v1.40/containers/$id/logs?stdout=1\" --output -"
curl -sS --unix-socket "$socket" "http:/v1.40/containers/$id/logs?stdout=1" --output -

printf '\nThe engine goes on running.  Point a docker client at it:  export DOCKER_HOST=unix://%s\n' "$socket"
if [ ! -d /run/systemd/system ]; then
    printf 'Its log: %s.  ' "$log"
    [ $# -gt 0 ] || [ "$socket" != /run/wharfd.sock ] || printf 'Stop it: kill $(cat /run/wharfd.pid)  (containers go on).'
    echo
elif systemctl is-active --quiet wharfd.service; then
    echo "Its log: journalctl -u wharfd.  Stop it: systemctl stop wharfd  (containers go on)."
else
    echo "Its log: journalctl -u wharfd-quickstart.  Stop it: systemctl stop wharfd-quickstart  (containers go on)."
fi
