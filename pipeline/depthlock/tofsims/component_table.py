"""From factors to the `tofsims_components` dataset: profiles, maps, volumes, and what the components could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import uniform_filter1d

from depthlock.model.options import ProfileOptions
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.tofsims.component_number import ComponentNumber, poisson_scale, principal_components
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.factors import Factors
from depthlock.tofsims.instrument import Instrument
from depthlock.tofsims.peak_list import ListedPeak, name_peaks
from depthlock.tofsims.peaks import Peak
from depthlock.tofsims.raster import raster_of
from depthlock.tofsims.spectrum_image import SpectrumImage
from depthlock.tofsims.unmixing import unmixing_weights
from depthlock.tofsims.volume import grid_centres

_STABLE = 0.95
"""Cosine of spectra from different starts below which a component is not one answer."""

_EXCESS = 1.2
"""Deviance over that of counting noise above which the components do not describe the ions."""

_TELLING = 6
"""Peaks named for a component."""

_SHOWN = 6
"""Principal components given at least."""

_SMOOTHED_SCANS = 5
"""Scans whose mean stands in for the expectation where a scan has few ions."""

ONE = {"units": "1"}


@dataclass(frozen=True)
class Tables:
    """Ions of every peak without dead time.

    Attributes
    ----------
    fitted : ndarray, shape (group, peak)
        By the voxels that the components are fitted to.
    voxels : ndarray, shape (voxel, peak)
        By the smallest voxels.
    scan_gain : ndarray, shape (scan, peak)
        Ions over counts in each scan.
    place_gain : ndarray, shape (y, x, peak)
        Ions over counts at each place.
    """

    fitted: FloatArray
    voxels: FloatArray
    scan_gain: FloatArray
    place_gain: FloatArray


@dataclass(frozen=True)
class NamedPeaks:
    """What the peaks could be.

    Attributes
    ----------
    mz : ndarray, shape (peak,)
        In Da.
    candidates : tuple of str
        Formulas with their mass error, the likeliest first; empty for a peak that tells no component.
    telling : tuple of str
        For each component the peaks that tell it from the mean spectrum, the most telling first.
    """

    mz: FloatArray
    candidates: tuple[str, ...]
    telling: tuple[str, ...]


def named_peaks(
    spectra: FloatArray,
    ions: FloatArray,
    peaks: Sequence[Peak],
    instrument: Instrument,
    options: ProfileOptions,
    polarity: str,
) -> NamedPeaks:
    """Name the peaks by which components differ from the mean spectrum.

    Parameters
    ----------
    spectra : ndarray, shape (component, peak)
        Of unit sum.
    ions : ndarray, shape (voxel, peak)
    peaks : sequence of Peak
    instrument : Instrument
    options : ProfileOptions
    polarity : str

    Notes
    -----
    A peak tells a component by its part of the Kullback-Leibler divergence from the mean spectrum: strong peaks that
    everything has tell nothing. A single component is told by its strongest peaks.
    """
    mean = ions.sum(axis=0) / ions.sum()
    ratio = np.where(spectra > 0, spectra / np.maximum(mean, 1e-300), 1.0)
    weight = spectra * np.log(ratio) if spectra.shape[0] > 1 else spectra
    order = [[int(j) for j in np.argsort(-row)[:_TELLING] if row[j] > 0] for row in weight]
    wanted = sorted({j for own in order for j in own})
    listed = dict(zip(wanted, name_peaks([peaks[j] for j in wanted], instrument, options, polarity), strict=True))
    return NamedPeaks(
        mz=instrument.around.calibration.scale.mz([peak.position for peak in peaks]),
        candidates=tuple(_candidates(listed[j]) if j in listed else "" for j in range(len(peaks))),
        telling=tuple(", ".join(_name(listed[j]) for j in own) for own in order),
    )


def _name(peak: ListedPeak) -> str:
    return peak.candidates[0].label if peak.candidates else f"m/z {peak.mz:.3f}"


def _candidates(peak: ListedPeak) -> str:
    return "; ".join(f"{one.label} {one.ppm:+.1f} ppm" for one in peak.candidates)


def assemble_components(
    events: xr.Dataset,
    instrument: Instrument,
    image: SpectrumImage,
    tables: Tables,
    found: ComponentNumber,
    factors: Factors,
    names: NamedPeaks,
) -> xr.Dataset:
    """Put components into a dataset that keeps the contract `tofsims_components`.

    Notes
    -----
    Profiles, maps and volumes are linear: each spectrum's ions by the weights that are unbiased whatever the mixture
    (:func:`depthlock.tofsims.unmixing.unmixing_weights`), so that they have Poisson errors and may be negative within
    them. The factors themselves, held above zero voxel by voxel, are too large where there is nothing. The spectra are
    taken as known.
    """
    spectra = factors.spectra
    weights = unmixing_weights(spectra, np.maximum(tables.fitted.sum(axis=0), 1e-9))
    scans = image.scans * tables.scan_gain
    expected = np.maximum(image.scans, uniform_filter1d(image.scans, _SMOOTHED_SCANS, axis=0, mode="nearest"))
    profile, variance = scans @ weights.T, (expected * tables.scan_gain**2) @ weights.T**2
    places = image.places * tables.place_gain
    time = events["sputter_time"].values.astype(np.float64)
    dataset = _on_coordinates(events, image, names, spectra.shape[0], time)
    dataset = dataset.assign(
        peak_ions=("peak", scans.sum(axis=0), ONE),
        spectrum=(("component", "peak"), spectra, ONE),
        peak_share=(("component", "peak"), _shares(spectra, factors.amounts), ONE),
        telling_peaks=("component", np.array(names.telling, dtype=np.str_), ONE),
        stability=("component", factors.stability, ONE),
        profile=(("component", "scan"), profile.T, ONE),
        profile_std=(("component", "scan"), np.sqrt(variance).T, ONE),
        map=(("component", "y", "x"), np.moveaxis(places @ weights.T, -1, 0).astype(np.float32), ONE),
        volume=(
            ("component", "voxel_scan", "voxel_y", "voxel_x"),
            (weights @ tables.voxels.T).reshape(-1, *image.shape).astype(np.float32),
            ONE,
        ),
    )
    dataset = _with_principal(dataset, tables.fitted, scans, places, max(spectra.shape[0] + 2, _SHOWN))
    dataset = _with_quantities(dataset, time, _flags(factors, found.number))
    dataset.attrs = {
        "source": str(events.attrs.get("source", "")),
        "polarity": str(events.attrs["polarity"]),
        "notes": _notes(factors, found),
        "components_found": found.number,
        "significance": [round(float(value), 2) for value in found.significance],
        "voxel_steps": list(image.steps),
        "fitted_voxel": [int(a * b) for a, b in zip(image.steps, found.steps, strict=True)],
        "explained_deviance": 1.0 - factors.deviance / max(factors.flat_deviance, 1e-300),
        "deviance_over_noise": factors.deviance / max(factors.noise_deviance, 1e-300),
        "starts_as_good": factors.starts,
        "calibration_flag": instrument.around.calibration.flag,
    }
    return dataset


def _on_coordinates(
    events: xr.Dataset, image: SpectrumImage, names: NamedPeaks, number: int, time: FloatArray
) -> xr.Dataset:
    raster = raster_of(events)
    _, y, x, unit = grid_centres(events, raster, (1, image.map_step, image.map_step))
    voxel_time, voxel_y, voxel_x, _ = grid_centres(events, raster, image.steps)
    return xr.Dataset(
        coords={
            "component": ("component", np.array([f"component {k + 1}" for k in range(number)], dtype=np.str_), ONE),
            "mz": ("peak", names.mz, {"units": "Da"}),
            "candidates": ("peak", np.array(names.candidates, dtype=np.str_), ONE),
            "sputter_time": ("scan", time, {"units": "s"}),
            "y": ("y", y, {"units": unit}),
            "x": ("x", x, {"units": unit}),
            "voxel_time": ("voxel_scan", voxel_time, {"units": "s"}),
            "voxel_y": ("voxel_y", voxel_y, {"units": unit}),
            "voxel_x": ("voxel_x", voxel_x, {"units": unit}),
        }
    )


def _shares(spectra: FloatArray, amounts: FloatArray) -> FloatArray:
    """Part of each peak's ions that belongs to each component."""
    own = spectra * amounts.sum(axis=0)[:, np.newaxis]
    total = own.sum(axis=0)
    return np.asarray(np.divide(own, total, out=np.zeros_like(own), where=total > 0), dtype=np.float64)


