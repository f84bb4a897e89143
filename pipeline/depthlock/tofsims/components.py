"""The stage `tofsims_components`: the whole spectrum unmixed, so that chemistry nobody asked for is found."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.options import ComponentsOptions
from depthlock.tofsims.acquisition import look_at
from depthlock.tofsims.component_number import ComponentNumber, find_number
from depthlock.tofsims.component_table import Tables, assemble_components, named_peaks, no_components
from depthlock.tofsims.counting import correct_dead_time
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.factors import factorise
from depthlock.tofsims.instrument import Instrument, survey
from depthlock.tofsims.spectrum_image import SpectrumImage, grouped, peak_windows, read_spectrum_image, voxel_steps

_FEWEST_IONS = 1000.0
_FEWEST_PEAKS = 3


def find_components(events: xr.Dataset, options: ComponentsOptions) -> xr.Dataset:
    """Unmix the spectrum image of all peaks into components, by Poisson likelihood.

    Parameters
    ----------
    events : xr.Dataset
        Contract `tofsims_events`; read block by block.
    options : ComponentsOptions

    Returns
    -------
    xr.Dataset
        Contract `tofsims_components`: spectra, depth profiles, maps and volumes of the components, with the formulas
        that the peaks which tell each apart could be; and principal components with Poisson scaling. Without any
        component where the unmixing is switched off or ions are too few, which `notes` says.
    """
    if options.components == 0:
        return no_components(events, "the unmixing is switched off")
    if events.sizes["event"] == 0:
        return no_components(events, "no unmixing: the file holds no ions")
    instrument = survey(events, options.profile)
    peaks = tuple(sorted(instrument.around.peaks, key=lambda peak: peak.position))
    total = sum(peak.counts for peak in peaks)
    if len(peaks) < _FEWEST_PEAKS or total < _FEWEST_IONS:
        return no_components(events, f"no unmixing: {len(peaks)} peaks with {total:.0f} ions are too few")
    view = look_at(events, instrument, options.profile).view
    steps = voxel_steps(view.raster, len(peaks), total)
    image = read_spectrum_image(events, view, instrument.detector.drift, peak_windows(peaks), steps)
    pulses = _pulses(image, instrument)
    found = find_number(image.voxels, image.shape, pulses, np.random.default_rng(options.seed))
    number = min(options.components or min(found.number, options.most_components), len(peaks))
    tables = _tables(image, pulses, found)
    factors = factorise(tables.fitted, number, options.starts, options.seed)
    names = named_peaks(factors.spectra, tables.fitted, peaks, instrument, options.profile, str(events.polarity))
    return check(assemble_components(events, instrument, image, tables, found, factors, names), "tofsims_components")


def _pulses(image: SpectrumImage, instrument: Instrument) -> FloatArray | None:
    """Pulses of each voxel, each of which detects one ion of a peak at most; None where nobody knows."""
    if not instrument.detector.known or instrument.detector.shots_per_pixel is None:
        return None
    return image.visits * instrument.view.raster.frames * instrument.detector.shots_per_pixel


def _tables(image: SpectrumImage, pulses: FloatArray | None, found: ComponentNumber) -> Tables:
    """Ions without dead time by voxel, by scan and by place.

    Scans and places are corrected by what was lost in the voxels they cross: their own mean rates would take all
    pixels, or all depths, as alike.
    """
    counts = grouped(image.voxels, image.shape, found.steps)
    shots = None if pulses is None else grouped(pulses, image.shape, found.steps)
    fitted = _without_dead_time(counts, shots)
    cube = (*_groups(image.shape, found.steps), counts.shape[1])
    both = counts.reshape(cube), fitted.reshape(cube)
    by_scan, by_place = (_ratio(*(table.sum(axis=axes) for table in both)) for axes in ((1, 2), (0,)))
    scan = np.arange(image.scans.shape[0]) // (image.steps[0] * found.steps[0])
    row, column = (
        np.arange(side) * image.map_step // (image.steps[axis] * found.steps[axis])
        for axis, side in zip((1, 2), image.places.shape[:2], strict=True)
    )
    return Tables(
        fitted=fitted,
        voxels=_without_dead_time(image.voxels, pulses),
        scan_gain=by_scan[scan],
        place_gain=by_place[row[:, np.newaxis], column],
    )


def _groups(shape: tuple[int, int, int], steps: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(-(-size // step) for size, step in zip(shape, steps, strict=True))


def _without_dead_time(counts: FloatArray, pulses: FloatArray | None) -> FloatArray:
    # A dead time longer than a peak: the channels of the correction are whole peaks.
    return counts if pulses is None else correct_dead_time(counts, pulses, 0).ions


def _ratio(counts: FloatArray, ions: FloatArray) -> FloatArray:
    return np.divide(ions, counts, out=np.ones_like(ions), where=counts > 0)
