"""A simulated TOF-SIMS depth profile: ions in flight-time bins, pixels and scans, with the exact truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthlock.simulate.event_table import EventTable, pack_events
from depthlock.simulate.flight_time import draw_flight_times_ns, drifted_times_ns, survives_dead_time
from depthlock.simulate.isotopes import anion_lines, monoisotopic_mz
from depthlock.simulate.lateral import drift_path, drifted_voxels
from depthlock.simulate.layer import LayerParameters, layer_profile
from depthlock.simulate.species import SPECIES, Species
from depthlock.simulate.sputtered_fields import interface_truth, local_thickness, phase_fields
from depthlock.simulate.tofsims_parameters import TofsimsParameters, TofsimsTruth

__all__ = ["TofsimsParameters", "TofsimsTruth", "simulate_events"]

FloatArray = NDArray[np.float64]

_BACKGROUND_MASSES = (2.0, 240.0)


def simulate_events(
    parameters: TofsimsParameters, layer: LayerParameters, rng: np.random.Generator
) -> tuple[EventTable, TofsimsTruth]:
    """Ions of one depth profile as the detector counted them, and the truth.

    Parameters
    ----------
    parameters : TofsimsParameters
        Instrument and acquisition.
    layer : LayerParameters
        The sample.
    rng : numpy Generator
        Source of all randomness.
    """
    thickness = local_thickness(parameters, layer, rng)
    fields = phase_fields(parameters, layer, thickness, rng)
    species = [_scaled(one, parameters.yields.get(one.label, 1.0)) for one in SPECIES]
    strengths = {one.label: _strength(one, fields, parameters) for one in species}
    peaks_total = float(sum(float(values.sum(dtype=float)) for values in strengths.values()))
    scale = parameters.ions * (1.0 - parameters.background) / peaks_total
    masses: list[FloatArray] = []
    voxels: list[NDArray[np.int64]] = []
    expected: dict[str, FloatArray] = {}
    for one in species:
        strength = strengths.pop(one.label)
        drawn = rng.poisson(strength * scale).ravel()
        voxel = np.repeat(np.arange(drawn.size, dtype=np.int64), drawn)
        lines = anion_lines(one.label)
        shares = np.array([line.share for line in lines])
        which = rng.choice(shares.size, size=voxel.size, p=shares / shares.sum())
        masses.append(np.array([line.mz for line in lines])[which])
        voxels.append(voxel)
        expected[one.label] = strength.sum(axis=1, dtype=float) * scale * shares[0] / shares.sum()
    hump, hump_voxel = _background(parameters, rng)
    times = draw_flight_times_ns(np.concatenate(masses), parameters.spectrometer, rng)
    times = np.concatenate([times, parameters.spectrometer.flight_time_ns(hump)])
    voxel = np.concatenate([*voxels, hump_voxel])
    drift = _mass_drift_ppm(parameters, expected["VO2-"])
    times = drifted_times_ns(times, drift[voxel // parameters.pixels**2], parameters.spectrometer)
    # A stream of its own: a sample that does not drift stays what it was.
    way = rng.spawn(1)[0]
    path = drift_path(parameters.scans, parameters.lateral_drift_px, parameters.lateral_wander_px, way)
    if path.any():
        voxel = drifted_voxels(voxel, path, parameters.pixels, way)
    events, lost = _detect(parameters, times, voxel, rng)
    time, width = interface_truth(parameters, layer, thickness)
    truth = TofsimsTruth(
        expected=expected,
        total_counts={label: float(counts.sum()) for label, counts in expected.items()},
        interface_time_s=time,
        interface_width_s=width,
        substrate_in_layer=layer.vanadium.amount,
        mass_resolution={
            one.label: float(parameters.spectrometer.true_resolution(np.array(monoisotopic_mz(one.label))))
            for one in species
        },
        profiles={one.label: layer_profile(layer, one.weights) for one in species},
        lost_to_dead_time=lost,
        thickness_nm=thickness,
        lateral_path_px=path,
        mass_drift_ppm=drift,
    )
    return events, truth


def _scaled(one: Species, factor: float) -> Species:
    weights = {phase: weight * factor for phase, weight in one.weights.items()}
    return Species(one.label, transient=one.transient, **weights)


def _strength(
    one: Species, fields: dict[str, NDArray[np.float32]], parameters: TofsimsParameters
) -> NDArray[np.float32]:
    """Relative expected ions of a species by scan and pixel: phases, surface transient, slow drift."""
    total = np.zeros_like(fields["matrix"])
    for phase, weight in one.weights.items():
        if weight:
            total += np.float32(weight) * fields[phase]
    time = parameters.sputter_time_s
    factor = 1.0 + one.transient * np.exp(-time / max(parameters.transient_s, 1e-9))
    factor *= 1.0 + parameters.drift * (time / max(float(time[-1]), 1e-9) - 0.5)
    return np.asarray(total * factor[:, None].astype(np.float32))


def _mass_drift_ppm(parameters: TofsimsParameters, substrate: FloatArray) -> FloatArray:
    """Error of all masses by scan: an even drift, and a step that follows the substrate's rise."""
    even = parameters.mass_drift_ppm * np.linspace(-0.5, 0.5, parameters.scans)
    return np.asarray(even + parameters.charging_ppm * substrate / max(float(substrate.max()), 1e-12))


def _background(parameters: TofsimsParameters, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.int64]]:
    """Masses in Da and voxels of ions that belong to no peak: half evenly in time, half around whole masses."""
    count = int(rng.poisson(parameters.ions * parameters.background))
    low, high = np.sqrt(_BACKGROUND_MASSES)
    even = rng.uniform(low, high, count // 2) ** 2
    whole = np.ceil(rng.exponential(45.0, count - count // 2)) % 200.0 + 2.0
    humps = whole * 1.0003 + rng.normal(0.0, 0.12, whole.size)
    voxel = rng.integers(0, parameters.scans * parameters.pixels**2, count)
    return np.concatenate([even, humps]), voxel


def _detect(
    parameters: TofsimsParameters, times_ns: FloatArray, voxel: NDArray[np.int64], rng: np.random.Generator
) -> tuple[EventTable, float]:
    spectrometer = parameters.spectrometer
    pixels = parameters.pixels**2
    frame = rng.integers(0, parameters.frames, voxel.size)
    cell = (voxel // pixels * parameters.frames + frame) * pixels + voxel % pixels
    if spectrometer.dead_time_ns > 0.0:
        pulse = cell * spectrometer.shots_per_pixel + rng.integers(0, spectrometer.shots_per_pixel, cell.size)
        counted = survives_dead_time(pulse, times_ns, spectrometer.dead_time_ns)
    else:
        counted = np.ones(cell.size, dtype=bool)
    bins = np.floor(times_ns[counted] * 1e3 / spectrometer.bin_width_ps).astype(np.int64)
    slope, offset = spectrometer.header_calibration()
    events = pack_events(
        bins,
        cell[counted],
        row_shape=(parameters.scans, parameters.frames, parameters.pixels, parameters.pixels),
        sputter_time_s=parameters.sputter_time_s,
        calibration=(slope, offset),
        bin_width_ps=spectrometer.bin_width_ps,
        pixel_pitch_um=parameters.field_of_view_um / parameters.pixels,
        shots_per_pixel=spectrometer.shots_per_pixel,
        dead_time_ns=spectrometer.dead_time_ns,
    )
    return events, float(1.0 - counted.mean())
