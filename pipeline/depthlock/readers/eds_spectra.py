"""STEM-EDS spectrum images: Bruker .bcf, HyperSpy .hspy, Velox and NCEM .emd, DigitalMicrograph; through rosettasciio.

Spectra stay lazy (dask): they are read part by part, when their sums are asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers import bruker_container, dm_tags
from depthlock.readers.eds_planes import fitted_plane, is_hyperspy
from depthlock.readers.hdf5_access import HDF5_SIGNATURE, opened
from depthlock.readers.image_files import third_party
from depthlock.readers.image_scale import Axis, pixel_size_nm

_COPY = "copy or export the file again"

MOST_BYTES = 2**31
"""Size of a Bruker spectrum image in memory from which pixels are summed: its reader unpacks all of it at once."""

_KEV = {"kev": 1.0, "ev": 1e-3}


@dataclass(frozen=True)
class _Format:
    title: str
    plugin: str
    lazy: bool = True


def _format_of(path: Path, head: bytes) -> _Format | None:
    if head.startswith(bruker_container.MAGIC):
        return _Format("Bruker spectrum image (.bcf)", "bruker")
    if head[:4] in {b"\0\0\0\x03", b"\0\0\0\x04"} and path.suffix.lower() in {".dm3", ".dm4"}:
        return _Format("DigitalMicrograph", "digitalmicrograph")
    if head.startswith(HDF5_SIGNATURE):
        if is_hyperspy(path):
            return _Format("HyperSpy", "hspy")
        if path.suffix.lower() == ".emd":
            return _Format("EMD", "emd", lazy=False)
    return None


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file holds spectra over an image, or over a line, which `read` refuses with its reason.

    Raises
    ------
    ReadError
        For a Bruker container that is cut short or damaged.
    """
    known = _format_of(path, head)
    if known is None:
        return False
    if known.plugin == "bruker":
        return True
    if known.plugin == "emd":
        return _has_spectrum_stream(path)
    if known.plugin == "digitalmicrograph":
        with path.open("rb") as stream:
            if dm_tags.fault(stream, path.stat().st_size):
                return False  # the image reader tells what is wrong with it
    try:
        signals = _signals(path, known)
        return any(_is_spectra(signal) for signal in signals) or _has_line_scan(signals)
    except ReadError:
        return False


def _has_spectrum_stream(path: Path) -> bool:
    """Whether an EMD file holds spectra: Velox keeps them as a stream of events, NCEM as an array of three axes."""
    try:
        with opened(path) as file:
            if "Data" in file and any(name.startswith("Spectrum") for name in file["Data"]):
                return "SpectrumImage" in file["Data"] or "SpectrumStream" in file["Data"]
    except ReadError:
        return False
    return False


def _signals(path: Path, known: _Format) -> list[dict[str, Any]]:
    if known.plugin == "bruker":
        wrong = bruker_container.fault(path)
        if wrong:
            raise ReadError(
                f"the Bruker file is damaged or cut short: {wrong}",
                expected="a whole file",
                where=str(path),
                hint=_COPY,
            )
    with third_party(known.title, path):
        reader = importlib.import_module(f"rsciio.{known.plugin}")
        signals: list[dict[str, Any]] = reader.file_reader(str(path), lazy=known.lazy)
        summed = _to_sum(signals) if known.plugin == "bruker" else 1
        if summed > 1:
            signals = reader.file_reader(str(path), lazy=True, downsample=summed)
            signals = [{**signal, "summed": summed} for signal in signals]
        return signals


def _to_sum(signals: list[dict[str, Any]]) -> int:
    """Pixels a side that are summed so that the largest spectrum image stays below MOST_BYTES."""
    largest = max((signal["data"].nbytes for signal in signals if len(signal["axes"]) == 3), default=0)
    return int(np.ceil(np.sqrt(largest / MOST_BYTES)))


def _energy_axis(signal: dict[str, Any]) -> int | None:
    """Number of the axis of X-ray energies; None for images and for energy losses."""
    if str(signal.get("metadata", {}).get("Signal", {}).get("signal_type", "")).upper() == "EELS":
        return None
    for number, axis in enumerate(signal["axes"]):
        if str(axis.get("units") or "").strip().lower() in _KEV:
            return number
    return None


