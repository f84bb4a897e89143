#!/bin/sh
# Install those of the named Debian packages that are missing; say which, and fail, where that is not allowed.
set -eu
missing=
for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || { echo "depthlock: missing system packages (Debian's names):$missing" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "depthlock: missing Debian packages; as root: apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of packages
$as_root apt-get install -qq --no-install-recommends $missing >/dev/null
