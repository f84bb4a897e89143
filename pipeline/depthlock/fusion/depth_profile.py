"""The stage `depth_profile`: all techniques of a sample on one depth axis, and the numbers of its layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.axis import depth_axis, layer_on_axis, point_depths, signal_on_axis
from depthlock.fusion.depth_scale import Thickness, layer_thickness, sputter_rate, substrate_rate, summarise
from depthlock.fusion.elements import place_elements, with_elements
from depthlock.fusion.interface_area import interface_area_ratio
from depthlock.fusion.layer_numbers import pair_table, species_table, stacked, unknown
from depthlock.fusion.technique import TechniqueFit
from depthlock.fusion.tofsims_fit import fit_tofsims
from depthlock.fusion.xps_fit import fit_xps
from depthlock.model.errors import MeasurementError
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import Quantity, assign, join_flags

Array = NDArray[np.float64]

FROM_EDS = "depth: no thickness from TEM images; the depth scale rests on the layer's thickness in the STEM-EDS maps"


def lock_depth(
    tofsims: xr.Dataset | None,
    xps: xr.Dataset | None,
    tem: xr.Dataset | None,
    eds: xr.Dataset | None,
    volumes: Mapping[str, xr.DataArray] | None,
    options: DepthOptions,
) -> xr.Dataset:
    """Put the profiles of a sample on one depth axis and measure its layer.

    Parameters
    ----------
    tofsims : xr.Dataset or None
        Contract ``tofsims_profile``.
    xps : xr.Dataset or None
        Contract ``xps_fit``.
    tem : xr.Dataset or None
        Contract ``tem_thickness``. Where neither it nor `eds` nor the options give a thickness, depths are fractions of
        the layer and everything in nm is NaN with the flag ``no_thickness``.
    eds : xr.Dataset or None
        Contract ``eds_profile``: its elements are species too, and its thickness is the scale where the TEM gives none.
    volumes : mapping or None
        Counts (scan, y, x) by ion label, for the voxel correlation; scans as in `tofsims`.
    options : DepthOptions

    Returns
    -------
    xr.Dataset
        Contract ``depth_profile``.

    Raises
    ------
    MeasurementError
        When there is no profile at all.
    """
    if tofsims is None and xps is None and eds is None:
        raise MeasurementError(
            "neither a TOF-SIMS profile nor an XPS fit nor a STEM-EDS profile",
            expected="at least one technique that sees depth",
            hint="give the sample a 'tofsims', 'xps' or 'eds' entry",
        )
    random = np.random.default_rng(options.seed)
    thickness = layer_thickness(tem, options, eds)
    samples = thickness.samples(options.samples, random)
    fits: list[TechniqueFit] = []
    if tofsims is not None:
        fits.append(fit_tofsims(tofsims, thickness, options, random))
    if xps is not None:
        fits.append(fit_xps(xps, thickness, options, random))
    elements = None if eds is None else place_elements(eds, thickness)
    reach = None if elements is None else elements.deepest
    axis = depth_axis(fits, thickness, samples, options, reach)
    species = [one for fit in fits for one in fit.species]
    dataset = xr.Dataset(
        coords={
            "depth": ("depth", axis.depth, {"units": "nm"}),
            "depth_std": ("depth", axis.depth_std, {"units": "nm"}),
            "depth_fraction": ("depth", axis.fraction, {"units": "1"}),
            "species": ("species", _text(one.name for one in species), {"units": "1"}),
            "technique": ("species", _text(one.technique for one in species), {"units": "1"}),
            "role": ("species", _text(one.role for one in species), {"units": "1"}),
            "rated_technique": ("rated_technique", _text(fit.technique for fit in fits), {"units": "1"}),
        },
        attrs=_attributes(thickness, fits, options),
    )
    dataset = assign(dataset, "layer_thickness", (), _thickness_quantity(thickness, samples), "nm")
    dataset = _assign_rates(dataset, fits, thickness, samples)
    for variables in (
        signal_on_axis(fits, axis),
        layer_on_axis(fits, axis),
        point_depths(fits, samples),
    ):
        dataset = dataset.assign(variables)
    dataset = species_table(dataset, fits, thickness, samples, random)
    dataset = pair_table(dataset, fits, thickness, samples, volumes, random)
    if elements is not None:
        dataset = with_elements(dataset, elements, axis, samples, random)
    if tofsims is None or "interface_slope" not in tofsims:
        return dataset
    return _with_interface_area(dataset, tofsims, fits[0], thickness, samples, random)


def _text(names: Iterable[str]) -> NDArray[np.str_]:
    return np.array(list(names), dtype=np.str_)


def _thickness_quantity(thickness: Thickness, samples: Array) -> Quantity:
    drawn = summarise(samples, thickness.flag)
    return Quantity(thickness.value, drawn.std, drawn.lower, drawn.upper, thickness.flag)


def _with_interface_area(
    dataset: xr.Dataset,
    tofsims: xr.Dataset,
    fit: TechniqueFit,
    thickness: Thickness,
    samples: Array,
    random: np.random.Generator,
) -> xr.Dataset:
    flag = join_flags(thickness.flag, fit.flag)
    ratio = unknown(flag)
    if fit.interface is not None:
        ratio = interface_area_ratio(tofsims, samples / fit.interface.interface_time, flag, random)
    return assign(dataset, "interface_area_ratio", (), ratio, "1")


def _assign_rates(dataset: xr.Dataset, fits: list[TechniqueFit], thickness: Thickness, samples: Array) -> xr.Dataset:
    rates, below, times = [], [], []
    for fit in fits:
        flag = join_flags(thickness.flag, fit.flag)
        if fit.interface is None:
            rates.append(unknown(flag))
            below.append(unknown(flag))
            times.append(unknown(fit.flag))
            continue
        rates.append(sputter_rate(samples, fit.interface.interface_time, flag))
        below.append(substrate_rate(samples, fit.interface, flag))
        times.append(sputter_rate(fit.interface.interface_time, np.ones(1), fit.flag))
    dataset = assign(dataset, "sputter_rate", ("rated_technique",), stacked(rates), "nm/s")
    dataset = assign(dataset, "substrate_rate", ("rated_technique",), stacked(below), "nm/s")
    return assign(dataset, "layer_end_time", ("rated_technique",), stacked(times), "s")


def _attributes(thickness: Thickness, fits: list[TechniqueFit], options: DepthOptions) -> dict[str, object]:
    attributes: dict[str, object] = {
        "thickness_source": thickness.source,
        "samples": options.samples,
        "notes": [FROM_EDS] if thickness.source == "eds" else [],
    }
    for fit in fits:
        attributes[f"{fit.technique}_interface_from"] = fit.substrate
    return attributes
