#!/bin/sh
# Lint, types and all tests; napari's run in a real window on a virtual screen.
# usage: CORES=2 test.sh BIN
set -eu
bin=$1
cores=${CORES:-2}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"

# What napari needs for a real window without a screen.
if sh .ci/debian_packages.sh xvfb xauth libgl1 libgl1-mesa-dri libglx-mesa0 libegl1 libglib2.0-0 libfontconfig1 \
    libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0; then
    window="xvfb-run --auto-servernum --server-args=-screen\ 0\ 1600x1000x24"
elif [ "${CI:-}" = true ]; then
    echo "depthlock: CI cannot open a window" >&2
    exit 1
else
    echo "depthlock: the tests that open a napari window are left out"
    window=
fi

status=0
"$bin/python" -m pytest -m "not window" -n "$cores" --dist loadfile || status=$?
if [ -n "$window" ]; then
    eval "$window" '"$bin/python"' -m pytest -m window || status=$?
fi
exit $status
