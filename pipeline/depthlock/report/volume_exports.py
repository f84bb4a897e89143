"""Ion volumes for other programs: OME-TIFF for Fiji, napari and the like, one channel an ion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def write_ome_tiff(volume: xr.Dataset, path: Path) -> None:
    """Write volumes plane by plane: no more than one chunk of one ion is in memory.

    Parameters
    ----------
    volume : xr.Dataset
        Contract `tofsims_volume`, even in depth where it has a coordinate `depth`
        (:func:`depthlock.tofsims.volumes.even_in_depth`).
    path : Path

    Notes
    -----
    Axes C, Z, Y, X; channels are named after the ions. Z is depth in nm; without one it counts scans, and every plane
    has its sputter time. OME has no unit of time along Z.
    """
    import tifffile

    counts = volume["counts"].transpose("ion", "scan", "y", "x")
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        file.write(
            _planes(counts),
            shape=counts.shape,
            dtype=np.float32,
            photometric="minisblack",
            compression="zlib",
            metadata=_metadata(volume),
        )


def _planes(counts: xr.DataArray) -> Iterator[NDArray[np.float32]]:
    sizes = counts.chunksizes.get("scan", (counts.sizes["scan"],))
    for ion in range(counts.sizes["ion"]):
        start = 0
        for size in sizes:
            part = counts.isel(ion=ion, scan=slice(start, start + size)).values.astype(np.float32)
            yield from part
            start += size


def _metadata(volume: xr.Dataset) -> dict[str, Any]:
    sizes = volume["counts"].sizes
    lateral: dict[str, Any] = {}
    for axis in ("y", "x"):
        places = volume[axis].values
        if volume[axis].attrs.get("units") != "1" and volume[axis].attrs.get("units") != "pixel":
            step = float(places[1] - places[0]) if places.size > 1 else 1.0
            lateral |= {f"PhysicalSize{axis.upper()}": step, f"PhysicalSize{axis.upper()}Unit": "µm"}
    metadata: dict[str, Any] = {
        "axes": "CZYX",
        "Channel": {"Name": [str(ion) for ion in volume["ion"].values]},
        "Description": f"ions a voxel; from {Path(str(volume.attrs.get('source', ''))).name}",
        **lateral,
    }
    if "depth" in volume.coords and sizes["scan"] > 1:
        depth = volume["depth"].values
        step = float(depth[-1] - depth[0]) / (depth.size - 1)
        metadata |= {"PhysicalSizeZ": step, "PhysicalSizeZUnit": "nm"}
    time = volume["sputter_time"].values
    if np.isfinite(time).all():
        planes = np.tile(time, sizes["ion"]).tolist()
        metadata["Plane"] = {"DeltaT": planes, "DeltaTUnit": ["s"] * len(planes)}
    return metadata
