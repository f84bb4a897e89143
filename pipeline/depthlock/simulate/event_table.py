"""Counted ions in compressed sparse rows, and their file in the open format tof-sims-sparse-hdf5 0.1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_CREATED = "2025-01-01T00:00:00+00:00"
_HEADER_BYTES = 20000
_CHUNK = 1 << 16


@dataclass(frozen=True)
class EventTable:
    """Ions by flight-time bin and pixel, as tof-sims-sparse-hdf5 keeps them.

    Attributes
    ----------
    mass_bin : int array, shape (bin,)
        Occupied flight-time bins, ascending.
    indptr : int array, shape (bin + 1,)
        Where each bin's cells start.
    pixel_id : int array, shape (cell,)
        C-order index over `row_shape`, ascending in a bin.
    count : int array, shape (cell,)
        Ions in a cell.
    row_shape : tuple
        (cycle, frame, y, x).
    sputter_time_s : array, shape (cycle,)
        Sputter time in s.
    calibration : tuple of float
        Slope in sqrt(Da)/us and offset in sqrt(Da), as the file states them.
    bin_width_ps : int
        Width of a bin in ps.
    pixel_pitch_um : float
        Distance of pixels in um.
    shots_per_pixel : int
        Pulses a pixel and frame.
    dead_time_ns : float
        Dead time in ns.
    """

    mass_bin: NDArray[np.uint32]
    indptr: NDArray[np.uint64]
    pixel_id: NDArray[np.uint32]
    count: NDArray[np.uint32]
    row_shape: tuple[int, int, int, int]
    sputter_time_s: FloatArray
    calibration: tuple[float, float]
    bin_width_ps: int
    pixel_pitch_um: float
    shots_per_pixel: int
    dead_time_ns: float

    @property
    def ions(self) -> int:
        """Number of counted ions."""
        return int(self.count.sum(dtype=np.int64))

    def to_dataset(self) -> xr.Dataset:
        """The contract `tofsims_events` in memory, for tests that need no file."""
        plain = {"units": "1"}
        dataset = xr.Dataset(
            {
                "mass_bin": ("bin", self.mass_bin.astype(np.int64), plain),
                "indptr": ("bin_edge", self.indptr.astype(np.int64), plain),
                "pixel_id": ("event", self.pixel_id, plain),
                "count": ("event", self.count, plain),
            },
            coords={"sputter_time": ("scan", self.sputter_time_s, {"units": "s"})},
        )
        dataset.attrs = {
            "polarity": "-",
            "mass_bin_width_ps": float(self.bin_width_ps),
            "calibration_slope": self.calibration[0],
            "calibration_offset": self.calibration[1],
            "row_shape": list(self.row_shape),
            "acquisition_mode": "depth_profile",
            "pixel_pitch_um": self.pixel_pitch_um,
            "shots_per_pixel": self.shots_per_pixel,
            "dead_time_ns": self.dead_time_ns,
            "source": "simulated",
        }
        # lazily, as a store gives them
        return dataset.chunk({"event": 1 << 20})


def pack_events(
    bins: NDArray[np.int64],
    cells: NDArray[np.int64],
    row_shape: tuple[int, int, int, int],
    sputter_time_s: FloatArray,
    calibration: tuple[float, float],
    bin_width_ps: int,
    pixel_pitch_um: float,
    shots_per_pixel: int,
    dead_time_ns: float,
) -> EventTable:
    """Sort single ions into compressed sparse rows; see `EventTable` for the fields."""
    total = int(np.prod(row_shape))
    key = np.sort(bins * total + cells)
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if key.size else np.zeros(0, np.int64)
    count = np.diff(np.concatenate((first, [key.size])))
    bin_of_cell, pixel = np.divmod(key[first], total)
    row = np.flatnonzero(np.concatenate(([True], bin_of_cell[1:] != bin_of_cell[:-1]))) if first.size else first
    return EventTable(
        mass_bin=bin_of_cell[row].astype(np.uint32),
        indptr=np.concatenate((row, [first.size])).astype(np.uint64),
        pixel_id=pixel.astype(np.uint32),
        count=count.astype(np.uint32),
        row_shape=row_shape,
        sputter_time_s=sputter_time_s,
        calibration=calibration,
        bin_width_ps=bin_width_ps,
        pixel_pitch_um=pixel_pitch_um,
        shots_per_pixel=shots_per_pixel,
        dead_time_ns=dead_time_ns,
    )


def raw_header(events: EventTable) -> str:
    """Acquisition parameters as readable lines in the style of a PHI raw file's header."""
    cycles, frames, _, pixels = events.row_shape
    rate_khz = 8.0
    frame_s = pixels * pixels * events.shots_per_pixel / (rate_khz * 1e3)
    interval = float(events.sputter_time_s[1] - events.sputter_time_s[0]) if cycles > 1 else 0.0
    width = events.pixel_pitch_um * pixels
    lines = [
        "SOFH",
        "InstrumentModel: simulated",
        "Platform: depthlock simulate",
        "HeaderVersion: 2",
        f"SpecBinSize: {events.bin_width_ps * 1e-3:.5f}",
        "Technique: -TofSIMS",
        "SecIonPolarity: -",
        "AcquisitionType: Depth Profile",
        f"TimePerFrameInS: {frame_s:.6f}",
        f"Mass/Time: {events.calibration[0]:.9f}",
        f"MassOffset: {events.calibration[1]:.9f}",
        f"ImagePixels: {pixels}",
        "AcqPrimSpecies: Bi3 +",
        f"ScanWidthX: {width:.5f}",
        f"ScanWidthY: {width:.5f}",
        f"AcqPulseRate(kHz): {rate_khz:.4f}",
        f"ShotsPerPixel: {events.shots_per_pixel}",
        f"DetectorDeadTime(ns): {events.dead_time_ns:.3f}",
        f"NoFrames: {frames}",
        f"NoSputCycles: {cycles}",
        f"SputterInterval: {interval:.3f}",
        "SputPrimSpecies: Cs",
        f"FramesPerCycle: {frames}",
        "InterleavedProfile: FALSE",
        f"HeaderSize: {_HEADER_BYTES}",
        "EOFH",
    ]
    return "\r\n".join(lines) + "\r\n"


