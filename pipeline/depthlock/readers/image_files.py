"""Pictures out of microscope files: which format it is, and its planes with their axes as the file gives them."""

from __future__ import annotations

import gc
import importlib
import logging
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers import dm_tags
from depthlock.readers.hdf5_access import HDF5_SIGNATURE, opened
from depthlock.readers.image_scale import Axis, imagej_axes

_COPY = "copy or export the file again"


@dataclass(frozen=True)
class Picture:
    """One signal of a file.

    Attributes
    ----------
    data : ndarray, shape (..., y, x) or (..., y, x, 3 or 4)
        As stored; leading axes are frames or scan positions.
    axes : tuple of Axis
        One an axis of `data`, without that of the colours.
    title : str
        The file's own name for it.
    colour : bool
        Whether the last axis of `data` holds red, green, blue (and alpha).
    """

    data: NDArray[Any]
    axes: tuple[Axis, ...]
    title: str = ""
    colour: bool = False


@dataclass(frozen=True)
class ImageFormat:
    """A file format: how it begins, what users call it, and what reads it."""

    title: str
    begins: Callable[[bytes], bool]
    load: Callable[[Path], list[Picture]]


def format_of(path: Path, head: bytes) -> ImageFormat | None:
    """The format of a file by its first bytes; for HDF5 by its structure too.

    Raises
    ------
    ReadError
        For a file named .emd that is a damaged HDF5 file.
    """
    if head.startswith(HDF5_SIGNATURE):
        return _EMD if _is_emd(path) else None
    return next((known for known in FORMATS if known.begins(head)), None)


def _is_emd(path: Path) -> bool:
    import h5py

    try:
        with opened(path) as file:
            if "Version" in file and "Data" in file:  # Velox
                return True
            marked = [file, *(item for item in file.values() if isinstance(item, h5py.Group))]
            return any("version_major" in item.attrs or "emd_group_type" in item.attrs for item in marked)
    except ReadError:
        if path.suffix.lower() == ".emd":
            raise
        return False


@contextmanager
def third_party(title: str, path: Path) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into a `ReadError`; keep its warnings off the screen."""
    quiet = [logging.getLogger(name) for name in ("tifffile", "rsciio", "PIL")]
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except ReadError:
                raise
            except Exception as error:  # noqa: BLE001 (the libraries let through whatever they stumble over)
                first = (str(error).strip().splitlines() or [""])[0]
                # Their frames hold open files; dropped here, they close now and not at some later moment. The TIFF
                # library's files sit in reference cycles, which only a collection drops.
                traceback.clear_frames(error.__traceback__)
                if title == "TIFF":
                    gc.collect()
                raise ReadError(
                    f"the {title} file is damaged or cut short ({type(error).__name__}: {first})",
                    expected="a whole file",
                    where=str(path),
                    hint=_COPY,
                ) from None
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)


def _rosettasciio(plugin: str, title: str, suffix: str = "") -> Callable[[Path], list[Picture]]:
    """A loader through one plugin of rosettasciio; `suffix` where the plugin insists on the file's name."""

    def load(path: Path) -> list[Picture]:
        with third_party(title, path), _named(path, suffix) as name:
            reader = importlib.import_module(f"rsciio.{plugin}")
            signals = reader.file_reader(name, lazy=False)
            return [_picture(signal) for signal in signals]

    return load


@contextmanager
def _named(path: Path, suffix: str) -> Iterator[str]:
    if not suffix or path.suffix.lower() == suffix:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"image{suffix}"
        try:
            link.symlink_to(path.absolute())
        except OSError:  # Windows lets only some users make links
            shutil.copyfile(path, link)
        yield str(link)


