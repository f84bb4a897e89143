"""Profiles freed from the depth response: every ion's counts inverted with the substrate's fitted response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.tofsims.assembly import ReducedIon, ScanTable
from depthlock.tofsims.exponential_gauss import FloatArray
from depthlock.tofsims.interface import Interface
from depthlock.tofsims.layer_inversion import Inversion, invert
from depthlock.tofsims.mixing_roughness import step_response
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.response import ResponseModel, StepShape

RESPONSES = 20
"""Depth responses drawn from the substrate's fit, so that its uncertainty is in the profiles."""

SAMPLES = 400

POOR_FIT = 3.0
"""Mean squared residual over its variance from which the blurred profile does not describe the counts."""


def with_deconvolved(
    dataset: xr.Dataset, ions: Sequence[ReducedIon], data: Sequence[CountData], scans: ScanTable, seed: int
) -> xr.Dataset:
    """Add the quantity `deconvolved` (ion, scan): intensity that each depth itself would give, ions a scan.

    Parameters
    ----------
    dataset : xr.Dataset
        Contract ``tofsims_profile``, left unchanged.
    ions : sequence of ReducedIon
    data : sequence of CountData
        Their intensities with variance laws.
    scans : ScanTable
    seed : int
        Of the samples.

    Returns
    -------
    xr.Dataset
        Medians and central 95 % intervals of samples; an interval reaches down to 0 where the value is within two
        standard deviations of it. NaN with a flag where there is nothing to invert. The attribute
        ``deconvolved_with`` names the ion whose response was used.
    """
    shape = (len(ions), scans.sputter_time.size)
    numbers = np.full((4, *shape), np.nan)
    flags = np.full(shape, "", dtype=object)
    leading = _leading(ions)
    random = np.random.default_rng(seed)
    kept = np.flatnonzero(scans.used)
    time = scans.sputter_time[kept]
    if leading is None or kept.size < 8:
        flags[:] = "no_interface"
    else:
        response = leading[1]
        blurs = _drawn_blurs(time, response, random)
        length = _blur_length(time, response)
        for row, (ion, law) in enumerate(zip(ions, data, strict=True)):
            flags[row] = join_flags(ion.total[4], response.flag)
            flags[row, ~scans.used] = "not_measured"
            if not np.isfinite(ion.intensity[kept]).all():
                flags[row] = join_flags(ion.total[4], "not_measured")
                continue
            chosen = CountData(law.values[kept], law.gain[kept], law.floor[kept])
            found = invert(chosen, blurs, length, SAMPLES, random)
            numbers[:, row, kept] = _summary(found)
            if found.chi_square > POOR_FIT:
                flags[row, kept] = join_flags(flags[row, kept[0]], "poor_fit")
    quantity = Quantity(numbers[0], numbers[1], numbers[2], numbers[3], flags.astype(np.str_))
    dataset = assign(dataset, "deconvolved", ("ion", "scan"), quantity, "1")
    return dataset.assign_attrs(deconvolved_with="" if leading is None else leading[0])


def blur_matrix(time: FloatArray, shape: StepShape, sigma: float, passage: float) -> FloatArray:
    """Weights with which what lies at each scan's depth is seen in each scan.

    Parameters
    ----------
    time : ndarray, shape (scan,)
        Sputter time in s, ascending.
    shape, sigma, passage
        Response of the substrate: its form, the layer-side sigma in s, and the time in s at which the surface passes
        the interface; behind it depth runs at the substrate's rate.

    Returns
    -------
    ndarray, shape (scan, scan)
        Rows add up to 1, as nothing stands above the surface; what lies behind the last scan is taken to be like it.
    """
    edges = np.concatenate(([min(0.0, time[0])], 0.5 * (time[1:] + time[:-1])))
    depth, faces = (_sputtered(at, shape, sigma, passage) for at in (time, edges))
    seen = step_response(depth[:, np.newaxis] - faces, shape.mixing, shape.information)
    weights = seen - np.concatenate((seen[:, 1:], np.zeros((time.size, 1))), axis=1)
    return np.asarray(weights / np.maximum(seen[:, :1], 1e-6))


def _sputtered(time: FloatArray, shape: StepShape, sigma: float, passage: float) -> FloatArray:
    """Depth in units of the roughness, 0 at the interface, at the rate of what is being sputtered."""
    relative = (time - passage) / sigma
    return np.asarray(np.where(relative > 0, relative / shape.rate_ratio, relative))


def _leading(ions: Sequence[ReducedIon]) -> tuple[str, Interface] | None:
    """The substrate ion whose response is used, an unflagged one first, then that of the most ions."""
    found = [
        (one.flag == "", float(np.nan_to_num(ion.total[0])), ion.label, one)
        for ion in ions
        if (one := ion.interface) is not None and np.isfinite(one.time[0])
    ]
    return max(found, key=lambda each: each[:2])[2:] if found else None


def _drawn_blurs(time: FloatArray, interface: Interface, random: np.random.Generator) -> list[FloatArray]:
    """Blurs of the best response and of draws from its fit, kept inside the bounds of the parameters."""
    normal = random.multivariate_normal(interface.theta, interface.theta_covariance, RESPONSES - 1, method="eigh")
    drawn = np.clip(normal, interface.theta_bounds[0], interface.theta_bounds[1])
    model = ResponseModel(time)
    return [blur_matrix(time, *model.geometry(theta)) for theta in (interface.theta, *drawn)]


def _blur_length(time: FloatArray, interface: Interface) -> float:
    """Length of the blur in scans, in the layer."""
    length = float(np.hypot(interface.sigma[0], interface.mixing[0]))
    return max(length / float(np.median(np.diff(time))), 1.0)


def _summary(found: Inversion) -> NDArray[np.float64]:
    """Value, std and interval, shape (4, cell)."""
    early, lower, middle, upper, late = np.percentile(found.samples, [15.865525, 2.5, 50.0, 97.5, 84.134475], axis=0)
    # Logarithms never reach zero: where the counts do not exclude it, the interval does.
    lower = np.where(middle < 2.0 * found.samples.std(axis=0), 0.0, lower)
    return np.stack([middle, 0.5 * (late - early), lower, upper])
