"""Element maps with their noise: as a file holds them, or as line maps of a spectrum image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.eds.counting import Counted
from depthlock.eds.detector import USUAL_RESOLUTION
from depthlock.eds.spectrum_fit import SpectrumFit, fit_spectrum, main_family
from depthlock.model.errors import MeasurementError

OVERLAPPING = 0.3
"""Correlation of two lines' counts from which the maps depend on each other."""

POOR_FIT = 3.0
"""Mean squared departure over the Poisson variance at a line from which its shape is not described."""

ROWS_AT_ONCE = 2**25
"""Numbers of a spectrum image that are worked on at once."""

SHOWN = 5.0
"""Standard deviations from which an element nobody named gets a map of its own."""


@dataclass(frozen=True)
class ElementMaps:
    """Counts of elements in every pixel.

    Attributes
    ----------
    elements : tuple of str
    lines : tuple of str
        The family that each is measured by (``Ka``), or empty.
    counted : Counted
        Arrays of shape (n_elements, n_y, n_x).
    are_counts : bool
        Whether the values are detected X-rays; otherwise their noise is estimated from neighbouring pixels.
    flags : tuple of str
        One an element.
    good : ndarray of bool, shape (n_y, n_x)
        Pixels without a fault.
    haadf : ndarray, shape (n_y, n_x), or None
    pixel : tuple of float
        Size (y, x) in nm.
    source : str
    shape_error : tuple of float
        Relative standard error of each element's counts from its lines' shapes, common to all pixels; empty if none.
    spectrum : xr.Dataset or None
        Sum spectrum and its fit.
    notes : tuple of str
    """

    elements: tuple[str, ...]
    lines: tuple[str, ...]
    counted: Counted
    are_counts: bool
    flags: tuple[str, ...]
    good: NDArray[np.bool_]
    haadf: NDArray[np.float64] | None
    pixel: tuple[float, float]
    source: str
    shape_error: tuple[float, ...] = ()
    spectrum: xr.Dataset | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def significance(self) -> NDArray[np.float64]:
        """Counts of every element in the whole map over their standard deviation; 0 where there are none."""
        counts = self.counted.net[:, self.good].sum(axis=1)
        variance = self.counted.variance[:, self.good].sum(axis=1)
        return np.asarray(counts / np.sqrt(np.maximum(variance, 1e-12)))


def element_maps(measured: xr.Dataset, elements: Sequence[str]) -> ElementMaps:
    """The maps of a data set.

    Parameters
    ----------
    measured : xr.Dataset
        Contract `eds_maps`, or `eds_spectra` from which line maps are made.
    elements : sequence of str
        Elements to look for in a spectrum image, beside those its file names and those that stand out.

    Raises
    ------
    MeasurementError
        When there is no scale, or the spectra hold no line of the elements.
    """
    return _line_maps(measured, elements) if "energy" in measured.dims else _given_maps(measured)


def _given_maps(measured: xr.Dataset) -> ElementMaps:
    values = np.asarray(measured["counts"].values, dtype=np.float64)
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    are_counts = bool(np.all(values >= 0) and np.all(values == np.round(values))) and not measured.attrs.get("display")
    scale = np.ones(len(values)) if are_counts else np.array([_noise_scale(plane) for plane in values])
    zero = np.zeros_like(values)
    counted = Counted(values, np.abs(values) * scale[:, None, None], zero, zero)
    good = finite.all(axis=0) & ~faulty_pixels(values, np.maximum(scale, 1.0))
    elements = tuple(str(name) for name in measured["element"].values)
    return ElementMaps(
        elements=elements,
        lines=tuple(str(name) for name in measured["line"].values),
        counted=counted,
        are_counts=are_counts,
        flags=("" if are_counts else "not_counts",) * len(elements),
        good=good,
        haadf=_haadf(measured),
        pixel=_pixel(measured),
        source=str(measured.attrs.get("source", "")),
        notes=_notes(measured, good),
    )