def _picture(signal: dict[str, Any]) -> Picture:
    data = np.asarray(signal["data"])
    colour = data.dtype.names is not None
    if data.dtype.names is not None:
        data = np.stack([data[name] for name in data.dtype.names], axis=-1)
    axes = tuple(Axis(float(axis.get("scale", 1.0)), str(axis.get("units") or "")) for axis in signal["axes"])
    title = signal.get("metadata", {}).get("General", {}).get("title") or ""
    return Picture(data, axes, str(title), colour)


def _load_dm(path: Path) -> list[Picture]:
    with path.open("rb") as stream:
        fault = dm_tags.fault(stream, path.stat().st_size)
    if fault:
        raise ReadError(
            f"the DigitalMicrograph file is damaged or cut short ({fault})",
            expected="a whole file",
            where=str(path),
            hint=_COPY,
        )
    return _rosettasciio("digitalmicrograph", "DigitalMicrograph")(path)


_MRC_BYTES = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 6: 2, 12: 2}
"""Bytes a pixel by the mode of an MRC header (MRC2014)."""


def _load_mrc(path: Path) -> list[Picture]:
    """MRC through rosettasciio, whose scale is dropped where the header's cell is unset (0, or 1 A a voxel)."""
    with path.open("rb") as stream:
        header = stream.read(1024)
    size = path.stat().st_size
    numbers = np.frombuffer(header.ljust(1024, b"\0"), "<i4", 24)
    columns, rows, sections, mode = (int(n) for n in numbers[:4])
    needed = 1024 + int(numbers[23]) + columns * rows * sections * _MRC_BYTES.get(mode, 0)
    # Checked here, as the library plans its reading by the header alone and takes minutes over a damaged one.
    if min(columns, rows, sections) < 1 or mode not in _MRC_BYTES or numbers[23] < 0 or needed > size:
        raise ReadError(
            f"the MRC file is damaged or cut short: {columns} x {rows} x {sections} pixels of mode {mode} "
            f"do not fit into {size} bytes",
            expected="a whole file",
            where=str(path),
            hint=_COPY,
        )
    pictures = _rosettasciio("mrc", "MRC")(path)
    samples, cell = numbers[7:10], np.frombuffer(header, "<f4", 3, 40)
    unset = bool(np.any(samples[:2] <= 0) or np.any(cell[:2] <= 0))
    # A cell of 1 A a voxel without an extended header is what writers put that know no scale.
    default = numbers[23] == 0 and bool(np.allclose(cell[:2], samples[:2]))
    if unset or default:
        return [Picture(p.data, tuple(Axis(1.0, "") for _ in p.axes), p.title, p.colour) for p in pictures]
    return pictures


def _load_tiff(path: Path) -> list[Picture]:
    """TIFF through rosettasciio, page by page where one of the pages (a JPEG thumbnail) cannot be decoded."""
    import tifffile

    with third_party("TIFF", path):
        size = path.stat().st_size
        with path.open("rb") as stream, tifffile.TiffFile(stream) as file:
            if len(file.pages) == 0:
                raise ReadError(
                    f"the TIFF file is cut short: its {size} bytes hold no page",
                    expected="a whole file",
                    where=str(path),
                    hint=_COPY,
                )
            for page in file.pages:
                ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
                if not ends or max(ends) > size:
                    raise ReadError(
                        f"the TIFF file is cut short: it has {size} bytes, its pixels end at {max(ends, default=0)}",
                        expected="a whole file",
                        where=str(path),
                        hint=_COPY,
                    )
            series = file.series
            plain = all(one.keyframe.compression != tifffile.COMPRESSION.JPEG for one in series)
            if not plain:
                return _plain_pages(file, path)
            scale = imagej_axes(file)
    pictures = _rosettasciio("tiff", "TIFF")(path)
    if scale is None:
        return pictures
    return [
        replace(one, axes=(*one.axes[:-2], *scale)) if not any(axis.units for axis in one.axes[-2:]) else one
        for one in pictures
    ]


OLYMPUS_SIS = 33560
"""TIFF tag in which Olympus Soft Imaging Solutions keeps the pixel size."""


