#!/bin/sh
# Fetch Debian's newest docker command line with its compose and buildx plugins into a directory of its own; nothing is installed.
# usage: docker-client.sh DIRECTORY
set -eu
mkdir -p "$1"
place=$(cd "$1" && pwd)
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\([a-z]*:[^ ]*\).*/\2/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null | head -1)
[ -n "$mirror" ] || { echo "docker-client.sh: apt knows no mirror" >&2; exit 1; }
apt=$place/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$place/config/cli-plugins"
echo "deb $mirror sid main" > "$apt/sources.list"
cd "$apt"
options="-q -o Dir::Etc::SourceList=$apt/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$apt/lists
    -o Dir::Cache=$apt -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none
    -o Acquire::Check-Valid-Until=false"
# shellcheck disable=SC2086
{ apt-get $options update && apt-get $options download docker-cli docker-buildx docker-compose; } > "$apt/log" 2>&1 || { cat "$apt/log" >&2; exit 1; }
for package in ./*.deb; do dpkg -x "$package" "$apt/root"; done
for plugin in docker-buildx docker-compose; do
    mv "$(find "$apt/root" -type f -size +1M -name "$plugin" | head -1)" "$place/config/cli-plugins/"
done
mv "$apt/root/usr/bin/docker" "$place/docker"
rm -rf "$apt"
