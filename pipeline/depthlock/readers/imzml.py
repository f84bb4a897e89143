"""imzML spectrum images (`.imzML` with its `.ibd`), as SurfaceLab 7 and others export them.

A spectrum stands at (x, y, z), counted from 1; z is the scan. Where the intensities are whole numbers they are ions,
and the file is converted to an event store: m/z becomes a flight-time bin through sqrt(m/z), on the instrument's own
grid of channels where the m/z values lie on one, else on a fine one of our choice.

Exports contradict themselves; what they say is checked against what they hold, and what does not agree is left out
and told.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers.event_memory import in_memory
from depthlock.readers.event_source import EventBlock, EventSource, StoreHeader
from depthlock.readers.mass_grid import Grid, free_grid, own_grid

SAMPLED_SPECTRA = 200
_PITCH_TOLERANCE = 0.01
_AGAIN = "export the image again, as imzML with counts"


@dataclass(frozen=True)
class Image:
    """What an imzML file says, checked against what it holds.

    Attributes
    ----------
    nx, ny, scans : int
    positions : ndarray of int64, shape (spectrum, 3)
        x, y, z from 0.
    polarity : str
        ``"+"``, ``"-"`` or empty.
    mode : str
        ``profile`` or ``centroid``.
    pitch_um : float or None
    points : int
        Number of m/z values in all.
    notes : tuple of str
    """

    nx: int
    ny: int
    scans: int
    positions: NDArray[np.int64]
    polarity: str
    mode: str
    pitch_um: float | None
    points: int
    notes: tuple[str, ...]


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 (the registry hands it to every reader)
    """Whether a file begins like imzML: mzML with the imaging vocabulary."""
    return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<") and b"<mzML" in head and b"IMS" in head


@contextmanager
def _parsed(path: Path) -> Iterator[Any]:
    """The parser of pyimzml; whatever it stumbles over becomes a `ReadError`."""
    from pyimzml.ImzMLParser import ImzMLParser

    binary = binary_beside(path)
    try:
        with path.open("rb") as text, binary.open("rb") as stream:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parser = ImzMLParser(text, ibd_file=stream)
            yield parser
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"the file cannot be read: {error.strerror or error}", where=str(path)) from error
    except Exception as error:  # the library lets through whatever it stumbles over
        first = (str(error).strip().splitlines() or [""])[0]
        raise ReadError(
            f"the imzML file is damaged or cut short ({type(error).__name__}: {first})",
            expected="a whole file",
            where=str(path),
            hint=_AGAIN,
        ) from error


def binary_beside(path: Path) -> Path:
    """Find the .ibd file that holds the spectra of an .imzML file."""
    for suffix in (".ibd", ".IBD", ".Ibd"):
        binary = path.with_suffix(suffix)
        if binary.is_file():
            return binary
    raise ReadError(
        "the binary part of the image is missing",
        expected=f"'{path.stem}.ibd' in the same folder",
        where=str(path),
        hint="copy both files of the export",
    )


def parse(path: Path) -> Image:
    """Read everything but the spectra.

    Raises
    ------
    ReadError
        When a part is missing, spectra reach beyond the end of the .ibd file, or positions make no sense.
    """
    with _parsed(path) as parser:
        positions = np.array(parser.coordinates, dtype=np.int64).reshape(-1, 3) - 1
        facts = dict(parser.imzmldict)
        _check_spectra(parser, binary_beside(path))
        polarity = {"positive": "+", "negative": "-"}.get(str(parser.polarity), "")
        mode, points = str(parser.spectrum_mode or "not stated"), sum(parser.mzLengths)
    if not positions.size or positions.min() < 0 or positions.max() >= 1 << 20:
        raise ReadError(
            "the positions of the spectra make no sense" if positions.size else "the file holds no spectra",
            expected="positions counted from 1",
            where=str(path),
            hint=_AGAIN,
        )
    notes: list[str] = []
    held = [int(n) + 1 for n in positions.max(axis=0)]
    stated = [int(facts.get(f"max count of pixels {axis}", 0)) for axis in "xy"]
    for axis, has, says in zip("xy", held, stated, strict=False):
        if says and has > says:
            raise ReadError(
                f"a spectrum stands at {axis} = {has}", expected=f"at most {says}, as the file says",
                where=str(path), hint=_AGAIN,
            )  # fmt: skip
    if len(np.unique(positions, axis=0)) < len(positions):
        notes.append("several spectra stand at one position: they are added up")
    if len(positions) < max(held[0], stated[0]) * max(held[1], stated[1]) * held[2]:
        notes.append(f"{len(positions)} of the pixels have a spectrum; the others are empty")
    if not polarity:
        notes.append("the file does not say the polarity")
    pitch = _pitch(facts, notes)
    nx, ny = max(held[0], stated[0]), max(held[1], stated[1])
    return Image(nx, ny, held[2], positions, polarity, mode, pitch, points, tuple(notes))


def _check_spectra(parser: Any, binary: Path) -> None:
    size = binary.stat().st_size
    for kind, offsets, lengths, precision in (
        ("m/z", parser.mzOffsets, parser.mzLengths, parser.mzPrecision),
        ("intensity", parser.intensityOffsets, parser.intensityLengths, parser.intensityPrecision),
    ):
        width = parser.sizeDict.get(precision, 0)
        ends = np.array(offsets, np.int64) + width * np.array(lengths, np.int64)
        wrong = (ends > size) | (np.array(offsets) < 0) | (np.array(lengths) < 0)
        if not width or np.any(wrong):
            spectrum = int(np.argmax(wrong))
            raise ReadError(
                f"the {kind} values of spectrum {spectrum + 1} end at byte {ends[spectrum] if width else '?'}, "
                f"the file at {size}",
                expected="a whole .ibd file of the same export",
                where=f"{binary}: byte {offsets[spectrum] if offsets else 0}",
                hint="copy both files of the export again",
            )
    if list(parser.mzLengths) != list(parser.intensityLengths):
        raise ReadError("spectra have other numbers of m/z values than of intensities", where=str(binary), hint=_AGAIN)


def _pitch(facts: dict[str, Any], notes: list[str]) -> float | None:
    """Pixel pitch in um where the file agrees with itself: pixel size, and field of view over pixels."""
    stated = float(facts.get("pixel size x", 0.0) or 0.0)
    field, count = float(facts.get("max dimension x", 0.0) or 0.0), float(facts.get("max count of pixels x", 0) or 0)
    derived = field / count if count else 0.0
    for value in (stated, derived):
        if not math.isfinite(value) or value < 0:
            return None
    if stated and derived and abs(stated / derived - 1) > _PITCH_TOLERANCE:
        # Some writers state the pixel's area, as an older edition of the standard asked for.
        if abs(math.sqrt(stated) / derived - 1) <= _PITCH_TOLERANCE:
            return derived
        notes.append(
            f"the file says {stated:g} um a pixel, and {field:g} um over {count:g} pixels, which is {derived:g} um "
            f"({100 * (stated / derived - 1):+.1f} %): neither is used"
        )
        return None
    return stated or derived or None


def _spectra(parser: Any, first: int) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    for index in range(first, len(parser.coordinates)):
        masses, intensities = parser.getspectrum(index)
        yield index, np.asarray(masses, np.float64), np.asarray(intensities, np.float64)


def grid(path: Path) -> Grid:
    """The grid of bins: the instrument's own where the m/z values of some hundred spectra lie on one.

    Raises
    ------
    ReadError
        When an m/z value is no positive number.
    """
    with _parsed(path) as parser:
        number = len(parser.coordinates)
        seen: list[NDArray[np.float64]] = []
        for index in np.unique(np.linspace(0, number - 1, min(number, SAMPLED_SPECTRA)).astype(int)):
            masses = np.asarray(parser.getspectrum(int(index))[0], np.float64)
            _check_masses(masses, int(index), path)
            seen.append(masses)
        precise = parser.mzPrecision == "d"
    roots = np.unique(np.sqrt(np.concatenate(seen))) if seen else np.empty(0)
    return own_grid(roots, 1e-12 if precise else 2e-7) or free_grid()


def _check_masses(masses: NDArray[np.float64], index: int, path: Path) -> None:
    if masses.size and not (np.all(np.isfinite(masses)) and masses.min() > 0 and masses.max() < 1e6):
        raise ReadError(f"spectrum {index + 1} has an m/z that is no positive number", where=str(path), hint=_AGAIN)


def source(path: Path) -> EventSource:
    """The file for the conversion to an event store; a place is a spectrum."""
    image, bins = parse(path), grid(path)
    blocks = partial(event_blocks, path, image, bins)
    return EventSource(store_header(path, image, bins), blocks, len(image.positions))


def event_blocks(
    path: Path, image: Image, bins: Grid, first_spectrum: int = 0, at_once: int = 1 << 18
) -> Iterator[EventBlock]:
    """The ions from a spectrum on, some hundred thousand cells at a time.

    Raises
    ------
    ReadError
        When an intensity is no number of ions.
    """
    cells = (image.positions[:, 2] * image.ny + image.positions[:, 1]) * image.nx + image.positions[:, 0]
    held: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    size = 0
    with _parsed(path) as parser:
        for index, masses, intensities in _spectra(parser, first_spectrum):
            _check_masses(masses, index, path)
            counts = np.rint(intensities)
            if not np.all(np.abs(intensities - counts) < 1e-3) or np.any(counts < 0) or np.any(counts >= 1 << 32):
                raise ReadError(
                    f"spectrum {index + 1} holds intensities that are no whole numbers of ions",
                    expected="counts",
                    where=str(path),
                    hint="export counts, not normalised, smoothed or dead-time corrected intensities",
                )
            filled = counts > 0
            held.append(
                (bins.bins(masses[filled]), np.full(int(filled.sum()), cells[index]), counts[filled].astype(np.int64))
            )
            size += held[-1][0].size
            if size >= at_once:
                yield _joined(held, index + 1)
                held, size = [], 0
    if held:
        yield _joined(held, len(cells))


def _joined(held: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]], place: int) -> EventBlock:
    mass_bin, pixel_id, count = (np.concatenate(column) for column in zip(*held, strict=True))
    return EventBlock(mass_bin, pixel_id, count, place)


def store_header(path: Path, image: Image, bins: Grid) -> StoreHeader:
    """The header of the event store made from the file.

    Raises
    ------
    ReadError
        When the file does not say the polarity, or holds peaks instead of spectra.
    """
    if not image.polarity:
        raise ReadError(
            "the file does not say the polarity", expected="positive or negative", where=str(path), hint=_AGAIN
        )
    if image.mode == "centroid":
        raise ReadError(
            "the file holds peak lists (centroids), no spectra: neither calibration nor overlaps can be judged",
            expected="profile spectra",
            where=str(path),
            hint="export profile spectra with counts",
        )
    return StoreHeader(
        row_shape=(image.scans, image.ny, image.nx),
        mode="image_2d",
        polarity=image.polarity,
        bin_width_ps=bins.width_ps,
        slope=bins.slope,
        offset=bins.start,
        source_format="imzml",
        pixel_pitch_um=image.pitch_um,
    )


def read(path: Path) -> xr.Dataset:
    """The ions as a Dataset in memory (contract `tofsims_events`), without converting the file."""
    return in_memory(path, source(path), parse(path).notes)


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``; a few hundred spectra are looked at for their grid of m/z values."""
    image = parse(path)
    bins = grid(path)
    width = f"{bins.step:.6g} sqrt(Da) apart" if bins.own else "no common grid found"
    return {
        "axes": f"{image.scans} z x {image.ny} y x {image.nx} x",
        "spectra": len(image.positions),
        "kind": {"centroid": "peak lists (centroids): no events can be made of them"}.get(image.mode, image.mode),
        "m/z values": f"{image.points} in all, {width}",
        "polarity": image.polarity or "not in the file",
        "pixel pitch": f"{image.pitch_um:g} um" if image.pitch_um else "not known",
        "times": "none",
        "notes": list(image.notes),
    }
