"""The stage `stem_maps`: crystallinity and virtual detector images of 4D-STEM scans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.model.options import ScanOptions
from depthlock.tem.crystallinity import crystallinity_map, scan_diffraction, virtual_annulus


def map_scans(scans: Sequence[xr.Dataset], options: ScanOptions) -> xr.Dataset:
    """Maps of every 4D-STEM scan of a sample.

    Parameters
    ----------
    scans : sequence of xr.Dataset
        Contract `stem_scan`, with `scan_step_nm` and `detector_step`; `centre` (x, y in pixels) where the session
        gives it, else the direct beam is found in the mean pattern.
    options : ScanOptions

    Returns
    -------
    xr.Dataset
        Contract `stem_maps`. Of scan k, on the places (scan_y_k, scan_x_k) in nm: `crystallinity_k`, the largest count
        over the median of its ring and one count more, between the frequencies of the spacings looked for;
        `annular_k`, the sum between these frequencies (virtual annular detector), and `bright_k`, that inside of them.
        `pattern_k` (ky_k, kx_k) in 1/nm is the mean pattern. All come from the lazy patterns block by block.

    Raises
    ------
    MeasurementError
        When a detector does not reach the spacings looked for.
    """
    maps: dict[str, xr.Variable] = {}
    rings: list[list[float]] = []
    for number, scan in enumerate(scans):
        steps, frequency = scan.attrs["scan_step_nm"], scan.attrs["detector_step"]
        given = scan.attrs.get("centre")
        signal = scan_diffraction(
            scan["patterns"].data, (float(steps[0]), float(steps[1])), (float(frequency[0]), float(frequency[1])),
            None if given is None else (float(given[1]), float(given[0])),
        )  # fmt: skip
        kx, ky = (np.asarray(axis.axis, dtype=np.float64) for axis in signal.axes_manager.signal_axes)
        inner, outer = _ring(kx, ky, options, str(scan.attrs.get("source", "")))
        rings.append([inner, outer])
        places = (f"scan_y_{number}", f"scan_x_{number}")
        crystalline = crystallinity_map(signal, k_range=(inner, outer), ground=1.0)
        found = {
            "crystallinity": crystalline.values,
            "annular": virtual_annulus(signal, inner, outer).values,
            "bright": virtual_annulus(signal, 0.0, inner).values,
        }
        for name, values in found.items():
            maps[f"{name}_{number}"] = xr.Variable(places, np.asarray(values, dtype=np.float32), {"units": "1"})
        for name, axis in zip(places, ("y", "x"), strict=True):
            maps[name] = xr.Variable(name, crystalline[axis].values, {"units": "nm"})
        mean = np.asarray(signal.data.mean(axis=(0, 1)).compute(), dtype=np.float32)
        maps[f"pattern_{number}"] = xr.Variable((f"ky_{number}", f"kx_{number}"), mean, {"units": "1"})
        for name, axis_values in ((f"ky_{number}", ky), (f"kx_{number}", kx)):
            maps[name] = xr.Variable(name, axis_values, {"units": "1/nm"})
    return xr.Dataset(maps, attrs={
        "scans": len(scans), "sources": [str(scan.attrs.get("source", "")) for scan in scans],
        "rings_per_nm": np.ravel(rings).tolist(),
    })  # fmt: skip


def _ring(kx: NDArray[np.float64], ky: NDArray[np.float64], options: ScanOptions, source: str) -> tuple[float, float]:
    """Frequencies in 1/nm of the spacings looked for, as far as whole rings are on the detector."""
    inner = 1.0 / options.longest_spacing
    reach = min(-kx[0], kx[-1], -ky[0], ky[-1])
    outer = min(1.0 / options.shortest_spacing, float(reach))
    if outer < 1.2 * inner:
        raise MeasurementError(
            f"the detector reaches {reach:.3g} 1/nm from the direct beam, a spacing of"
            f" {1.0 / reach:.3g} nm" if reach > 0 else "the direct beam is not on the detector",
            expected=f"rings of spacings below {options.longest_spacing:g} nm", where=source,
            hint="check `detector_step` and `centre`, or give a larger `longest_spacing` under `stem_maps`",
        )  # fmt: skip
    return inner, outer
