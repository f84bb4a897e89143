"""The session: which raw files make up which sample, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from depthlock.model.chemistry import IonEntry
from depthlock.model.ions import Ion
from depthlock.model.options import Options
from depthlock.model.places import Place
from depthlock.model.units import (
    Degree,
    Nanometre,
    Nanosecond,
    PositiveElectronVolt,
    ReciprocalNanometre,
    Second,
    SetupLength,
)
from depthlock.model.xray_lines import Element
from depthlock.model.yaml_file import fault_below

DEFAULT_CHEMISTRY = "mg-tfsi-v2o5"

_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}


def _can_be_a_folder(name: str) -> str:
    """Refuse names that Windows cannot give to a folder, so that results can be copied there."""
    if name[-1] in ". ":
        raise ValueError(f"the name {name!r} ends with {name[-1]!r}; expected a letter, a digit or one of _ + - ( )")
    if name.partition(".")[0].lower() in _DEVICES:
        raise ValueError(f"the name {name!r} means a device on Windows; expected another name")
    return name


Name = Annotated[
    str, StringConstraints(pattern=r"^[^\W_][\w.+() -]*$", max_length=80), AfterValidator(_can_be_a_folder)
]
"""A name that can be a folder: starts with a letter or digit; then letters, digits, `_ . + - ( )` and blanks."""

TAKEN_NAMES = {"figures", "exports", "report.html", "summary.csv", "provenance.json", "comparison.nc"}
"""Names in the results folder that no sample can have."""


def _as_ion_entry(value: Any) -> Any:
    return {"ion": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Part(BaseModel):
    """A frozen part of a session without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TofsimsInput(Part):
    """One TOF-SIMS depth profile."""

    file: str = Field(description="raw file, relative to the session file")
    shots_per_pixel: int | None = Field(
        None, ge=1, le=1_000_000, description="pulses a pixel and scan; from the file if absent"
    )
    dead_time: Nanosecond | None = Field(None, description="detector dead time; from the file if absent")
    scan_time: Second | None = Field(
        None, gt=0, description="sputter time of one scan, for volumes whose file has no times"
    )


class SeriesInput(Part):
    """What tells the levels of a series apart that is no etch series."""

    name: str = Field(description="what changes from level to level, for instance state of charge, angle or dose")
    unit: str = Field("", description="its unit, as figures shall show it")
    values: tuple[float, ...] = Field(min_length=1, description="one value a level, in the order of the file")


class XpsInput(Part):
    """One file of etched XPS spectra."""

    file: str = Field(description="raw file, relative to the session file")
    sample: str | None = Field(None, description="sample identifier inside the file, when it holds several")
    photon_energy: PositiveElectronVolt | None = Field(
        None, description="photon energy, when the file has a kinetic axis and does not state it"
    )
    region: str | None = Field(None, description="core level, when the file does not name it")
    etch_times: tuple[Second, ...] | None = Field(
        None, description="etch time of every level, when the file lacks them"
    )
    series: SeriesInput | None = Field(
        None, description="angle, dose, state of charge or another variable of the levels, in place of an etch time"
    )


class ScaleBarInput(Part):
    """A burnt-in scale bar from which the pixel size is taken."""

    length: Nanometre = Field(description="length that the bar's label states")
    at: Place | None = Field(None, description="a place [x, y] near the bar, where several things look like one")


def _as_scale_bar(value: Any) -> Any:
    return {"length": value} if isinstance(value, str | int | float) else value


