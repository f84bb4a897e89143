"""Formats of instruments that depthlock knows by sight but does not read: what to export instead."""

from __future__ import annotations


def foreign(head: bytes) -> tuple[str, str] | None:
    """What a file of an unread format is, and what to do; None for a file of no such format.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    """
    if head.startswith(b"AAMVHFSS"):
        return "a Bruker spectrum image (.bcf)", "name the TEM image of the layer; element maps are no TEM image"
    return None