def _line_maps(measured: xr.Dataset, elements: Sequence[str]) -> ElementMaps:
    energies = np.asarray(measured["energy"].values, dtype=np.float64)
    pixel, source = _pixel(measured), str(measured.attrs.get("source", ""))
    named = [str(name) for name in np.atleast_1d(measured.attrs.get("elements", [])) if str(name)]
    wanted = tuple(dict.fromkeys((*elements, *named)))
    blocks = _blocks(measured["counts"])
    total = sum((block.sum(axis=(0, 1), dtype=np.float64) for _, block in blocks()), np.zeros(energies.size))
    resolution = float(measured.attrs.get("resolution_keV", USUAL_RESOLUTION))
    fit = fit_spectrum(total, energies, wanted, resolution)
    if fit is None:
        raise MeasurementError(
            f"the spectra ({energies[0]:.3g} to {energies[-1]:.3g} keV) hold no X-ray line of {', '.join(wanted)}",
            expected="counts at the lines of an element",
            where=source,
            hint="name the elements: options: {eds_profile: {elements: [F, C, O]}}",
        )
    chosen = _chosen_lines(fit, wanted)
    weights = fit.filters()[[number for number, _ in chosen]]
    rows, columns = measured.sizes["y"], measured.sizes["x"]
    arrays = [np.zeros((len(chosen), rows, columns)) for _ in range(4)]
    everything = np.zeros((rows, columns))
    sides = (np.maximum(weights, 0.0), np.maximum(-weights, 0.0))
    for start, block in blocks():
        here = slice(start, start + block.shape[0])
        counts = block[..., fit.channels].astype(np.float64)
        everything[here] = counts.sum(axis=-1)
        for number, side in enumerate(sides):
            arrays[2 * number][:, here] = np.moveaxis(counts @ side.T, -1, 0)
            arrays[2 * number + 1][:, here] = np.moveaxis(counts @ (side**2).T, -1, 0)
    good = ~faulty_pixels(everything[None], np.ones(1))
    return ElementMaps(
        elements=tuple(fit.families[number].element for number, _ in chosen),
        lines=tuple(fit.families[number].names[0] for number, _ in chosen),
        counted=Counted(*arrays),
        are_counts=True,
        flags=tuple(flag for _, flag in chosen),
        good=good,
        haadf=_haadf(measured),
        pixel=pixel,
        source=source,
        shape_error=tuple(float(fit.shape_error[number]) for number, _ in chosen),
        spectrum=_described(fit, total, energies),
        notes=_notes(measured, good),
    )


def _chosen_lines(fit: SpectrumFit, wanted: Sequence[str]) -> list[tuple[int, str]]:
    """Number of the main family of every element that is wanted or stands out, with its flag."""
    lines = len(fit.families)
    spread = np.sqrt(np.diag(fit.covariance)[:lines])
    correlation = fit.covariance[:lines, :lines] / np.outer(spread, spread)
    chosen = []
    for number, family in enumerate(fit.families):
        if family != main_family(fit.families, family.element):
            continue
        if family.element not in wanted and fit.significance[number] < SHOWN:
            continue
        others = [
            fit.families[other].label
            for other in np.nonzero(np.abs(correlation[number]) > OVERLAPPING)[0]
            if other != number and fit.significance[other] > SHOWN
        ]
        flags = [f"overlap:{label}" for label in others] + ["poor_fit"] * bool(fit.misfit[number] > POOR_FIT)
        chosen.append((number, ";".join(flags)))
    order = {name: place for place, name in enumerate(wanted)}
    return sorted(chosen, key=lambda item: order.get(fit.families[item[0]].element, len(order)))