def _is_place(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and not isinstance(value[0], list | tuple)


def _as_line(value: Any) -> Any:
    return [value] if _is_place(value) else value


Line = tuple[Place, ...]
"""Places [x, y] one after the other."""

Strokes = Annotated[tuple[Annotated[Line, Field(min_length=2)], ...], Field(min_length=1)]


class HintsInput(Part):
    """What a person sees in an image: it guides the segmentation, and never takes its place."""

    layer_at: (
        Annotated[Line, BeforeValidator(_as_line, json_schema_input_type=Place | Line), Field(min_length=1)] | None
    ) = Field(
        None, description="a place [x, y] roughly in the layer, or several along it; chooses the crystal and its edge"
    )
    outside: Strokes | None = Field(None, description="lines drawn in vacuum or embedding, each a list of places")
    layer: Strokes | None = Field(None, description="lines drawn in the layer")
    crystal: Strokes | None = Field(None, description="lines drawn in the crystal")

    @model_validator(mode="after")
    def _says_something(self) -> HintsInput:
        if not self.model_dump(exclude_none=True):
            raise ValueError("hints that say nothing; expected one of 'layer_at', 'outside', 'layer', 'crystal'")
        return self


class TemInput(Part):
    """One TEM image of the layer in cross-section."""

    file: str = Field(description="image file, relative to the session file")
    pixel_size: Nanometre | None = Field(None, description="size of a pixel; from the file if absent")
    pixel_size_std: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="relative standard error of the pixel size"
    )
    scale_bar: (
        Annotated[ScaleBarInput, BeforeValidator(_as_scale_bar, json_schema_input_type=str | float | ScaleBarInput)]
        | None
    ) = Field(
        None,
        description="length on the label of a burnt-in scale bar: the bar is looked for, gives the pixel size with its"
        " error, and is left out of the analysis with label and banner",
    )
    lattice_spacing: Nanometre | None = Field(None, description="expected spacing of the crystal's fringes, as a hint")
    calibrate_with: Nanometre | None = Field(
        None, description="known spacing of the fringes, to calibrate the pixel size with; then it is no result"
    )
    hints: HintsInput | None = Field(
        None, description="rough position of the layer, and strokes in its classes, to guide the segmentation with"
    )
    labels: str | None = Field(
        None,
        description="hand-corrected label image (0 outside, 1 layer, 2 crystal) of the image's size, png, tif or npy,"
        " relative to the session file; takes the place of the segmentation",
    )
    frame: int | None = Field(None, ge=0, description="which image of a stack, counted from 0")

    @model_validator(mode="after")
    def _one_hand(self) -> TemInput:
        if self.labels is not None and self.hints is not None:
            raise ValueError("'labels' and 'hints' together; expected one of them: labels leave nothing to guide")
        return self

    @model_validator(mode="after")
    def _one_scale(self) -> TemInput:
        if self.scale_bar is not None and self.pixel_size is not None:
            raise ValueError("'scale_bar' and 'pixel_size' together; expected one of them: both say what a pixel is")
        return self

    @model_validator(mode="after")
    def _one_use_of_the_lattice(self) -> TemInput:
        if self.calibrate_with is not None and self.lattice_spacing is not None:
            raise ValueError(
                "'calibrate_with' and 'lattice_spacing' together; expected one of them: a lattice that is the ruler"
                " cannot be looked for too"
            )
        return self


class StemInput(Part):
    """One 4D-STEM scan: a diffraction pattern at every place of the probe."""

    file: str = Field(description="scan (blo, mib, hspy), relative to the session file")
    scan_step: Nanometre | None = Field(None, description="distance of the probe's places; from the file if absent")
    detector_step: ReciprocalNanometre | None = Field(
        None, description="size in 1/nm of the detector's pixels; from the file if absent"
    )
    centre: tuple[float, float] | None = Field(
        None, description="direct beam: [x, y] in pixels from the middle of the first one; found if absent"
    )
    scan_shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="rows and columns of the scan, for files that do not tell"
    )


class EdsInput(Part):
    """One STEM-EDS data set: a spectrum image, or maps of elements."""

    file: str | None = Field(None, description="spectrum image, relative to the session file")
    maps: dict[Element, str] | None = Field(
        None,
        min_length=1,
        description="in place of a spectrum image: map file by element, relative to the session file",
    )
    haadf: str | None = Field(
        None, description="dark-field image of the same field, beside maps; spectrum images bring their own"
    )
    pixel_size: Nanometre | None = Field(None, description="size of a map's pixel; from the files if absent")
    k_factors: dict[Element, Annotated[float, Field(gt=0, le=1000)]] | None = Field(
        None, description="Cliff-Lorimer factor by element, all relative to one, for atomic percent"
    )
    k_factor_std: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="relative standard error of every k-factor"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> EdsInput:
        if (self.file is None) == (self.maps is None):
            raise ValueError("expected either 'file', a spectrum image, or 'maps', files by element")
        if self.haadf is not None and self.maps is None:
            raise ValueError("'haadf' stands beside 'maps'; the one of a spectrum image is read from its file")
        return self


