"""``python -m depthlock``."""

from __future__ import annotations

import sys

from depthlock.cli import main

if __name__ == "__main__":
    sys.exit(main())
