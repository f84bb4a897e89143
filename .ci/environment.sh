#!/bin/sh
# Make a virtual environment and install depthlock into it, with the versions of constraints.txt.
# usage: environment.sh PYTHON VENV WHAT     (WHAT: "." or ".[extra,...]")
set -eu
python=$1
venv=$2
what=$3

stop() {
    echo "depthlock: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || stop "there is no '$python'. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "found $("$python" --version); depthlock needs Python 3.11 or newer: make PYTHON=python3.12 ..."

if [ ! -x "$venv/bin/pip" ]; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        # Debian ships Python without venv; the package's name carries Python's version.
        package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
        echo "depthlock: this Python cannot make a virtual environment; it needs the Debian package $package"
        sh "$(dirname "$0")/debian_packages.sh" "$package" || stop "install $package, then run make again"
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$what"
