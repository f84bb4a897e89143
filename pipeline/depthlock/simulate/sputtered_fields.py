"""The phases as sputtering shows them, by scan and pixel, and the true interface that follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthlock.simulate.depth_response import DepthResponse, depth_at_time, response_matrix
from depthlock.simulate.lateral import domain_fields, modulation, smooth_field
from depthlock.simulate.layer import PHASES, LayerParameters
from depthlock.simulate.tofsims_parameters import TofsimsParameters

FloatArray = NDArray[np.float64]

_DEPTH_STEP_NM = 0.1


def phase_fields(
    parameters: TofsimsParameters, layer: LayerParameters, thickness: FloatArray, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Strength of every phase as it is seen, by scan and pixel: domains, topography, rates and depth response.

    Parameters
    ----------
    parameters, layer
        The instrument and the sample.
    thickness : array, shape (pixel,)
        Local thickness of the layer in nm.
    rng : numpy Generator
        Draws the domains.

    Returns
    -------
    dict of arrays, shape (scan, pixel)
    """
    shape = (parameters.pixels, parameters.pixels)
    organic, inorganic = domain_fields(
        shape, parameters.domain_length_px, parameters.domain_nodes, parameters.domain_correlation, rng
    )
    nodes = {"organic": organic, "inorganic": inorganic}
    seen = {phase: np.zeros((parameters.scans, thickness.size), dtype=np.float32) for phase in PHASES}
    for local in np.unique(thickness):
        columns = np.flatnonzero(thickness == local)
        depth = depth_at_time(parameters.sputter_time_s, float(local), parameters.rates)
        grid = _depth_grid(depth, parameters.response)
        weights = response_matrix(depth, grid, parameters.response)
        fraction = grid / local
        for phase in PHASES:
            strength = layer.strength(phase, fraction)
            if phase in nodes and parameters.domain_contrast > 0.0:
                inside = fraction < 1.0
                # the lateral mean is taken over the whole raster, so that the mean profile stays the true one
                factor = modulation(nodes[phase], fraction[inside], parameters.domain_contrast)[:, columns]
                seen[phase][:, columns] = weights[:, inside] @ (strength[inside, None] * factor)
            else:
                seen[phase][:, columns] = (weights @ strength)[:, None]
    return seen


def local_thickness(parameters: TofsimsParameters, layer: LayerParameters, rng: np.random.Generator) -> FloatArray:
    """Thickness of the layer in nm under every pixel, with the sample's thickness as its mean; shape (pixel,)."""
    shape = (parameters.pixels, parameters.pixels)
    mean = layer.thickness_nm
    if parameters.topography_nm <= 0.0:
        return np.full(parameters.pixels**2, mean)
    rough = smooth_field(shape, 2.0 * parameters.domain_length_px, rng).ravel() * parameters.topography_nm
    steps = np.round(rough / _DEPTH_STEP_NM) * _DEPTH_STEP_NM
    return np.asarray(mean + steps - steps.mean())


def _depth_grid(depth: FloatArray, response: DepthResponse) -> FloatArray:
    reach = 6.0 * response.roughness_nm + 8.0 * response.information_nm + 2.0 * response.mixing_nm
    return np.asarray(np.arange(0.5 * _DEPTH_STEP_NM, depth.max() + reach, _DEPTH_STEP_NM))


def interface_truth(
    parameters: TofsimsParameters, layer: LayerParameters, thickness: FloatArray
) -> tuple[float, float]:
    """Half-way time and 16-84 % time in s of the substrate's rise, without noise, dead time, transient and drift."""
    end = layer.thickness_nm / parameters.rates.layer_nm_s
    time = np.linspace(0.0, max(parameters.sputter_time_s[-1], 1.5 * end), 3001)
    local, count = np.unique(thickness, return_counts=True)
    level = layer.vanadium.amount
    rise = np.zeros(time.size)
    for nanometres, number in zip(local, count, strict=True):
        depth = depth_at_time(time, float(nanometres), parameters.rates)
        grid = _depth_grid(depth, parameters.response)
        fraction = grid / nanometres
        strength = layer.strength("vanadium", fraction) + layer.strength("substrate", fraction)
        seen = np.concatenate(
            [response_matrix(part, grid, parameters.response) @ strength for part in np.array_split(depth, 20)]
        )
        rise += seen * number / count.sum()
    share = (rise - level) / (1.0 - level)
    early, half, late = (_last_crossing(time, share, part) for part in (0.1587, 0.5, 0.8413))
    return half, late - early


def _last_crossing(time: FloatArray, share: FloatArray, level: float) -> float:
    """Time at which a rising curve passes a level for the last time, interpolated linearly."""
    below = int(np.flatnonzero(share < level)[-1])
    if below + 1 >= time.size:
        raise ValueError(f"the profile ends before the substrate is at {level:.0%} of its plateau; simulate more scans")
    weight = (level - share[below]) / (share[below + 1] - share[below])
    return float(time[below] + weight * (time[below + 1] - time[below]))
