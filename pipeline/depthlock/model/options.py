"""The options of every stage, one class a stage. A session sets them under `options:`.

To add one: add the field here, and use it in the stage's function (see `workflow/stages.py` for which that is).
Fields marked "filled by the workflow" come from other parts of the session or the chemistry library.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from depthlock.model.chemistry import ChargeReference, IonEntry, LineShapeName, Region, SensitivitySet, SurveyTable
from depthlock.model.constraints import ConstraintText, check_constraints, parse_constraint
from depthlock.model.errors import SessionError
from depthlock.model.ions import Ion
from depthlock.model.regions_of_interest import RegionOfInterest
from depthlock.model.units import ElectronVolt, Nanometre, NanometrePerSecond, Nanosecond, Second
from depthlock.model.xray_lines import Element


def _is_normalisation(text: str) -> str:
    kind, _, label = text.partition(":")
    if kind == "reference" and label.strip():
        return f"reference:{Ion.parse(label).label}"
    if text not in {"none", "total_ions", "point_to_point"}:
        raise ValueError(f"found '{text}'; expected none, total_ions, point_to_point or reference:ION")
    return text


class StageOptions(BaseModel):
    """Base of all stage options: frozen, and no unknown key passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def verify(self) -> None:
        """Check, once the workflow has filled its fields in, that the options fit them.

        Raises
        ------
        SessionError
            When they name something that is not there.
        """


class EventsOptions(StageOptions):
    """Options of `tofsims_events`: raw file to event store."""


class ProfileOptions(StageOptions):
    """Options of `tofsims_profile`: events to depth profiles of ions."""

    ions: tuple[IonEntry, ...] = Field((), description="filled by the workflow: ions to follow")
    elements: tuple[str, ...] = Field((), description="filled by the workflow: elements that may form look-alikes")
    window_ppm: float | None = Field(
        None,
        gt=0,
        le=20000,
        description="full width of every mass window in ppm of m/z; from the measured peak if absent",
    )
    dead_time: Nanosecond | None = Field(None, description="detector dead time in ns; from the file if absent")
    shots_per_pixel: int | None = Field(
        None, ge=1, le=1_000_000, description="pulses a pixel and scan (1); from the file if absent"
    )
    scan_time: Second | None = Field(
        None, gt=0, description="sputter time of one scan in s, for volumes whose file has no times"
    )
    calibration: Literal["refit", "file"] = Field(
        "refit", description="mass scale refitted on peaks found, or as in the file"
    )
    first_time: Second | None = Field(
        None, description="sputter time in s before which scans are left out of the interface fit"
    )
    last_time: Second | None = Field(
        None, description="sputter time in s after which scans are left out of the interface fit"
    )
    region_of_interest: RegionOfInterest | None = Field(
        None, description="part of the raster whose ions count; all of it if absent"
    )
    flatten: Literal["none", "substrate"] = Field(
        "none",
        description="none: profiles as sputtered, times and widths with the interface's topography in them; substrate: "
        "columns moved in time so that the substrate's interface is flat, where it is not; total_counts stay those of "
        "standing columns",
    )
    normalisation: Annotated[str, AfterValidator(_is_normalisation)] = Field(
        "none",
        description="what intensities are divided by, point by point, as the additional quantity 'normalised': none, "
        "total_ions, reference:ION (for instance reference:F-), or point_to_point (the sum of the ions followed)",
    )
    deconvolution: Literal["none", "forward"] = Field(
        "none",
        description="forward: also give every ion's profile freed from the substrate's fitted depth response, "
        "by a regularised fit to the counts",
    )
    seed: int = Field(0, ge=0, description="seed of the random numbers behind deconvolved profiles (1)")

    @model_validator(mode="after")
    def _times_are_ordered(self) -> ProfileOptions:
        if self.first_time is not None and self.last_time is not None and self.first_time >= self.last_time:
            raise ValueError(
                f"first_time is {self.first_time:g} s and last_time {self.last_time:g} s; expected first_time below"
            )
        return self


class ComponentsOptions(StageOptions):
    """Options of `tofsims_components`: the whole spectrum, unmixed into components."""

    profile: ProfileOptions = Field(
        ProfileOptions(), description="filled by the workflow: calibration and ions, as for tofsims_profile"
    )
    components: int | None = Field(
        None, ge=0, le=20, description="number of components (1); found from the data if absent, 0 for no unmixing"
    )
    most_components: int = Field(8, ge=1, le=10, description="largest number of components that is found (1)")
    starts: int = Field(8, ge=1, le=200, description="random starts of the factorisation, which are compared (1)")
    seed: int = Field(0, ge=0, le=2**31, description="seed of the random numbers (1)")


