#!/bin/sh
# Write the versions installed now as the ones to install from here on.
set -eu
{
    echo "# Versions that depthlock is tested with; 'make' installs exactly these. Renew with 'make constraints'."
    "$1/pip" freeze --exclude-editable
} >constraints.txt
