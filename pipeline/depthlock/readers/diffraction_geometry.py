"""Where a diffraction pattern's detector stood: from pyFAI's .poni, or from what the session says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError

HC = 1239.841984
"""Planck's constant times the speed of light in eV nm."""

NATIVE_ORIENTATIONS = (0, 3)
"""pyFAI's detector orientations in which the first pixel of the file is the first of the geometry."""


def placed(pattern: xr.Dataset, settings: dict[str, Any], poni: Path | None) -> xr.Dataset:
    """Lay geometry and reflections beside a pattern.

    Parameters
    ----------
    pattern : xr.Dataset
        Contract `diffraction_pattern` but for the geometry.
    settings : dict
        Of the session: lengths in nm, `centre` in pixels, `photon_energy` in eV, `incident_angle` in degree.
    poni : Path or None
        pyFAI's file, in place of a geometry in `settings`.

    Returns
    -------
    xr.Dataset
        With `geometry` (JSON of pyFAI's parameters in m and rad) and `reflections` (JSON of spacings in nm).

    Raises
    ------
    ReadError
        If the .poni is damaged or of another detector.
    """
    geometry = _of_session(settings) if poni is None else None
    if poni is not None:
        geometry, dead = _of_poni(poni, (pattern.sizes["y"], pattern.sizes["x"]))
        pattern = pattern.assign(intensity=pattern["intensity"].where(~dead))
    attributes: dict[str, Any] = {
        "geometry": json.dumps(geometry, sort_keys=True),
        "reflections": json.dumps(settings["reflections"]),
        "normal": settings.get("normal", "top"),
    }
    if "incident_angle" in settings:
        attributes["incident_angle_degree"] = float(settings["incident_angle"])
    return pattern.assign_attrs(attributes)


def _of_session(settings: dict[str, Any]) -> dict[str, float]:
    size = settings["pixel_size"] * 1e-9
    x, y = settings["centre"]
    wavelength = settings.get("wavelength") or HC / settings["photon_energy"]
    # Pixels are counted from the middle of the first one, pyFAI's lengths from its corner.
    return {
        "dist": settings["distance"] * 1e-9, "poni1": (y + 0.5) * size, "poni2": (x + 0.5) * size, "rot1": 0.0,
        "rot2": 0.0, "rot3": 0.0, "wavelength": wavelength * 1e-9, "pixel1": size, "pixel2": size,
    }  # fmt: skip


def _of_poni(path: Path, shape: tuple[int, int]) -> tuple[dict[str, float], Any]:
    try:
        import pyFAI
    except ImportError as error:
        raise ReadError(
            "reading .poni files needs the package pyFAI, which is not installed",
            where=str(path),
            hint='pip install "depthlock[diffraction]", or give distance, pixel_size, centre and wavelength',
        ) from error
    try:
        held = pyFAI.load(str(path))
        detector = held.detector
        found = {
            "dist": held.dist, "poni1": held.poni1, "poni2": held.poni2, "rot1": held.rot1, "rot2": held.rot2,
            "rot3": held.rot3, "wavelength": held.wavelength, "pixel1": detector.pixel1, "pixel2": detector.pixel2,
        }  # fmt: skip
        numbers = {key: float(value) for key, value in found.items()}
    except Exception as error:  # noqa: BLE001 (the library lets through whatever it stumbles over)
        first = (str(error).strip().splitlines() or [""])[0]
        raise ReadError(
            f"the file is no whole .poni ({type(error).__name__}: {first})",
            expected="distance, PONI, rotations, wavelength and a detector with its pixel size",
            where=str(path),
            hint="write it again with pyFAI-calib2, or give the geometry in the session",
        ) from None
    if detector.orientation not in NATIVE_ORIENTATIONS:
        raise ReadError(
            f"the .poni turns the detector (orientation {int(detector.orientation)})", expected="orientation 3",
            where=str(path), hint="calibrate on the file as it is stored",
        )  # fmt: skip
    if detector.max_shape is not None and tuple(detector.max_shape) != shape:
        raise ReadError(
            f"the .poni is of a detector of {' x '.join(map(str, detector.max_shape))} pixels, the pattern has"
            f" {shape[0]} x {shape[1]}",
            expected="the geometry of this pattern", where=str(path), hint="name the .poni of this measurement",
        )  # fmt: skip
    dead = detector.mask if detector.max_shape is not None else None
    return numbers, np.zeros(shape, dtype=bool) if dead is None else np.asarray(dead, dtype=bool)