def write_sparse_hdf5(path: Path, events: EventTable) -> None:
    """Write a file of the format tof-sims-sparse-hdf5 0.1; byte by byte the same for the same events."""
    import h5py

    with h5py.File(path, "w", track_order=False) as file:
        file.attrs.update(
            format="tof-sims-sparse-hdf5",
            format_version="0.1",
            acquisition_mode="depth_profile",
            polarity="-",
            source_format="depthlock_simulate",
            source_md5="",
            created=_CREATED,
        )
        _write_rows(file.create_group("data/mass_csr"), events)
        mass = file.create_group("calibration/mass")
        mass.create_dataset("coefficients", data=np.array(events.calibration))
        mass.attrs["model"] = "phi_quadratic"
        mass.attrs["ps_per_bin"] = float(events.bin_width_ps)
        spatial = file.create_group("calibration/spatial")
        spatial.attrs["pixel_pitch_um"] = events.pixel_pitch_um
        spatial.attrs["field_of_view_um"] = events.pixel_pitch_um * events.row_shape[-1]
        geometry = file.create_group("geometry")
        geometry.attrs["row_shape"] = np.array(events.row_shape, dtype=np.uint64)
        geometry.attrs["row_count"] = np.uint64(np.prod(events.row_shape))
        geometry.attrs["row_order"] = "C"
        geometry.attrs["frames_summed"] = False
        geometry.attrs["acquisition_mode"] = "depth_profile"
        file.create_dataset("frames/sputter_time_s", data=events.sputter_time_s)
        header = raw_header(events).encode("latin-1").ljust(_HEADER_BYTES, b"\0")
        dataset = file.create_dataset("raw_header", data=np.frombuffer(header, dtype=np.uint8), compression="gzip")
        dataset.attrs["encoding"] = "latin-1"
        dataset.attrs["byte_length"] = _HEADER_BYTES


def _write_rows(group: Any, events: EventTable) -> None:
    packed = {"compression": "gzip", "compression_opts": 6, "shuffle": True, "track_times": False}
    columns: dict[str, NDArray[Any]] = {
        "mass_bin": events.mass_bin,
        "indptr": events.indptr,
        "pixel_id": events.pixel_id,
        "count": np.minimum(events.count, 255).astype(np.uint8),
    }
    for name, values in columns.items():
        group.create_dataset(name, data=values, chunks=(max(1, min(_CHUNK, values.size)),), **packed)
    group.attrs["n_nnz"] = np.uint64(events.pixel_id.size)
    group.attrs["n_occupied_mass_bins"] = np.uint64(events.mass_bin.size)
    group.attrs["max_mass_bin"] = np.uint32(events.mass_bin.max(initial=0))
    group.attrs["sort_order_within_row"] = "pixel_id_ascending"
    group.attrs["mass_bin_width_ps"] = np.uint32(events.bin_width_ps)
    many = np.flatnonzero(events.count > 255)
    if many.size:
        group.create_dataset("count_exceptions/nnz_index", data=many.astype(np.uint64))
        group.create_dataset("count_exceptions/value", data=events.count[many].astype(np.uint32))
