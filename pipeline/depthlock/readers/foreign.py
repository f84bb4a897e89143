"""Formats of instruments that depthlock knows by sight but does not read: what to export instead."""

from __future__ import annotations

from depthlock.readers.phi_header import of_tofsims, parse_header

_PHI_RAW = (
    "convert it to tof-sims-sparse-hdf5 (.h5) with PHI's own exporter, which depthlock reads in full; how the raw "
    "file's words code scan, pixel and detector is not public, and a guess could not be checked"
)


def foreign(head: bytes) -> tuple[str, str] | None:
    """What a file of an unread format is, and what to do; None for a file of no such format.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    """
    if of_tofsims(head):
        header = parse_header(head)
        version = header.text("RawFileFormatVersion") or header.text("SoftwareVersion") or "not stated"
        return f"a raw file of PHI's TOF-SIMS (.raw, version {version})", _PHI_RAW
    return None