def _with_principal(
    dataset: xr.Dataset, ions: FloatArray, scans: FloatArray, places: FloatArray, most: int
) -> xr.Dataset:
    """Principal components with Poisson scaling, scaled back: score times spectrum is in ions."""
    scaled = ions * poisson_scale(ions)
    _, directions, squares = principal_components(scaled, min(most, ions.shape[1]))
    directions = directions * np.sign(directions[np.argmax(np.abs(directions), axis=0), np.arange(squares.size)])
    root = np.sqrt(np.maximum(ions.sum(axis=0) / ions.sum(), 1e-300))[:, np.newaxis]
    scores = directions / root
    return dataset.assign(
        principal_spectrum=(("principal", "peak"), (directions * root).T, ONE),
        principal_profile=(("principal", "scan"), (scans @ scores).T, ONE),
        principal_map=(("principal", "y", "x"), np.moveaxis(places @ scores, -1, 0).astype(np.float32), ONE),
        principal_share=("principal", squares / max(float(np.sum(scaled**2)), 1e-300), ONE),
    )


def _flags(factors: Factors, found: int) -> list[str]:
    number = factors.spectra.shape[0]
    common = join_flags(
        "more_components" if found > number else "",
        "poor_fit" if factors.deviance > _EXCESS * factors.noise_deviance else "",
    )
    stable = factors.stability >= _STABLE
    return [join_flags("" if good else "unstable_component", common) for good in stable]


