"""How far a long stage is. It is told through a logger, so that readers and science need not know who listens."""

from __future__ import annotations

import logging

PROGRESS = logging.getLogger("depthlock.progress")
"""A job of the workflow shows its messages (level INFO) as what it is doing."""
