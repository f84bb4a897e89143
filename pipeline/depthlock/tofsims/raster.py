"""Where an ion was: pixel numbers of an event store as scan, row and column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError

LEADING_AXES = {"image_2d": 1, "depth_profile": 2, "mosaic": 2}


@dataclass(frozen=True)
class Raster:
    """Geometry of an event store; a pixel number is ``((scan * frames + frame) * rows + y) * columns + x``.

    Attributes
    ----------
    scans : int
        Sputter cycles, frames of an image, or tiles of a mosaic.
    frames : int
        Rasters summed in a scan.
    rows, columns : int
    """

    scans: int
    frames: int
    rows: int
    columns: int

    @property
    def pixels(self) -> int:
        """Pixels of one raster."""
        return self.rows * self.columns

    def scan_of(self, pixel_id: NDArray[np.int64]) -> NDArray[np.int64]:
        """Scan of each ion."""
        return np.asarray(pixel_id // (self.frames * self.pixels), dtype=np.int64)

    def place_of(self, pixel_id: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lateral pixel number ``y * columns + x`` of each ion."""
        return np.asarray(pixel_id % self.pixels, dtype=np.int64)


def raster_of(events: xr.Dataset) -> Raster:
    """The geometry of an event store.

    Raises
    ------
    MeasurementError
        When `row_shape` and `acquisition_mode` do not fit together.
    """
    mode = str(events.attrs.get("acquisition_mode", "depth_profile"))
    shape = [int(size) for size in np.atleast_1d(events.attrs["row_shape"])]
    leading = LEADING_AXES.get(mode)
    if leading is None or len(shape) != leading + 2:
        raise MeasurementError(
            f"row_shape {shape} with acquisition_mode '{mode}'",
            expected="(frames, y, x) for image_2d; (cycles, frames, y, x) for depth_profile; (tiles, frames, y, x) for "
            "mosaic",
            where=str(events.attrs.get("source", "")),
        )
    frames = shape[1] if leading == 2 else 1
    return Raster(shape[0], frames, shape[-2], shape[-1])


def pixel_pitch(events: xr.Dataset) -> float | None:
    """Width of a pixel in µm; None when the file has no scale."""
    pitch = events.attrs.get("pixel_pitch_um")
    return None if pitch is None else float(np.atleast_1d(np.asarray(pitch, dtype=np.float64))[0])
