"""The small parts of an event store: identity, geometry, calibration, and the lengths of its columns.

The section numbers are those of the format's specification (`tof-sims-sparse-hdf5` 0.1; PyPI package ``simsh5``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depthlock.model.errors import ReadError
from depthlock.readers.hdf5_access import attribute, read_slice, vector

if TYPE_CHECKING:
    import h5py

FORMAT = "tof-sims-sparse-hdf5"
VERSION = "0.1"
PRIMARY = "/data/mass_csr"
DETECTOR = "/calibration/detector"
"""Where depthlock's converter keeps shots and dead time; the format leaves this group free."""

AXES = {
    "image_2d": ("frame", "y", "x"),
    "depth_profile": ("cycle", "frame", "y", "x"),
    "mosaic": ("tile", "frame", "y", "x"),
}
"""Axes of `row_shape` by acquisition mode, the slowest first (section 5)."""


@dataclass(frozen=True)
class Layout:
    """What the small parts of a store say, checked for consistency.

    Attributes
    ----------
    cells : int
        N, number of non-zero (bin, pixel) cells.
    bins : int
        K, number of occupied flight-time bins.
    row_shape : tuple of int
        Axes of `pixel_id`, the slowest first.
    mode : str
        One of `AXES`.
    polarity : str
        ``"+"`` or ``"-"``.
    width_ps : float
        Width of a flight-time bin in ps.
    slope, offset : float
        sqrt(m/z) = slope * t + offset, t in us (section 4).
    """

    cells: int
    bins: int
    row_shape: tuple[int, ...]
    mode: str
    polarity: str
    width_ps: float
    slope: float
    offset: float

    @property
    def rows(self) -> int:
        """Number of pixel cells, the product of `row_shape`."""
        return math.prod(self.row_shape)


def read_layout(file: h5py.File, path: Path) -> Layout:
    """Read and check identity, geometry, calibration and the lengths of the primary datasets.

    Raises
    ------
    ReadError
        With the HDF5 path of the first part that is missing or contradicts another.
    """
    _check_identity(file, path)
    mode = str(attribute(file, "acquisition_mode", path, ""))
    if mode not in AXES:
        raise ReadError(
            f"the acquisition mode is '{mode}'",
            expected=f"one of {', '.join(AXES)}",
            where=f"{path}:/@acquisition_mode",
        )
    polarity = str(attribute(file, "polarity", path, ""))
    if polarity not in {"+", "-"}:
        raise ReadError(f"the polarity is '{polarity}'", expected="'+' or '-'", where=f"{path}:/@polarity")
    row_shape = _row_shape(file, path, mode)
    cells, bins = csr_lengths(file, PRIMARY, path)
    width = attribute(file[PRIMARY], "mass_bin_width_ps", path, 1)
    if not isinstance(width, int | float) or not 0 < width < 1e6:
        raise ReadError(
            f"the bin width is {width!r} ps", expected="a positive number", where=f"{path}:{PRIMARY}@mass_bin_width_ps"
        )
    name = "/calibration/mass/coefficients"
    slope, offset = read_slice(vector(file, name, path, kinds="f", length=2), 0, 2, path).tolist()
    if not (math.isfinite(slope) and math.isfinite(offset) and slope > 0):
        raise ReadError(
            f"the mass calibration is [{slope}, {offset}]",
            expected="a positive slope in sqrt(Da)/us and a finite offset in sqrt(Da)",
            where=f"{path}:{name}",
        )
    return Layout(cells, bins, row_shape, mode, polarity, float(width), slope, offset)


def _check_identity(file: h5py.File, path: Path) -> None:
    found = attribute(file, "format", path, "")
    if found != FORMAT:
        raise ReadError(
            f"the HDF5 file's format is '{found}'" if found else "the HDF5 file does not name its format",
            expected=f"'{FORMAT}'",
            where=f"{path}:/@format",
            hint="convert the raw file with the instrument maker's exporter to this format",
        )
    version = str(attribute(file, "format_version", path, ""))
    if version != VERSION:
        raise ReadError(
            f"the format version is '{version}'",
            expected=f"'{VERSION}'",
            where=f"{path}:/@format_version",
            hint="convert the raw file again with an exporter of this version",
        )


def _row_shape(file: h5py.File, path: Path, mode: str) -> tuple[int, ...]:
    where = f"{path}:/geometry"
    if "geometry" not in file:
        raise ReadError("the group /geometry is missing", expected="@row_shape, @row_count", where=where)
    geometry = file["geometry"]
    shape = attribute(geometry, "row_shape", path)
    if (
        not isinstance(shape, list)
        or len(shape) != len(AXES[mode])
        or not all(isinstance(n, int) and n > 0 for n in shape)
    ):
        raise ReadError(
            f"row_shape is {shape}",
            expected=f"{len(AXES[mode])} positive integers for the mode '{mode}'",
            where=f"{where}@row_shape",
        )
    count = attribute(geometry, "row_count", path)
    if count != math.prod(shape):
        raise ReadError(
            f"row_count is {count}",
            expected=f"{math.prod(shape)}, the product of row_shape",
            where=f"{where}@row_count",
        )
    return tuple(shape)


def csr_lengths(file: h5py.File, group: str, path: Path) -> tuple[int, int]:
    """Numbers of cells and of bins of a CSR group, after checking types and lengths of its datasets."""
    bins = vector(file, f"{group}/mass_bin", path).shape[0]
    vector(file, f"{group}/indptr", path, length=bins + 1)
    cells = vector(file, f"{group}/pixel_id", path).shape[0]
    vector(file, f"{group}/count", path, length=cells)
    if f"{group}/count_exceptions" in file:
        exceptions = vector(file, f"{group}/count_exceptions/nnz_index", path).shape[0]
        vector(file, f"{group}/count_exceptions/value", path, length=exceptions)
    return cells, bins
