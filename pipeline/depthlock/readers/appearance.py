"""What a file that no reader knows seems to be, in a few words for the message."""

from __future__ import annotations

from pathlib import Path

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or an Office document)"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"ITStrF01", "an IONTOF container (.ita, .itm), which depthlock does not read; export it from SurfaceLab"),
    (b"II*\x00", "a TIFF file"),
    (b"MM\x00*", "a TIFF file"),
    (b"CDF", "a classic netCDF file"),
)


def appearance(path: str | Path, head: bytes) -> str:
    """Say in a few words what a file looks like, for the message that nobody could read it."""
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _hdf5_appearance(path)
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return f"it is {what}"
    if b"\0" in head or not _is_text(head):
        return f"it is binary and begins with the bytes {head[:8].hex(' ')}"
    if b"specs.de" in head or b"XMLSerializer" in head:
        return "it is a SPECS SpecsLab file (.xml), which SPECS' software exports as VAMAS or .xy"
    lines = [line.strip() for line in head.decode("latin-1").splitlines() if line.strip()]
    if not lines:
        return "it is text with nothing but blank lines"
    first = lines[0] if len(lines[0]) <= 60 else lines[0][:57] + "..."
    return f"it is text that begins with {first!r}"


def _is_text(head: bytes) -> bool:
    odd = sum(byte < 32 and byte not in (9, 10, 12, 13) for byte in head)
    return odd <= len(head) // 100


def _hdf5_appearance(path: str | Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            inside = ", ".join(list(file)[:8]) or "nothing"
    except OSError as error:
        return f"it is an HDF5 file that is damaged or cut off ({error})"
    return f"it is an HDF5 file of another kind, holding {inside}"
