"""From reduced ions to the `tofsims_profile` dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.chemistry import IonEntry
from depthlock.model.ions import Ion
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.interface import Interface, no_interface
from depthlock.tofsims.mass_drift import MassDrift

Measured = tuple[float, float, float, float, str]
"""Value, std, lower and upper end of the 95 % interval, flag."""

NOT_MEASURED: Measured = (np.nan, np.nan, np.nan, np.nan, "")
"""A quantity that an ion does not have; it does not go into the summary."""


@dataclass(frozen=True)
class IsotopeRatio:
    """An isotopologue's ions over those of the followed ion.

    Attributes
    ----------
    shift : int
        Mass number minus that of the followed ion.
    value, std, lower, upper : float
    flag : str
    natural : float
        The ratio at natural abundance.
    deviation : float
        Measured minus natural ratio over the error of both.
    """

    shift: int
    value: float
    std: float
    lower: float
    upper: float
    flag: str
    natural: float
    deviation: float


@dataclass(frozen=True)
class ReducedIon:
    """What one ion gives.

    Attributes
    ----------
    label, role : str
    mz : float
        Exact, in Da.
    counts, pulses, background, intensity, std : ndarray, shape (scan,)
    total, mass_error, mass_resolution : Measured
    bin_low, bin_high : int
        Window in mass bins for volumes; equal where there is none.
    share : float
        Part of the window's counts that is this ion.
    mass_axis, mass_spectrum, mass_fit : ndarray, shape (channel,)
    interface : Interface or None
        For substrate ions.
    isotopes : tuple of IsotopeRatio
        Empty where the file has no spectrum.
    """

    label: str
    role: str
    mz: float
    counts: FloatArray
    pulses: FloatArray
    background: FloatArray
    intensity: FloatArray
    std: FloatArray
    total: Measured
    mass_error: Measured
    mass_resolution: Measured
    bin_low: int
    bin_high: int
    share: float
    mass_axis: FloatArray
    mass_spectrum: FloatArray
    mass_fit: FloatArray
    interface: Interface | None
    isotopes: tuple[IsotopeRatio, ...] = ()


def unmeasured_ion(entry: IonEntry, scans: int, flag: str) -> ReducedIon:
    """An ion of the session that the measurement cannot hold: no numbers, and the reason."""
    nothing, empty = np.full(scans, np.nan), np.zeros(0)
    none: Measured = (np.nan, np.nan, np.nan, np.nan, flag)
    return ReducedIon(
        label=entry.ion,
        role=entry.role,
        mz=Ion.parse(entry.ion).mz,
        counts=nothing,
        pulses=nothing,
        background=nothing,
        intensity=nothing,
        std=nothing,
        total=none,
        mass_error=none,
        mass_resolution=none,
        bin_low=0,
        bin_high=0,
        share=0.0,
        mass_axis=empty,
        mass_spectrum=empty,
        mass_fit=empty,
        interface=no_interface(scans, join_flags("interface_not_found", flag)) if entry.role == "substrate" else None,
    )


@dataclass(frozen=True)
class ScanTable:
    """What the scans have in common.

    Attributes
    ----------
    sputter_time : ndarray, shape (scan,)
        In s.
    used : ndarray of bool, shape (scan,)
    total_intensity, total_std : ndarray, shape (scan,)
        All ions and their counting error.
    drift : MassDrift or None
        Of the mass scale, taken out of all counts; None for an export.
    """

    sputter_time: FloatArray
    used: NDArray[np.bool_]
    total_intensity: FloatArray
    total_std: FloatArray
    drift: MassDrift | None = None


def assemble(ions: Sequence[ReducedIon], scans: ScanTable, attrs: dict[str, object]) -> xr.Dataset:
    """Put reduced ions into a dataset that keeps the contract `tofsims_profile`.

    Parameters
    ----------
    ions : sequence of ReducedIon
    scans : ScanTable
    attrs : dict
        Plain values.
    """
    one = {"units": "1"}
    count = scans.sputter_time.size
    fitted = [ion.interface.fitted if ion.interface is not None else np.full(count, np.nan) for ion in ions]
    dataset = xr.Dataset(
        {
            "counts": (("ion", "scan"), np.stack([ion.counts for ion in ions]), one),
            "pulses": (("ion", "scan"), np.stack([ion.pulses for ion in ions]), one),
            "background": (("ion", "scan"), np.stack([ion.background for ion in ions]), one),
            "intensity": (("ion", "scan"), np.stack([ion.intensity for ion in ions]), one),
            "intensity_std": (("ion", "scan"), np.stack([ion.std for ion in ions]), one),
            "response_fit": (("ion", "scan"), np.stack(fitted), one),
            "used_scans": ("scan", scans.used.astype(np.int8), one),
            "total_intensity": ("scan", scans.total_intensity, one),
            "total_intensity_std": ("scan", scans.total_std, one),
            "mass_axis": (("ion", "channel"), _padded([ion.mass_axis for ion in ions]), {"units": "Da"}),
            "mass_spectrum": (("ion", "channel"), _padded([ion.mass_spectrum for ion in ions]), one),
            "mass_fit": (("ion", "channel"), _padded([ion.mass_fit for ion in ions]), one),
        },
        coords={
            "ion": ("ion", np.array([ion.label for ion in ions], dtype=np.str_), one),
            "role": ("ion", np.array([ion.role for ion in ions], dtype=np.str_), one),
            "mz": ("ion", np.array([ion.mz for ion in ions]), {"units": "Da"}),
            "sputter_time": ("scan", scans.sputter_time, {"units": "s"}),
            "bin_low": ("ion", np.array([ion.bin_low for ion in ions], dtype=np.int64), one),
            "bin_high": ("ion", np.array([ion.bin_high for ion in ions], dtype=np.int64), one),
            "share": ("ion", np.array([ion.share for ion in ions]), one),
        },
        attrs=attrs,
    )
    dataset = _with_quantity(dataset, "total_counts", [ion.total for ion in ions], "1")
    dataset = _with_quantity(dataset, "mass_error", [ion.mass_error for ion in ions], "ppm")
    dataset = _with_quantity(dataset, "mass_resolution", [ion.mass_resolution for ion in ions], "1")
    dataset = _with_isotopes(dataset, [ion.isotopes for ion in ions])
    dataset = _with_drift(dataset, scans.drift)
    return _with_interfaces(dataset, [ion.interface for ion in ions])


def _with_drift(dataset: xr.Dataset, drift: MassDrift | None) -> xr.Dataset:
    """`mass_drift`: the error of all masses by scan in ppm that was taken out; zero where none was significant."""
    if drift is None or not np.isfinite(drift.std).all():
        return dataset
    ppm = {"units": "ppm"}
    dataset = dataset.assign(mass_drift=("scan", drift.ppm, ppm), mass_drift_std=("scan", 2e6 * drift.std, ppm))
    return dataset.assign_attrs(mass_origin_bin=drift.origin, mass_drift_flag=drift.flag)


def _with_isotopes(dataset: xr.Dataset, ratios: Sequence[tuple[IsotopeRatio, ...]]) -> xr.Dataset:
    """The quantity `isotope_ratio` by ion and isotopologue; NaN without a flag where the ion has no such one."""
    shifts = sorted({one.shift for own in ratios for one in own})
    if not shifts:
        return dataset
    table = np.full((6, len(ratios), len(shifts)), np.nan)
    flags = np.full((len(ratios), len(shifts)), "", dtype=object)
    for k, own in enumerate(ratios):
        for one in own:
            place = shifts.index(one.shift)
            table[:, k, place] = one.value, one.std, one.lower, one.upper, one.natural, one.deviation
            flags[k, place] = one.flag
    dims, units = ("ion", "isotopologue"), {"units": "1"}
    quantity = Quantity(table[0], table[1], table[2], table[3], flags.astype(np.str_))
    dataset = dataset.assign_coords(isotopologue=("isotopologue", np.array([f"M{n:+d}" for n in shifts]), units))
    dataset = assign(dataset, "isotope_ratio", dims, quantity, "1")
    return dataset.assign(
        isotope_ratio_natural=(dims, table[4], units), isotope_deviation_sigma=(dims, table[5], units)
    )


def _with_quantity(dataset: xr.Dataset, name: str, values: Sequence[Measured], units: str) -> xr.Dataset:
    columns = list(zip(*values, strict=True))
    numbers = [np.array(column, dtype=np.float64) for column in columns[:4]]
    return assign(
        dataset,
        name,
        ("ion",),
        Quantity(numbers[0], numbers[1], numbers[2], numbers[3], np.array(columns[4], dtype=np.str_)),
        units,
    )


def _with_interfaces(dataset: xr.Dataset, interfaces: Sequence[Interface | None]) -> xr.Dataset:
    time = [NOT_MEASURED if one is None else (*one.time, one.flag) for one in interfaces]
    width = [NOT_MEASURED if one is None else (*one.width, one.flag) for one in interfaces]
    dataset = _with_quantity(dataset, "interface_time", time, "s")
    dataset = _with_quantity(dataset, "interface_width", width, "s")
    pairs: dict[str, tuple[str, Callable[[Interface], tuple[float, float]]]] = {
        "response_sigma": ("s", lambda one: one.sigma),
        "response_mixing": ("s", lambda one: one.mixing),
        "response_rate_ratio": ("1", lambda one: one.rate_ratio),
        "surface_level": ("1", lambda one: one.surface_level),
        "plateau_level": ("1", lambda one: one.plateau_level),
    }
    extra: dict[str, xr.Variable] = {}
    for name, (units, pick) in pairs.items():
        both = np.array([(np.nan, np.nan) if one is None else pick(one) for one in interfaces], dtype=np.float64)
        extra[name] = xr.Variable(("ion",), both[:, 0], {"units": units})
        extra[f"{name}_std"] = xr.Variable(("ion",), both[:, 1], {"units": units})
    dispersion = np.array([np.nan if one is None else one.dispersion for one in interfaces])
    extra["dispersion"] = xr.Variable(("ion",), dispersion, {"units": "1"})
    return dataset.assign(extra)


def _padded(rows: Sequence[FloatArray]) -> FloatArray:
    """Rows of different lengths as one array, NaN behind their ends; at least one column."""
    table = np.full((len(rows), max((row.size for row in rows), default=0) or 1), np.nan)
    for k, row in enumerate(rows):
        table[k, : row.size] = row
    return table


def with_flag(measured: Measured, *flags: str) -> Measured:
    """The same numbers with more flags."""
    return (*measured[:4], join_flags(measured[4], *flags))