def _plain_pages(file: Any, path: Path) -> list[Picture]:
    """The pages of a TIFF file that need no JPEG decoder, with the scale of Olympus' own tag."""
    import tifffile

    pictures: list[Picture] = []
    for page in file.pages:
        if page.compression == tifffile.COMPRESSION.JPEG:
            continue
        tag = page.tags.get(OLYMPUS_SIS)
        found = tag.value if tag is not None and isinstance(tag.value, dict) else {}
        metres = [float(found.get(key) or 0.0) for key in ("pixelsizey", "pixelsizex")]
        axes = tuple(Axis(size, "m") if size > 0 else Axis(1.0, "") for size in metres)
        pictures.append(Picture(page.asarray(), axes, colour=page.samplesperpixel >= 3))
    if not pictures:
        raise ReadError(
            "all pages of the TIFF file are JPEG-compressed",
            expected="uncompressed, LZW or deflate pages",
            where=str(path),
            hint="save it again without JPEG compression, which harms fringes anyway",
        )
    return pictures


def _load_pillow(path: Path) -> list[Picture]:
    """PNG and JPEG, whose printing resolution is no scale."""
    from PIL import Image

    with third_party("picture", path):
        _check_end(path)
        with Image.open(path) as image:
            deep = image.mode in {"L", "RGB", "RGBA", "I", "F"} or image.mode.startswith("I;16")
            grey = image.mode in {"1", "LA"}
            converted = image if deep else image.convert("L" if grey else "RGB")
            data = np.asarray(converted)
    return [Picture(data, (Axis(1.0, ""), Axis(1.0, "")), colour=data.ndim == 3)]


def _check_end(path: Path) -> None:
    """Refuse a PNG or JPEG without its end mark: decoders fill what a broken copy lacks with grey."""
    with path.open("rb") as stream:
        head = stream.read(8)
        stream.seek(max(0, path.stat().st_size - 65536))
        tail = stream.read()
    mark = b"IEND" if head.startswith(b"\x89PNG") else b"\xff\xd9"
    if mark not in tail:
        raise ReadError("the picture is cut short: its end mark is missing", where=str(path), hint=_COPY)


def _refuse_blockfile(path: Path) -> list[Picture]:
    raise ReadError(
        "the file is a block file: a scan of diffraction patterns (4D-STEM), not an image",
        expected="an image of the layer in cross-section",
        where=str(path),
        hint="name it under 'stem:'; here, name the file of the HRTEM or STEM image",
    )


def _is_dm(head: bytes) -> bool:
    return head[:4] in {b"\0\0\0\x03", b"\0\0\0\x04"} and (head[8:12] if head[3] == 3 else head[12:16]) in {
        b"\0\0\0\0",
        b"\0\0\0\x01",
    }


_EMD = ImageFormat("EMD", lambda head: head.startswith(HDF5_SIGNATURE), _rosettasciio("emd", "EMD"))

FORMATS: tuple[ImageFormat, ...] = (
    ImageFormat("DigitalMicrograph", _is_dm, _load_dm),
    ImageFormat("TIA (.ser)", lambda head: head[:4] == b"II\x97\x01", _rosettasciio("tia", "TIA", ".ser")),
    ImageFormat("MRC", lambda head: head[208:211] == b"MAP", _load_mrc),
    ImageFormat("TIFF", lambda head: head[:4] in {b"II*\0", b"MM\0*"} or head[:4] in {b"II+\0", b"MM\0+"}, _load_tiff),
    ImageFormat("PNG", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), _load_pillow),
    ImageFormat("JPEG", lambda head: head.startswith(b"\xff\xd8\xff"), _load_pillow),
    ImageFormat("Blockfile (.blo)", lambda head: head.startswith(b"IMGBLO"), _refuse_blockfile),
)
"""Formats by their first bytes; EMD, an HDF5 file, is told by its structure."""
