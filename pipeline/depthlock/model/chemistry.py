"""The vocabulary of a chemistry library: regions, components, ions and sensitivity factors."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from depthlock.model.ions import Ion
from depthlock.model.line_shapes import parse_shape
from depthlock.model.units import ElectronVolt, PositiveElectronVolt

Role = Literal["organic", "inorganic", "substrate", "other"]


def _normal_shape(text: str) -> str:
    return parse_shape(text).name


LineShapeName = Annotated[str, AfterValidator(_normal_shape)]
"""A line shape in its normal spelling."""


class Entry(BaseModel):
    """A frozen record without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class IonEntry(Entry):
    """An ion worth following, with the part of the interphase it stands for."""

    ion: str = Field(description="formula with charge, for instance SO2CF3-")
    role: Role = Field("other", description="what the ion stands for in the layer")
    window_ppm: float | None = Field(None, gt=0, le=20000, description="full width of the mass window in ppm of m/z")
    source: str = Field("", description="where the assignment comes from")

    @field_validator("ion")
    @classmethod
    def _is_ion(cls, label: str) -> str:
        return Ion.parse(label).label


class Component(Entry):
    """A chemical state in a region; for a doublet the position and width are those of the stronger line."""

    name: str = Field(description="chemical state, for instance MgF2")
    position: ElectronVolt = Field(description="binding energy in eV at the library's charge reference")
    position_range: PositiveElectronVolt = Field(
        0.8, description="how far in eV the position may lie from the library's"
    )
    fwhm: PositiveElectronVolt = Field(1.6, description="starting full width at half maximum in eV")
    fwhm_min: PositiveElectronVolt = Field(0.6, description="smallest FWHM in eV")
    fwhm_max: PositiveElectronVolt = Field(3.5, description="largest FWHM in eV")
    shape: LineShapeName = Field(
        "pseudo_voigt",
        description="line shape: pseudo_voigt (sum), voigt, gl_product with fitted Lorentzian share, or SGL(m), GL(m), "
        "LA(alpha,beta,m), LF(alpha,beta,w,m), DS(alpha,m)",
    )
    lorentzian: float = Field(0.3, ge=0, le=1, description="starting Lorentzian share of shapes that have one")
    splitting: PositiveElectronVolt | None = Field(None, description="distance in eV of the weaker line of a doublet")
    splitting_std: PositiveElectronVolt = Field(0.05, description="standard error of the splitting in eV")
    area_ratio: float = Field(0.5, gt=0, le=1, description="area of the weaker over the stronger line of a doublet")
    width_ratio_max: float = Field(1.0, ge=1, le=4, description="largest width of the weaker over the stronger line")
    optional: bool = Field(
        False,
        description="fitted only where a session names it under xps_deconvolve.states",
    )
    family: str = Field("", description="states of one family in a region share their width")
    role: Role = Field("other", description="what the state stands for in the layer")
    source: str = Field("", description="where the values come from, with their charge reference")


class Region(Entry):
    """A core level with the chemical states looked for in it."""

    name: str = Field(description="core level, for instance F 1s")
    element: str = Field(description="element that is quantified")
    window: tuple[float, float] = Field(description="binding energies in eV between which the region is fitted")
    components: tuple[Component, ...] = Field(description="chemical states")
    attenuation_length: float = Field(
        2.5, gt=0, le=20, description="effective attenuation length in nm of these electrons"
    )
    source: str = Field("", description="source of the attenuation length and window")


class ChargeReference(Entry):
    """The line whose known binding energy fixes the axis."""

    component: str = Field(description="region/component, for instance C 1s/C-C")
    position: ElectronVolt = Field(description="its binding energy in eV")
    std: PositiveElectronVolt = Field(0.1, description="standard error of that energy in eV")
    source: str = Field("", description="where the value comes from")


class SensitivitySet(Entry):
    """Relative sensitivity factors, one choice for all regions of a session."""

    name: str = Field(description="for instance Scofield")
    factors: dict[str, float] = Field(description="relative sensitivity factor a region, whole doublets, C 1s = 1")
    relative_std: float = Field(0.0, ge=0, le=1, description="relative standard error of each factor")
    source: str = Field("", description="publication")


class Chemistry(Entry):
    """A chemistry library, as its YAML file states it."""

    name: str
    title: str = ""
    elements: tuple[str, ...] = Field((), description="elements that may form ions and look-alikes in this system")
    ions: tuple[IonEntry, ...] = ()
    regions: tuple[Region, ...] = ()
    charge_references: tuple[ChargeReference, ...] = Field((), description="in order of preference")
    sensitivity: SensitivitySet

    @model_validator(mode="after")
    def _names_are_consistent(self) -> Chemistry:
        labels = [f"{region.name}/{component.name}" for region in self.regions for component in region.components]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"component '{twice[0]}' stands twice; expected each name once a region")
        for reference in self.charge_references:
            if reference.component not in labels:
                near = difflib.get_close_matches(reference.component, labels, 1, 0.4)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ValueError(
                    f"charge reference '{reference.component}' is no component of {', '.join(labels)}{hint}"
                )
        return self


class SurveyLine(Entry):
    """A photoelectron line of an element, whole doublet."""

    level: str = Field(description="core level, for instance 3d")
    position: ElectronVolt = Field(description="binding energy in eV of the (stronger) line")
    factor: float = Field(gt=0, description="relative sensitivity factor of the level, C 1s = 1")
    splitting: float = Field(0.0, ge=0, description="distance in eV to the weaker line of a doublet")

    @property
    def strong_share(self) -> float:
        """Share of the stronger line in the level's intensity, (l + 1)/(2 l + 1); 1 for s levels."""
        orbital = "spdf".index(self.level[-1])
        return (orbital + 1.0) / (2.0 * orbital + 1.0)


class SurveyElement(Entry):
    """An element's lines in survey spectra."""

    element: str
    lines: tuple[SurveyLine, ...] = Field(min_length=1, description="the one quantified first")
    auger: tuple[ElectronVolt, ...] = Field((), description="kinetic energies in eV of Auger groups")
    minor: tuple[ElectronVolt, ...] = Field((), description="weak or broad lines in eV that explain a peak, no more")
    reach: float = Field(
        3.0, gt=0, le=10, description="how far in eV its lines lie from the table's by their chemistry"
    )
    rare: bool = Field(False, description="surfaces seldom hold it, so that it takes more evidence")


class SurveyTable(Entry):
    """Lines of all elements that are looked for in survey spectra."""

    name: str
    source: str = ""
    elements: tuple[SurveyElement, ...]
