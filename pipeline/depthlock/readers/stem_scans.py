"""4D-STEM scans, a diffraction pattern at every place: blockfiles (.blo), Quantum Detectors' Merlin (.mib), HyperSpy.

The patterns stay lazy (dask): they are read block by block, when the maps made of them are asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.errors import ReadError
from depthlock.readers.eds_planes import hyperspy_signals, is_hyperspy
from depthlock.readers.hdf5_access import HDF5_SIGNATURE
from depthlock.readers.image_files import third_party
from depthlock.readers.image_scale import Axis, frequency_step, pixel_size_nm

DIMS = ("scan_y", "scan_x", "ky", "kx")


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file holds patterns over an image."""
    if head.startswith((b"IMGBLO", b"MQ1,")):
        return True
    if not head.startswith(HDF5_SIGNATURE) or not is_hyperspy(path):
        return False
    try:
        return any(_is_scan(signal) for signal in hyperspy_signals(path))
    except ReadError:
        return False


def _is_scan(signal: dict[str, Any]) -> bool:
    return len(signal["axes"]) == 4 and signal["data"].ndim == 4


def read(path: Path, scan_shape: tuple[int, int] | None = None) -> xr.Dataset:
    """Open a scan.

    Parameters
    ----------
    path : Path
    scan_shape : tuple of int, optional
        Rows and columns of the scan, for files that do not tell.

    Returns
    -------
    xr.Dataset
        Contract `stem_scan`: `patterns` (scan_y, scan_x, ky, kx) as stored, lazy. Attributes: `source`, `format`, and
        where the file tells them `scan_step_nm` and `detector_step` (1/nm a pixel), each [y, x].

    Raises
    ------
    ReadError
        If the file is damaged, no scan, or its rows and columns are not known.
    """
    title, signal = _scan(path, scan_shape)
    try:
        np.asarray(signal["data"][-1, -1, -1:, -1:])  # data are lazy: a file cut short would show only in a stage
    except (OSError, ValueError) as error:
        raise ReadError(
            f"the patterns cannot be read to the end: {error}",
            expected=f"{signal['data'].nbytes} bytes of patterns",
            where=str(path),
            hint="copy the file again; a copy that broke off leaves such a file",
        ) from error
    axes = [Axis(float(axis.get("scale", 1.0)), str(axis.get("units") or "")) for axis in signal["axes"]]
    attributes: dict[str, Any] = {"source": path.name, "format": title}
    scan, _ = pixel_size_nm((axes[0], axes[1]))
    frequency = frequency_step((axes[2], axes[3]))
    if scan is not None:
        attributes["scan_step_nm"] = list(scan)
    if frequency is not None:
        attributes["detector_step"] = list(frequency)
    return xr.Dataset({"patterns": (DIMS, signal["data"], {"units": "1"})}, attrs=attributes)


def _scan(path: Path, scan_shape: tuple[int, int] | None) -> tuple[str, dict[str, Any]]:
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(HDF5_SIGNATURE):
        title, signals = "HyperSpy", [one for one in hyperspy_signals(path) if _is_scan(one)]
    elif head.startswith(b"IMGBLO"):
        title = "Blockfile (.blo)"
        with third_party(title, path):
            from rsciio import blockfile

            # The scan is the first signal; the virtual bright field beside it is an image.
            signals = blockfile.file_reader(str(path), lazy=True)[:1]
    else:
        title = "Merlin (.mib)"
        from rsciio import quantumdetector

        with third_party(title, path):
            shape = None if scan_shape is None else (scan_shape[1], scan_shape[0])  # columns first
            signals = quantumdetector.file_reader(str(path), lazy=True, navigation_shape=shape)
    if not signals or signals[0]["data"].ndim != 4:
        found = " x ".join(map(str, signals[0]["data"].shape)) if signals else "nothing"
        raise ReadError(
            f"the file holds {found}, and does not tell the rows and columns of a scan",
            expected="patterns at every place of a scan: rows, columns and two axes of a pattern", where=str(path),
            hint="give `scan_shape: [rows, columns]`, or put the .hdr file beside it",
        )  # fmt: skip
    signal = signals[0]
    if scan_shape is not None and tuple(signal["data"].shape[:2]) != tuple(scan_shape):
        raise ReadError(
            f"the file's scan has {signal['data'].shape[0]} rows and {signal['data'].shape[1]} columns",
            expected=f"{scan_shape[0]} and {scan_shape[1]}, as the session says", where=str(path),
            hint="correct `scan_shape`, or leave it out",
        )  # fmt: skip
    return title, signal


def describe(path: Path) -> dict[str, Any]:
    """Facts for ``depthlock info``."""
    scan = read(path)
    size = scan.sizes
    step, frequency = scan.attrs.get("scan_step_nm"), scan.attrs.get("detector_step")
    return {
        "kind": scan.attrs["format"],
        "scan": f"{size['scan_y']} x {size['scan_x']} places (y, x)",
        "patterns": f"{size['ky']} x {size['kx']} pixels (y, x), {scan['patterns'].dtype}",
        "scan step": f"{step[1]:.5g} nm" if step else "not in the file; give `scan_step` in the session",
        "detector": f"{frequency[1]:.5g} 1/nm a pixel" if frequency else
        "no scale in the file; give `detector_step` (1/nm a pixel) in the session",
    }  # fmt: skip
