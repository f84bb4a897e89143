"""Formats of instruments that depthlock knows by sight but does not read: what to export instead."""

from __future__ import annotations

from pathlib import Path

from depthlock.model.errors import ReadError
from depthlock.readers.hdf5_access import HDF5_SIGNATURE, attribute, opened

_EVENTS = "export single ions as tof-sims-sparse-hdf5 (.h5), or depth profiles as SurfaceLab text"


def foreign(path: Path, head: bytes) -> tuple[str, str] | None:
    """What a file of an unread format is, and what to do; None for a file of no such format.

    Parameters
    ----------
    path : Path
    head : bytes
        The first bytes of the file.
    """
    if head.startswith(b"ITStrF01"):
        return "an IONTOF container (.ita, .itm)", "export the depth profile from SurfaceLab as text"
    if head.startswith(b"<") and b"<mzML" in head:
        return "an imzML image", _EVENTS
    if _is_cameca(head):
        return "a Cameca image stack (.im)", "export depth profiles as text; its masses are chosen, not a spectrum"
    if head.startswith(b"AAMVHFSS"):
        return "a Bruker spectrum image (.bcf)", "name the TEM image of the layer; element maps are no TEM image"
    if head.startswith(HDF5_SIGNATURE) and _is_tofwerk(path):
        return "a Tofwerk TofDAQ file", _EVENTS
    return None


def _is_cameca(head: bytes) -> bool:
    """Header of nanoSIMS and IMS files: version (at most 10000) and analysis type in either byte order."""
    if len(head) < 12:
        return False
    return any(
        int.from_bytes(head[4:8], order) in {21, 22, 26, 27, 29, 31, 35, 39, 40, 41}
        and 0 < int.from_bytes(head[:4], order) < 10000
        and 12 < int.from_bytes(head[8:12], order) < 1 << 24
        for order in ("little", "big")
    )


def _is_tofwerk(path: Path) -> bool:
    try:
        with opened(path) as file:
            return attribute(file, "TofDAQ Version", path) is not None
    except ReadError:
        return False