def _is_spectra(signal: dict[str, Any]) -> bool:
    return len(signal["axes"]) == 3 and _energy_axis(signal) is not None


def _has_line_scan(signals: list[dict[str, Any]]) -> bool:
    return any(len(signal["axes"]) == 2 and _energy_axis(signal) is not None for signal in signals)


def _load(path: Path) -> tuple[_Format, dict[str, Any], list[dict[str, Any]]]:
    """The largest spectrum image of a file, and its images."""
    with path.open("rb") as stream:
        known = _format_of(path, stream.read(64))
    if known is None:
        raise ReadError(
            "this is no spectrum image that depthlock reads",
            expected="bcf, hspy, emd, dm3 or dm4 with X-ray spectra",
            where=str(path),
            hint="export the spectrum image in one of these formats, or name element maps under 'maps:'",
        )
    signals = _signals(path, known)
    spectra = [signal for signal in signals if _is_spectra(signal)]
    if not spectra:
        raise ReadError(
            f"the {known.title} file holds "
            + ("a line scan of X-ray spectra" if _has_line_scan(signals) else "no X-ray spectra over an image"),
            expected="a spectrum image with two axes of length and one of energy",
            where=str(path),
            hint="name the file of the spectrum image, or element maps under 'maps:'; a line scan shows no boundaries"
            " along the layer",
        )
    images = [signal for signal in signals if len(signal["axes"]) == 2 and _energy_axis(signal) is None]
    return known, max(spectra, key=lambda one: int(np.prod(one["data"].shape))), images


def read(path: Path) -> xr.Dataset:
    """Read a spectrum image.

    Parameters
    ----------
    path : Path

    Returns
    -------
    xr.Dataset
        Contract `eds_spectra`: `counts` (y, x, energy), lazy where the format allows; `energy` in keV; y and x in nm
        when the scale is known, else pixels; `haadf` (y, x) where the file has one. Attributes: `pixel_size_nm` [y, x]
        (absent when unknown), `scale_source`, `elements` (as the file names them), `resolution_keV`, `beam_kV`,
        `live_time_s`, `title`, `format`, `notes`, `source`.

    Raises
    ------
    ReadError
        When the file is damaged or cut short, or holds no spectra over an image.
    """
    known, signal, images = _load(path)
    axis = signal["axes"][_energy_axis(signal) or 0]
    energy_at = _energy_axis(signal) or 0
    rows, columns = (signal["axes"][number] for number in range(3) if number != energy_at)
    data = signal["data"]
    counts = data.transpose([number for number in range(3) if number != energy_at] + [energy_at])
    if min(counts.shape) < 3:
        raise ReadError(
            f"the spectrum image has {counts.shape[0]} x {counts.shape[1]} pixels of {counts.shape[2]} channels",
            expected="an image of at least 3 x 3 pixels",
            where=str(path),
            hint="a line scan is no image; name a map",
        )
    unit = _KEV[str(axis.get("units")).strip().lower()]
    step, offset = float(axis.get("scale", 1.0)) * unit, float(axis.get("offset", 0.0)) * unit
    if not (np.isfinite(step) and 1e-4 < step < 0.2 and np.isfinite(offset)):
        raise ReadError(
            f"the energy axis steps by {step:g} keV from {offset:g} keV",
            expected="channels of 0.1 to 200 eV",
            where=str(path),
            hint="export the file again with its energy calibration",
        )
    energy = offset + step * np.arange(counts.shape[2])
    size, reason = pixel_size_nm((_axis(rows), _axis(columns)))
    notes = [f"{path.name}: {reason}"] if reason else []
    attrs: dict[str, Any] = {
        "source": str(path),
        "format": known.title,
        "title": str(signal.get("metadata", {}).get("General", {}).get("title") or path.stem),
        "scale_source": "file" if size else "none",
        **_told(signal.get("metadata", {})),
    }
    if size:
        attrs["pixel_size_nm"] = [float(size[0]), float(size[1])]
    per_pixel, units = (size, "nm") if size else ((1.0, 1.0), "1")
    coords = {
        dim: (dim, per_pixel[number] * np.arange(counts.shape[number], dtype=np.float64), {"units": units})
        for number, dim in enumerate(("y", "x"))
    }
    dataset = xr.Dataset(
        {"counts": (("y", "x", "energy"), counts, {"units": "1"})},
        {**coords, "energy": ("energy", energy, {"units": "keV"})},
    )
    summed = int(signal.get("summed", 1))
    if summed > 1:
        notes.append(
            f"{path.name}: {summed} x {summed} pixels are summed, as the whole would take more than"
            f" {MOST_BYTES / 2**30:.3g} GiB of memory"
        )
    haadf, note = _dark_field(images, (counts.shape[0], counts.shape[1]))
    if haadf is not None:
        dataset["haadf"] = (("y", "x"), haadf, {"units": "1"})
    attrs["notes"] = [*notes, *([f"{path.name}: {note}"] if note else [])]
    return dataset.assign_attrs(attrs)