class MapsOptions(StageOptions):
    """Options of `tofsims_maps`: the ions from above and in cross-section."""

    first_time: Second | None = Field(None, description="sputter time in s from which maps are summed; all if absent")
    last_time: Second | None = Field(None, description="sputter time in s up to which maps are summed; all if absent")
    section_at_y: float = Field(0.5, ge=0, le=1, description="where x-z sections lie, as a share of the raster (1)")
    section_at_x: float = Field(0.5, ge=0, le=1, description="where y-z sections lie, as a share of the raster (1)")
    section_width: float = Field(
        0.25, gt=0, le=1, description="width of the strip that a section sums, as a share of the raster (1)"
    )


class DeconvolveOptions(StageOptions):
    """Options of `xps_deconvolve`: spectra to components per etch level."""

    regions: tuple[Region, ...] = Field((), description="filled by the workflow: core levels and chemical states")
    charge_references: tuple[ChargeReference, ...] = Field((), description="filled by the workflow: reference lines")
    sensitivity: SensitivitySet | None = Field(None, description="filled by the workflow: sensitivity factors")
    survey: SurveyTable | None = Field(None, description="filled by the workflow: lines of the elements in surveys")
    background: Literal[
        "auto",
        "active_shirley",
        "active_tougaard",
        "active_shirley_tougaard",
        "static_shirley",
        "tougaard",
        "linear",
        "constant",
        "file",
    ] = Field(
        "auto",
        description="background model; active ones are raised by the components themselves, on a straight line, with a "
        "strength fitted for every core level and level; 'file' takes the one that an export holds; 'auto' is 'file', "
        "with the line shape of the export's curves, where an analyst's fit stands in the file, else 'active_shirley'",
    )
    tougaard_loss: tuple[float, float, float] = Field(
        (-1643.0, 0.0, 0.0),
        description="with a Tougaard background: C (eV^2), D (eV^2), T0 (eV) of the loss cross section "
        "T/((C-T^2)^2 + D T^2); the default is the universal U2",
    )
    fit_windows: dict[str, tuple[ElectronVolt, ElectronVolt]] = Field(
        {}, description="binding energies in eV, as measured, between which a region is fitted; all of it if absent"
    )
    charge_reference: str | None = Field(
        None,
        description="region/component that fixes the axis, 'none' (axis as measured) or 'manual'; "
        "the library's order if absent. A line named here is held at its energy at every level; one of the library "
        "only on average where regions charge apart",
    )
    manual_shift: tuple[ElectronVolt, ...] = Field(
        (), description="with charge_reference manual: charge shift in eV, one for all levels or one a level"
    )
    charge_scope: Literal["auto", "common", "region"] = Field(
        "auto", description="one charge shift for all regions of a level, one a region, or as the data ask for"
    )
    shapes: dict[str, LineShapeName] = Field(
        {}, description="line shape of a region ('F 1s') or component ('F 1s/CF3') in place of the library's"
    )
    states: tuple[str, ...] = Field(
        (), description="optional states of the chemistry library that are fitted too, such as 'V 2p/V0'"
    )
    constraints: tuple[ConstraintText, ...] = Field(
        (),
        description="links between components, such as 'fwhm(F 1s/CF3) = fwhm(F 1s/MgF2)' (eV), "
        "'position(O 1s/C-O) = position(O 1s/V-O) + 1.8' (eV), 'atoms(C 1s/CF3) = atoms(F 1s/CF3) / 3', "
        "or 'free fwhm(F 1s/CF3)' for a width of its own at every level",
    )
    open_tails: bool = Field(
        True,
        description="fit how far the tails of lines reach where nobody chose a shape: between those of a pseudo-Voigt "
        "and those of a squared Lorentzian; areas that owe most of their error to it are flagged shape_sensitive",
    )
    compared_shapes: tuple[LineShapeName, ...] = Field(
        ("gl_product",),
        description="shapes tried where nobody chose one, and taken where the data clearly ask for them",
    )

    def verify(self) -> None:
        """Check that named states are in the library, and the constraints against it and one another."""
        optional = [f"{region.name}/{one.name}" for region in self.regions for one in region.components if one.optional]
        for name in self.states:
            if name not in optional:
                near = difflib.get_close_matches(name, optional, 1, 0.3)
                raise SessionError(
                    f"'{name}' is no optional state of the chemistry library",
                    expected=f"one of {', '.join(optional) or 'none: it has no optional states'}",
                    where="options.xps_deconvolve.states",
                    hint=f"did you mean '{near[0]}'?" if near else "",
                )
        components = {region.name: [state.name for state in region.components] for region in self.regions}
        try:
            check_constraints([parse_constraint(text) for text in self.constraints], components)
        except ValueError as error:
            raise SessionError(str(error), where="options.xps_deconvolve.constraints") from None


