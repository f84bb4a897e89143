"""Small event stores for the tests of this folder."""

import dask.array as da
import numpy as np
import xarray as xr

from depthlock.model.chemistry import IonEntry
from depthlock.model.options import ProfileOptions

SUBSTRATE = ("V-", "VO-", "VO2-", "SnO2-", "Cu+")


def random_store(seed: int, chunk: int = 50) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shape = (4, 2, 5, 7)
    bins = np.sort(rng.choice(200, size=40, replace=False))
    rows = [np.sort(rng.choice(int(np.prod(shape)), size=int(rng.integers(1, 9)), replace=False)) for _ in bins]
    pixel = np.concatenate(rows).astype(np.uint32)
    count = rng.integers(1, 5, size=pixel.size).astype(np.uint32)
    indptr = np.concatenate([[0], np.cumsum([row.size for row in rows])])
    one = {"units": "1"}
    return xr.Dataset(
        {
            "mass_bin": ("bin", bins.astype(np.int64), one),
            "indptr": ("bin_edge", indptr.astype(np.int64), one),
            "pixel_id": ("event", da.from_array(pixel, chunks=chunk), one),
            "count": ("event", da.from_array(count, chunks=chunk), one),
        },
        coords={"sputter_time": ("scan", np.arange(4) * 2.0, {"units": "s"})},
        attrs={
            "polarity": "-",
            "row_shape": list(shape),
            "acquisition_mode": "depth_profile",
            "mass_bin_width_ps": 128.0,
            "calibration_slope": 0.38,
            "calibration_offset": -1.5,
            "pixel_pitch_um": 0.5,
        },
    )


def options(*labels: str, **more: object) -> ProfileOptions:
    """Options that follow ions; those of metals are the substrate."""
    ions = tuple(IonEntry(ion=label, role="substrate" if label in SUBSTRATE else "other") for label in labels)
    return ProfileOptions(ions=ions, elements=("Mg", "F", "S", "O", "C", "N", "V"), **more)  # type: ignore[arg-type]
