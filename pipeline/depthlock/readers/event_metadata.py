"""What an event store and its instrument's header say about the measurement: times, shots, dead time, pixel pitch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depthlock.model.errors import ReadError
from depthlock.readers import phi_header
from depthlock.readers.event_layout import AXES, DETECTOR, Layout
from depthlock.readers.hdf5_access import attribute, dataset, read_slice, vector

if TYPE_CHECKING:
    import h5py


def measurement(file: h5py.File, path: Path, layout: Layout) -> tuple[NDArray[np.float64], str, dict[str, Any]]:
    """Times of the scans, where they are from, and the attributes of the dataset."""
    header = _header(file, path)
    ny, nx = layout.row_shape[-2:]
    attrs: dict[str, Any] = {
        "polarity": layout.polarity,
        "mass_bin_width_ps": layout.width_ps,
        "calibration_slope": layout.slope,
        "calibration_offset": layout.offset,
        "row_shape": list(layout.row_shape),
        "axes": list(AXES[layout.mode]),
        "acquisition_mode": layout.mode,
        "source": str(path),
    }
    notes: list[str] = []
    attrs.update(_raster(file, path, header, ny, nx, notes))
    summed = bool(attribute(file["geometry"], "frames_summed", path, False))
    frames = header.number("FramesPerCycle") if layout.mode == "depth_profile" else header.number("NoFrames")
    frames_per_cell = 1 if not summed else int(frames) if frames else None
    if frames_per_cell is None:
        notes.append("frames were summed, but the header does not say how many: shots per pixel are unknown")
    else:
        attrs["frames_per_cell"] = frames_per_cell
    if not summed and layout.mode == "image_2d" and frames and int(frames) != layout.row_shape[0]:
        notes.append(f"the header says {int(frames)} frames, the data hold {layout.row_shape[0]}: the data's are used")
    shots = phi_header.shots(header, ny * nx)
    if shots and shots.per_pixel and frames_per_cell:
        attrs["shots_per_pixel"] = shots.per_pixel * frames_per_cell
    elif shots and shots.per_pixel is None:
        notes.append(f"{shots.per_frame:.0f} shots a frame over {ny * nx} pixels are no whole number: not used")
    dead_time = phi_header.dead_time_ns(header)
    if dead_time is not None:
        attrs["dead_time_ns"] = dead_time
    attrs.update(_detector(file, path))
    sign = header.text("SecIonPolarity")
    if sign in {"+", "-"} and sign != layout.polarity:
        notes.append(f"the instrument's header says polarity {sign}, the store says {layout.polarity}")
    time, source = _times(file, path, layout, header)
    attrs["notes"] = notes
    return time, source, attrs


def _detector(file: h5py.File, path: Path) -> dict[str, float]:
    """Shots and dead time as depthlock's own converter writes them, in a group the format leaves free."""
    if DETECTOR not in file:
        return {}
    stated = {key: attribute(file[DETECTOR], key, path) for key in ("shots_per_pixel", "dead_time_ns")}
    return {key: value for key, value in stated.items() if isinstance(value, int | float) and value > 0}


def _header(file: h5py.File, path: Path) -> phi_header.PhiHeader:
    if "raw_header" not in file:
        return phi_header.PhiHeader()
    raw = vector(file, "/raw_header", path)
    return phi_header.parse_header(read_slice(raw, 0, raw.shape[0], path).astype(np.uint8).tobytes())


def _raster(
    file: h5py.File, path: Path, header: phi_header.PhiHeader, ny: int, nx: int, notes: list[str]
) -> dict[str, float]:
    """`pixel_pitch_um` from the store's spatial calibration, else from the header's scan width."""
    stated: list[float] = []
    if "calibration/spatial" in file:
        group = file["calibration/spatial"]
        value = attribute(group, "pixel_pitch_um", path)
        if value is None and "pixel_pitch_um" in group:
            value = np.asarray(dataset(file, "/calibration/spatial/pixel_pitch_um", path)).tolist()
        stated = [float(v) for v in (value if isinstance(value, list) else [value]) if isinstance(v, int | float)]
    from_header = phi_header.pixel_pitch_um(header, ny, nx)
    pitches = tuple(stated) or from_header or ()
    if not pitches or not all(math.isfinite(pitch) and pitch > 0 for pitch in pitches):
        return {}
    if stated and from_header and not math.isclose(stated[-1], from_header[-1], rel_tol=0.01):
        notes.append(
            f"the store says {stated[-1]:g} um a pixel, the header {from_header[-1]:g} um; the store's is used"
        )
    if not math.isclose(pitches[0], pitches[-1], rel_tol=1e-3):
        notes.append(f"pixels are {pitches[0]:g} um high and {pitches[-1]:g} um wide; the width is used")
    return {"pixel_pitch_um": pitches[-1]}


def _times(
    file: h5py.File, path: Path, layout: Layout, header: phi_header.PhiHeader
) -> tuple[NDArray[np.float64], str]:
    scans = layout.row_shape[0]
    if layout.mode == "depth_profile":
        if "frames/sputter_time_s" in file:
            source = vector(file, "/frames/sputter_time_s", path, kinds="fiu", length=scans)
            time = read_slice(source, 0, scans, path).astype(np.float64)
            if not np.all(np.isfinite(time)) or np.any(np.diff(time) < 0):
                raise ReadError(
                    "the sputter times are not finite or not ascending",
                    expected="one time in s a cycle, ascending",
                    where=f"{path}:/frames/sputter_time_s",
                )
            return time, "file"
        step = phi_header.sputter_interval_s(header)
        if step:
            return step * np.arange(scans, dtype=np.float64), "sputter interval of the header"
    elif layout.mode == "image_2d":
        step = phi_header.frame_time_s(header)
        if step:
            return step * np.arange(scans, dtype=np.float64), "analysis time of the frames, without a sputter beam"
    return np.full(scans, np.nan), "none"