class ThicknessOptions(StageOptions):
    """Options of `tem_thickness`: images to the layer's thickness."""

    edge_smoothing: Nanometre = Field(5.0, description="length in nm over which the crystal's edge is smoothed")
    maximum_thickness: Nanometre = Field(40.0, description="largest layer thickness in nm looked for")
    bootstrap: int = Field(200, ge=0, le=10000, description="bootstrap samples for intervals (1)")
    seed: int = Field(0, ge=0, description="seed of the random numbers (1)")


class EdsOptions(StageOptions):
    """Options of `eds_profile`: element maps and spectrum images to profiles along the layer's normal."""

    elements: tuple[Element, ...] = Field(
        (), description="elements to measure in spectrum images, beside those that stand out; the library's if absent"
    )
    ions: tuple[IonEntry, ...] = Field((), description="filled by the workflow: ions, of which some mark the substrate")
    substrate: tuple[Element, ...] = Field(
        (), description="elements that mark the substrate, for instance V; those of the substrate's ions if absent"
    )
    bin_width: Nanometre | None = Field(None, description="width in nm of the profile's bins; a pixel if absent")
    edge_smoothing: Nanometre = Field(
        5.0, description="length in nm over which the substrate's edge is smoothed; at least three pixels"
    )
    shuffles: int = Field(200, ge=20, le=10000, description="shufflings behind the uniformity's z-score (1)")
    seed: int = Field(0, ge=0, description="seed of the random numbers (1)")


class ScanOptions(StageOptions):
    """Options of `stem_maps`: maps of 4D-STEM scans."""

    longest_spacing: Nanometre = Field(
        0.8, description="largest lattice spacing in nm looked for; its ring must lie outside of the direct beam's disc"
    )
    shortest_spacing: Nanometre = Field(0.1, description="smallest lattice spacing in nm looked for")

    @model_validator(mode="after")
    def _in_order(self) -> ScanOptions:
        if self.longest_spacing < 1.2 * self.shortest_spacing:
            raise ValueError("'longest_spacing' leaves no ring; expected 1.2 times 'shortest_spacing' or more")
        return self


class DiffractionOptions(StageOptions):
    """Options of `diffraction_texture`: rings of named reflections, over azimuth."""

    azimuth_step: float = Field(3.0, ge=0.5, le=15, description="width in degree of the azimuth's bins")
    search: float = Field(
        0.05, ge=0.005, le=0.2, description="relative distance from the expected spacing in which a ring is looked for"
    )
    window: float = Field(
        0.15, ge=0.02, le=0.5, description="relative half width of the window with a ring and its linear background"
    )
    polarisation: float | None = Field(
        None, ge=-1, le=1, description="beam's polarisation: 1 horizontal, 0 none, -1 vertical; not corrected if absent"
    )

    @model_validator(mode="after")
    def _room_for_background(self) -> DiffractionOptions:
        if self.window < 1.5 * self.search:
            raise ValueError("'window' leaves no background beside the ring; expected 1.5 times 'search' or more")
        return self


class DepthOptions(StageOptions):
    """Options of `depth_profile`: all techniques of a sample on one depth axis."""

    thickness: Nanometre | None = Field(None, description="layer thickness in nm, in place of the TEM's")
    thickness_std: Nanometre | None = Field(None, description="its standard error in nm")
    substrate_rate: NanometrePerSecond | None = Field(
        None, description="sputter rate in nm/s of the substrate; from the fitted response if absent"
    )
    regions: tuple[Region, ...] = Field(
        (), description="filled by the workflow: attenuation lengths and roles of components"
    )
    depth_step: Nanometre | None = Field(
        None, description="step in nm of the common axis; a hundredth of the layer if absent"
    )
    samples: int = Field(400, ge=50, le=20000, description="posterior samples for intervals (1)")
    seed: int = Field(0, ge=0, description="seed of the random numbers (1)")


class CompareOptions(StageOptions):
    """Options of `compare`: the samples of a session side by side."""


class ReportOptions(StageOptions):
    """Options of `report`."""

    title: str = Field("", description="title of the report; the session's name if empty")
    figure_formats: tuple[Literal["png", "svg", "pdf"], ...] = Field(
        ("png", "svg", "pdf"), description="formats in which every figure is written"
    )


class Options(StageOptions):
    """What may stand under `options:` of a session or a sample, by stage."""

    tofsims_events: EventsOptions = EventsOptions()
    tofsims_profile: ProfileOptions = ProfileOptions()
    tofsims_components: ComponentsOptions = ComponentsOptions()
    tofsims_maps: MapsOptions = MapsOptions()
    xps_deconvolve: DeconvolveOptions = DeconvolveOptions()
    tem_thickness: ThicknessOptions = ThicknessOptions()
    eds_profile: EdsOptions = EdsOptions()
    stem_maps: ScanOptions = ScanOptions()
    diffraction_texture: DiffractionOptions = DiffractionOptions()
    depth_profile: DepthOptions = DepthOptions()
    compare: CompareOptions = CompareOptions()
    report: ReportOptions = ReportOptions()
