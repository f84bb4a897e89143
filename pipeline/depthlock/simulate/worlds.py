"""Sessions to simulate: the reference pair of samples, and unseen ones drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from depthlock.simulate.depth_response import DepthResponse, SputterRates
from depthlock.simulate.flight_time import SpectrometerParameters
from depthlock.simulate.layer import LayerParameters, ProfileShape
from depthlock.simulate.tem import TemParameters
from depthlock.simulate.tofsims import TofsimsParameters
from depthlock.simulate.xps import XpsParameters

REFERENCE_SAMPLES = ("B-V2O5", "L-V2O5")
"""Bulk and oligolayered vanadium oxide: a stacked layer and an interlocked one."""


@dataclass(frozen=True)
class SampleParameters:
    """One sample and how it was measured.

    Attributes
    ----------
    name : str
        Name in the session.
    folder : str
        Folder of its raw files.
    layer : LayerParameters
        The sample.
    tofsims : TofsimsParameters or None
        TOF-SIMS profile, if measured.
    xps : XpsParameters or None
        Etch series, if measured.
    tem : tuple of TemParameters
        Images.
    """

    name: str
    folder: str
    layer: LayerParameters
    tofsims: TofsimsParameters | None
    xps: XpsParameters | None
    tem: tuple[TemParameters, ...]


@dataclass(frozen=True)
class SessionParameters:
    """A session of samples.

    Attributes
    ----------
    name : str
        Name of the session.
    ions : tuple of str
        Ions the session asks for.
    samples : tuple of SampleParameters
        The samples.
    """

    name: str = "mg-v2o5-cei"
    ions: tuple[str, ...] = ("SO2CF3-", "MgF2-", "V-")
    samples: tuple[SampleParameters, ...] = field(default_factory=lambda: (bulk_like(), oligolayered_like()))


def bulk_like() -> SampleParameters:
    """B-V2O5: 13.5 nm, organic fragments piled up outside, little MgF2 further in, much dissolved vanadium."""
    layer = LayerParameters(
        thickness_nm=13.5,
        organic=ProfileShape(amount=1.0, centre=0.32, width=0.07, side="outer", floor=0.10),
        inorganic=ProfileShape(amount=0.35, centre=0.60, width=0.08, side="inner", floor=0.08),
        vanadium=ProfileShape(amount=0.12),
    )
    return SampleParameters(
        name="B-V2O5",
        folder="B",
        layer=layer,
        tofsims=TofsimsParameters(),
        xps=XpsParameters(),
        tem=(TemParameters(),),
    )


def oligolayered_like() -> SampleParameters:
    """L-V2O5: 7 nm, organic and inorganic fragments interlocked all through, little dissolved vanadium."""
    layer = LayerParameters(
        thickness_nm=7.0,
        organic=ProfileShape(amount=0.9, centre=0.5, width=0.2, side="outer", floor=0.85),
        inorganic=ProfileShape(amount=0.8, centre=0.5, width=0.2, side="inner", floor=0.85),
        vanadium=ProfileShape(amount=0.03),
    )
    return SampleParameters(
        name="L-V2O5",
        folder="L",
        layer=layer,
        tofsims=TofsimsParameters(
            scan_interval_s=2.8,
            ions=1.2e6,
            response=DepthResponse(roughness_nm=0.9),
            rates=SputterRates(layer_nm_s=0.055, substrate_nm_s=0.03),
            spectrometer=SpectrometerParameters(header_error_ppm=-260.0, header_tilt_ppm=-25.0),
            domain_correlation=0.8,
        ),
        xps=XpsParameters(charge_shift_ev=(0.30, 0.28, 0.22, 0.20, 0.15, 0.10)),
        tem=(
            TemParameters(
                orientation_deg=-75.0,
                inner_roughness_nm=(0.2, 6.0),
                outer_roughness_nm=(0.35, 3.0),
                lattice_deg=80.0,
                dose_e_per_a2=1000.0,
            ),
        ),
    )


def random_parameters(seed: int, samples: int = 2) -> SessionParameters:
    """Plausible parameters that nobody has seen, for coverage tests.

    Parameters
    ----------
    seed : int
        Seed of the draw.
    samples : int
        Number of samples (1).
    """
    drawn = tuple(
        _random_sample(index, np.random.default_rng(np.random.SeedSequence([seed, 77, index])))
        for index in range(samples)
    )
    return SessionParameters(name=f"random-{seed}", samples=drawn)


def _random_sample(index: int, rng: np.random.Generator) -> SampleParameters:
    thickness = float(rng.uniform(4.0, 18.0))
    layer = LayerParameters(
        thickness_nm=thickness,
        organic=_random_shape(rng, "outer", (0.6, 1.2)),
        inorganic=_random_shape(rng, "inner", (0.25, 1.2)),
        # dissolved vanadium may thin out towards the surface
        vanadium=ProfileShape(
            amount=float(rng.uniform(0.01, 0.2)), width=0.25, side="inner", floor=float(rng.uniform(0.7, 1.0))
        ),
    )
    return SampleParameters(
        name=f"sample-{index + 1}",
        folder=f"sample-{index + 1}",
        layer=layer,
        tofsims=_random_tofsims(thickness, rng),
        xps=_random_xps(rng),
        tem=(_random_tem(thickness, rng),),
    )


def _random_shape(rng: np.random.Generator, side: str, amounts: tuple[float, float]) -> ProfileShape:
    if rng.random() < 0.15:
        side = "inner" if side == "outer" else "outer"
    return ProfileShape(
        amount=float(rng.uniform(*amounts)),
        centre=float(rng.uniform(0.25, 0.75)),
        width=float(rng.uniform(0.05, 0.15)),
        side=side,
        floor=float(rng.uniform(0.05, 1.0)),
    )


def _random_tofsims(thickness: float, rng: np.random.Generator) -> TofsimsParameters:
    layer_rate = float(rng.uniform(0.03, 0.10))
    substrate_rate = layer_rate * float(rng.uniform(0.45, 1.1))
    response = DepthResponse(
        roughness_nm=float(min(rng.uniform(0.6, 1.6), 0.15 * thickness)),
        mixing_nm=float(rng.uniform(0.03, 0.2)),
        information_nm=float(rng.uniform(0.05, 0.25)),
    )
    scans = int(rng.integers(100, 160))
    deeper = 3.5 * response.roughness_nm + float(rng.uniform(3.0, 6.0))
    duration = thickness / layer_rate + deeper / substrate_rate
    ions = float(np.exp(rng.uniform(np.log(5e5), np.log(2e6))))
    pixels = int(rng.choice([48, 64]))
    # up to two ions a pulse over the whole spectrum: the strongest peaks lose a quarter of theirs
    least = ions / (scans * pixels**2)
    # a stream of its own: what is drawn here changes nothing of the rest of the world
    (own,) = rng.spawn(1)
    drifts, charges = own.random(2) < (0.5, 0.3)
    return TofsimsParameters(
        pixels=pixels,
        scans=scans,
        scan_interval_s=round(duration / (scans - 1), 3),
        ions=ions,
        background=float(rng.uniform(0.01, 0.08)),
        response=response,
        rates=SputterRates(layer_rate, substrate_rate, float(rng.uniform(-0.06, 0.06))),
        spectrometer=SpectrometerParameters(
            slope=0.3798407 * float(rng.uniform(0.96, 1.04)),
            offset=-1.5871250 + float(rng.uniform(-0.3, 0.3)),
            header_error_ppm=float(rng.uniform(-450.0, 450.0)),
            header_tilt_ppm=float(rng.uniform(-60.0, 60.0)),
            resolution=float(rng.uniform(4000.0, 11000.0)),
            dead_time_ns=round(float(rng.uniform(15.0, 60.0)), 1),
            shots_per_pixel=int(np.ceil(least * rng.uniform(0.6, 3.0))),
        ),
        transient_s=float(rng.uniform(0.1, 0.5)) / layer_rate,
        drift=float(rng.uniform(-0.05, 0.05)),
        domain_length_px=float(rng.uniform(3.0, 8.0)),
        domain_contrast=float(rng.uniform(0.0, 0.5)),
        domain_correlation=float(rng.uniform(-0.8, 0.9)),
        topography_nm=0.0 if rng.random() < 0.5 else float(rng.uniform(0.1, 0.4)),
        yields={
            "SF-": float(rng.uniform(0.2, 3.0)),
            "SOF-": float(rng.uniform(0.2, 3.0)),
            "SO2F-": float(rng.uniform(0.2, 3.0)),
            "NO3-": float(rng.uniform(0.0, 3.0)),
            "C2F2-": float(rng.uniform(0.0, 3.0)),
            "V-": float(rng.uniform(0.5, 1.5)),
            "MgF2-": float(rng.uniform(0.6, 1.5)),
            "SO2CF3-": float(rng.uniform(0.6, 1.5)),
        },
        mass_drift_ppm=float(own.uniform(-60.0, 60.0)) if drifts else 0.0,
        charging_ppm=float(own.uniform(-40.0, 40.0)) if charges else 0.0,
    )


def _random_xps(rng: np.random.Generator) -> XpsParameters:
    levels = int(rng.choice([5, 6, 6, 6, 8]))
    fractions = tuple(round(float(value), 4) for value in np.linspace(0.0, 1.0, levels))
    start, end = rng.uniform(-1.0, 1.0, 2)
    shifts = np.linspace(start, start + 0.5 * (end - start), levels) + rng.normal(0.0, 0.04, levels)
    targets = ("F 1s/MgF2", "F 1s/CF3", "O 1s/V-O", "O 1s/C-O", "C 1s/C-O", "C 1s/CF3", "S 2p/SO2CF3", "Mg 1s/Mg2+")
    chemistry = {target: float(np.clip(rng.normal(0.0, 0.10), -0.25, 0.25)) for target in targets}
    widths = {target: float(rng.uniform(0.9, 1.12)) for target in (*targets, "C 1s/C-C", "N 1s/TFSI")}
    return XpsParameters(
        fractions=fractions,
        rate_nm_s=float(rng.uniform(0.02, 0.08)),
        roughness_nm=float(rng.uniform(0.1, 0.6)),
        attenuation_nm=2.05 * float(rng.uniform(0.9, 1.12)),
        intensity=float(np.exp(rng.uniform(np.log(1000.0), np.log(5000.0)))),
        scans=int(rng.integers(3, 11)),
        step_ev=float(rng.choice([0.05, 0.1])),
        charge_shift_ev=tuple(float(shift) for shift in shifts),
        common_window=bool(rng.random() < 0.6),
        background=float(rng.uniform(0.6, 1.8)),
        position_offset_ev=chemistry,
        width_factor=widths,
    )


def _random_tem(thickness: float, rng: np.random.Generator) -> TemParameters:
    # the layer, some crystal and some vacuum must fit in the image, and a pixel must stay well below the fringes
    pixel = max(float(rng.uniform(0.026, 0.045)), (thickness + 14.0) / 1024.0)
    outside = 1.0
    layer = outside * float(rng.uniform(0.78, 0.93))
    image = TemParameters(
        pixel_nm=round(pixel, 4),
        orientation_deg=float(rng.uniform(-180.0, 180.0)),
        offset_nm=float(rng.uniform(-2.0, 2.0)),
        curvature_per_nm=float(rng.uniform(-0.006, 0.006)),
        inner_roughness_nm=(float(rng.uniform(0.05, 0.35)), float(rng.uniform(4.0, 10.0))),
        outer_roughness_nm=(float(rng.uniform(0.1, 0.05 * thickness)), float(rng.uniform(1.5, 4.0))),
        overlap_nm=float(rng.uniform(0.05, 0.4)),
        brightness=(outside, layer, layer * float(rng.uniform(0.78, 1.0))),
        speckle=float(rng.uniform(0.04, 0.09)),
        lattice_nm=float(rng.uniform(0.36, 0.40)),
        lattice_deg=float(rng.uniform(-90.0, 90.0)),
        second_nm=float(rng.uniform(0.25, 0.30)),
        second_deg=float(rng.uniform(50.0, 80.0)),
        fringe_contrast=float(rng.uniform(0.06, 0.14)),
        patchiness=float(rng.uniform(0.0, 0.35)),
        defocus_nm=float(rng.uniform(-110.0, -40.0)),
        fresnel=float(rng.uniform(0.0, 0.08)),
        illumination=float(rng.uniform(0.0, 0.15)),
        dose_e_per_a2=float(np.exp(rng.uniform(np.log(250.0), np.log(2500.0)))),
    )
    if rng.random() < 0.25:
        darker = float(rng.uniform(0.7, 0.9)) * layer
        image = replace(image, outside="embedding", brightness=(darker, layer, image.brightness[2]))
    return image


def named(parameters: SessionParameters, names: tuple[str, ...]) -> SessionParameters:
    """The same session with only the samples named; all of them when no name is given."""
    if not names:
        return parameters
    return replace(parameters, samples=tuple(one for one in parameters.samples if one.name in names))