def _axis(axis: dict[str, Any]) -> Axis:
    return Axis(float(axis.get("scale", 1.0)), str(axis.get("units") or ""))


def _told(metadata: dict[str, Any]) -> dict[str, Any]:
    """What a file says about sample, detector and beam."""
    told: dict[str, Any] = {}
    instrument = metadata.get("Acquisition_instrument", {})
    microscope = instrument.get("TEM") or instrument.get("SEM") or {}
    detector = microscope.get("Detector", {}).get("EDS", {})
    resolution = float(detector.get("energy_resolution_MnKa") or 0.0) / 1000.0
    if 0.08 < resolution < 0.3:
        told["resolution_keV"] = resolution
    if microscope.get("beam_energy"):
        told["beam_kV"] = float(microscope["beam_energy"])
    live = detector.get("live_time") or detector.get("real_time")
    if live:
        told["live_time_s"] = float(live)
    elements = metadata.get("Sample", {}).get("elements") or []
    told["elements"] = [str(element) for element in np.atleast_1d(np.asarray(elements, dtype=object)).tolist()]
    return told


DARK_FIELD = ("haadf", "dark", "adf", "bse", "stem")
"""Names of images that show the specimen by atomic number, the best first."""


def _dark_field(images: list[dict[str, Any]], shape: tuple[int, int]) -> tuple[NDArray[np.float32] | None, str]:
    """The dark-field image of the field that was mapped, on the map's pixels; and a note when it does not fit."""
    ranked = [
        (rank, number)
        for number, image in enumerate(images)
        for rank, name in enumerate(DARK_FIELD)
        if name in str(image.get("metadata", {}).get("General", {}).get("title", "")).lower()
    ]
    if not ranked:
        return None, ""
    image = np.asarray(images[min(ranked)[1]]["data"])
    if image.dtype.names is not None or float(np.ptp(image)) == 0.0:
        return None, "its dark-field image is empty"
    fitted = fitted_plane(image.astype(np.float64), shape)
    if fitted is None:
        return None, f"its dark-field image ({image.shape[0]} x {image.shape[1]}) shows another field and is left out"
    return fitted.astype(np.float32), ""


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    dataset = read(path)
    attrs, energy = dataset.attrs, dataset["energy"].values
    facts: dict[str, Any] = {
        "kind": attrs["format"],
        "title": attrs["title"],
        "pixels": f"{dataset.sizes['y']} x {dataset.sizes['x']} (y, x)",
        "energies": f"{energy.size} channels of {1000 * (energy[1] - energy[0]):.4g} eV, up to {energy[-1]:.4g} keV",
    }
    size = attrs.get("pixel_size_nm")
    facts["pixel size"] = f"{size[1]:.5g} nm" if size else "not in the file; give `pixel_size` in the session"
    for key, name, unit in (("beam_kV", "beam", "kV"), ("live_time_s", "time", "s")):
        if key in attrs:
            facts[name] = f"{attrs[key]:g} {unit}"
    facts["elements named"] = ", ".join(attrs["elements"]) or "none"
    facts["dark-field image"] = "yes" if "haadf" in dataset else "no"
    if attrs["notes"]:
        facts["notes"] = list(attrs["notes"])
    return facts