def _with_quantities(dataset: xr.Dataset, time: FloatArray, flags: list[str]) -> xr.Dataset:
    """Ions of every component, and its mean sputter time."""
    profile, std = dataset["profile"].values, dataset["profile_std"].values
    total, error = profile.sum(axis=1), np.sqrt(np.sum(std**2, axis=1))
    dataset = assign(dataset, "component_ions", ("component",), Quantity(total, error, flag=flags), "1")
    known = total > 0
    safe = np.where(known, total, 1.0)
    mean = np.where(known, profile @ time / safe, np.nan)
    offset = time - np.nan_to_num(mean)[:, np.newaxis]
    spread = np.where(known, np.sqrt(np.sum((std * offset) ** 2, axis=1)) / safe, np.nan)
    if not float(np.ptp(time)) > 0.0:
        mean, spread = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
        flags = [join_flags(flag, "no_sputter_axis") for flag in flags]
    return assign(dataset, "component_time", ("component",), Quantity(mean, spread, flag=flags), "s")


def _notes(factors: Factors, found: ComponentNumber) -> list[str]:
    number, z = factors.spectra.shape[0], found.significance
    weakest = z[min(number, z.size) - 1]
    told = f"{number} components unmixed; the last stands out by {weakest:.0f} sigma in an independent half of the ions"
    if found.number != number:
        told += f"; the ions hold {found.number}"
    return [told]


def no_components(events: xr.Dataset, reason: str) -> xr.Dataset:
    """A dataset of the contract `tofsims_components` with no component, and the reason in `notes`."""
    empty = NamedPeaks(np.zeros(0), (), ())
    raster = raster_of(events)
    image = SpectrumImage(
        np.zeros((1, 0)), (1, 1, 1), (raster.scans, raster.rows, raster.columns), np.zeros((raster.scans, 0)),
        np.zeros((1, 1, 0)), max(raster.rows, raster.columns), np.zeros(1),
    )  # fmt: skip
    time = events["sputter_time"].values.astype(np.float64)
    dataset = _on_coordinates(events, image, empty, 0, time)
    shapes = {
        "spectrum": ("component", "peak"), "peak_share": ("component", "peak"), "stability": ("component",),
        "profile": ("component", "scan"), "profile_std": ("component", "scan"), "map": ("component", "y", "x"),
        "volume": ("component", "voxel_scan", "voxel_y", "voxel_x"), "peak_ions": ("peak",),
        "principal_spectrum": ("principal", "peak"), "principal_profile": ("principal", "scan"),
        "principal_map": ("principal", "y", "x"), "principal_share": ("principal",),
    }  # fmt: skip
    sizes = {**dataset.sizes, "principal": 0}
    dataset = dataset.assign({
        name: (dims, np.zeros([sizes[dim] for dim in dims]), ONE) for name, dims in shapes.items()
    })  # fmt: skip
    dataset = dataset.assign(telling_peaks=("component", np.zeros(0, dtype="U1"), ONE))
    dataset = _with_quantities(dataset, time, [])
    dataset.attrs = {"source": str(events.attrs.get("source", "")), "notes": [reason]}
    return dataset