class DiffractionInput(Part):
    """One diffraction pattern: GIWAXS, or X-rays or electrons in transmission."""

    file: str = Field(description="detector's file (edf, cbf, tif ...), relative to the session file")
    reflections: dict[Annotated[str, StringConstraints(pattern=r"^[\w -]{1,20}$")], Nanometre] = Field(
        min_length=1, description='expected lattice spacing by reflection, such as "001": 1.15 nm'
    )
    geometry: str | None = Field(None, description="pyFAI's .poni, relative to the session file")
    distance: SetupLength | None = Field(None, description="from sample to detector, where there is no .poni")
    pixel_size: SetupLength | None = Field(None, description="size of the detector's pixels")
    centre: tuple[float, float] | None = Field(
        None, description="where the direct beam meets the detector: [x, y] in pixels from the middle of the first one"
    )
    wavelength: Nanometre | None = Field(None, description="wavelength of the beam")
    photon_energy: PositiveElectronVolt | None = Field(None, description="in place of the wavelength, for X-rays")
    incident_angle: Annotated[Degree, Field(gt=0, le=20)] | None = Field(
        None, description="angle between beam and film; transmission if absent"
    )
    normal: Literal["top", "bottom", "left", "right"] = Field(
        "top", description="side of the picture that the film's normal points to, at grazing incidence"
    )
    frame: int | None = Field(None, ge=0, description="which picture of a stack, counted from 0")

    @model_validator(mode="after")
    def _one_geometry(self) -> DiffractionInput:
        placed = {"distance": self.distance, "pixel_size": self.pixel_size, "centre": self.centre}
        beam = [name for name in ("wavelength", "photon_energy") if getattr(self, name) is not None]
        given = [name for name, value in placed.items() if value is not None] + beam
        if self.geometry is not None and given:
            raise ValueError(f"'geometry' and '{given[0]}' together; expected one of them: the .poni holds it all")
        if self.geometry is None:
            missing = [name for name, value in placed.items() if value is None]
            if missing:
                raise ValueError(f"no {missing[0]!r}; expected 'geometry', a .poni, or distance, pixel_size, centre"
                                 " and wavelength")  # fmt: skip
            if len(beam) != 1:
                raise ValueError("expected either 'wavelength' or 'photon_energy'")
        return self


class Sample(Part):
    """What was measured on one sample; every technique is optional, one is needed."""

    tofsims: TofsimsInput | None = None
    xps: Annotated[tuple[XpsInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry a file")
    tem: Annotated[tuple[TemInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry an image")
    stem: Annotated[tuple[StemInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry a 4D scan")
    eds: Annotated[tuple[EdsInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry a data set")
    diffraction: Annotated[tuple[DiffractionInput, ...], BeforeValidator(_as_list)] = Field(
        (), description="one entry a pattern"
    )
    options: Options = Field(Options(), description="overrides of the session's options")

    @model_validator(mode="after")
    def _is_measured(self) -> Sample:
        if self.tofsims is None and not (self.xps or self.tem or self.stem or self.eds or self.diffraction):
            raise ValueError(
                "a sample without data; expected at least one of 'tofsims', 'xps', 'tem', 'stem', 'eds', 'diffraction'"
            )
        return self


class Session(Part):
    """A session file."""

    session: Name = Field(description="name of the session, and of its results folder")
    output: str = Field("results", description="folder of the results, relative to the session file")
    chemistry: str = Field(DEFAULT_CHEMISTRY, description="name of a shipped chemistry library, or a path to one")
    ions: tuple[Annotated[IonEntry, BeforeValidator(_as_ion_entry)], ...] = Field(
        (), description="ions to follow; those of the chemistry library with a role if absent"
    )
    samples: Annotated[dict[Name, Sample], Field(min_length=1, description="samples by name")]
    options: Options = Field(Options(), description="options of any stage, for all samples")
    scheduler: str | None = Field(None, description="address of a running dask.distributed scheduler")

    @model_validator(mode="after")
    def _names_differ(self) -> Session:
        before: dict[str, str] = {}
        for name in self.samples:
            if name.lower() in TAKEN_NAMES:
                raise fault_below(f"'{name}' is a name of the results folder's own; expected another one",
                                  "samples", name)  # fmt: skip
            if name.lower() in before:
                raise fault_below(
                    f"'{name}' and '{before[name.lower()]}' are one folder on Windows and macOS; "
                    "expected names that differ in more than capitals", "samples", name,
                )  # fmt: skip
            before[name.lower()] = name
        return self

    @model_validator(mode="after")
    def _ions_differ(self) -> Session:
        before: dict[tuple[str, int], str] = {}
        for number, entry in enumerate(self.ions):
            ion = Ion.parse(entry.ion)
            same = (ion.hill_formula, ion.charge)
            if same in before:
                raise fault_below(f"'{entry.ion}' is the same ion as '{before[same]}'; expected every ion once",
                                  "ions", number)  # fmt: skip
            before[same] = entry.ion
        return self

    @model_validator(mode="after")
    def _options_fit_together(self) -> Session:
        for name in self.samples:
            try:
                self.options_of(name)
            except ValidationError as error:
                detail = error.errors()[0]
                told = detail["msg"].removeprefix("Value error, ")
                raise fault_below(
                    f"{told} (together with the options at the top)", "samples", name, "options", *detail["loc"]
                ) from None
        return self

    def options_of(self, sample: str | None = None) -> Options:
        """The session's options with the sample's own on top, field by field."""
        merged = self.options.model_dump(exclude_unset=True)
        if sample is not None:
            for stage, own in self.samples[sample].options.model_dump(exclude_unset=True).items():
                merged[stage] = {**merged.get(stage, {}), **own}
        return Options.model_validate(merged)