def _blocks(counts: xr.DataArray) -> Callable[[], Iterator[tuple[int, NDArray[np.integer]]]]:
    """A function that walks through the rows of a spectrum image, one part of its file in memory at a time."""
    lazy = counts.transpose("y", "x", "energy").data
    starts = np.concatenate([[0], np.cumsum(lazy.chunks[0])]) if hasattr(lazy, "chunks") else np.array([0, len(lazy)])

    def walk() -> Iterator[tuple[int, NDArray[np.integer]]]:
        for first, last in pairwise(starts):
            part = np.asarray(lazy[int(first) : int(last)])
            rows = max(1, ROWS_AT_ONCE // max(part[0].size, 1))
            for at in range(0, len(part), rows):
                yield int(first) + at, part[at : at + rows]

    return walk


def faulty_pixels(planes: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels that differ from their eight neighbours by more than counting allows: dead ones, and spikes.

    Parameters
    ----------
    planes : ndarray, shape (n, n_y, n_x)
        Counts of several maps; all of a dead pixel's are 0.
    scale : ndarray, shape (n,)
        Variance of a map over its mean.
    """
    from scipy.ndimage import median_filter
    from scipy.stats import poisson

    def unlikely(plane: NDArray[np.float64], factor: float) -> NDArray[np.bool_]:
        around = median_filter(plane, footprint=np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]), mode="nearest") / factor
        around = np.maximum(1.25 * around + 1.0, 0.0)
        return np.asarray(poisson.sf(np.ceil(plane / factor) - 1, around) < UNLIKELY)

    spikes = np.any([unlikely(plane, max(factor, 1e-6)) for plane, factor in zip(planes, scale, strict=True)], axis=0)
    total = (planes / np.maximum(scale, 1e-6)[:, None, None]).sum(axis=0)
    around = median_filter(total, footprint=np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]), mode="nearest")
    dead = (total <= 0) & (around > -1.25 * np.log(UNLIKELY))
    return np.asarray(spikes | dead)


UNLIKELY = 1e-9
"""Probability below which a count is a fault, not chance."""


def _noise_scale(plane: NDArray[np.float64]) -> float:
    """Variance over mean from second differences along both axes, which smooth structure leaves small."""
    scales = []
    for values in (plane, plane.T):
        if len(values) > 2:
            squares = np.diff(values, 2, axis=0) ** 2
            flat = squares <= np.quantile(squares, 0.98)  # without the steps at boundaries
            scales.append(float(squares[flat].sum()) / max(6.0 * float(np.abs(values[1:-1][flat]).sum()), 1e-12))
    return max(float(np.mean(scales)), 1e-6) if scales else 1.0


def _haadf(measured: xr.Dataset) -> NDArray[np.float64] | None:
    return np.asarray(measured["haadf"].values, dtype=np.float64) if "haadf" in measured else None


def _pixel(measured: xr.Dataset) -> tuple[float, float]:
    size = np.ravel(np.asarray(measured.attrs.get("pixel_size_nm", []), dtype=float))
    if size.size == 0 or not np.all(np.isfinite(size)) or np.any(size <= 0):
        raise MeasurementError(
            "the element maps have no scale (scale_unknown)",
            expected="the size of a pixel",
            where=str(measured.attrs.get("source", "")),
            hint="give it in the session, for instance `eds: [{file: ..., pixel_size: 0.3 nm}]`",
        )
    return float(size[0]), float(size[-1])


def _notes(measured: xr.Dataset, good: NDArray[np.bool_]) -> tuple[str, ...]:
    notes = [str(note) for note in np.atleast_1d(measured.attrs.get("notes", [])) if str(note)]
    faults = int((~good).sum())
    if faults:
        notes.append(f"EDS: {faults} of {good.size} pixels are dead or spikes and were left out")
    return tuple(notes)


def _described(fit: SpectrumFit, total: NDArray[np.float64], energies: NDArray[np.float64]) -> xr.Dataset:
    unit = {"units": "1"}
    return xr.Dataset(
        {
            "spectrum": ("energy", total[fit.channels], unit),
            "spectrum_model": ("energy", fit.expected, unit),
            "spectrum_background": ("energy", fit.background, unit),
        },
        {"energy": ("energy", energies[fit.channels], {"units": "keV"})},
        {"offset_keV": fit.detector.offset, "gain": fit.detector.gain, "resolution_keV": fit.detector.resolution},
    )
