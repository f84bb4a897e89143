"""The session: which raw files make up which sample, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from depthlock.model.chemistry import IonEntry
from depthlock.model.options import Options
from depthlock.model.units import Nanometre, Nanosecond, Second

DEFAULT_CHEMISTRY = "mg-tfsi-v2o5"

Name = Annotated[str, StringConstraints(pattern=r"^[^\W_][\w.+() -]*$", max_length=80)]
"""A name that can be a folder: starts with a letter or digit; then letters, digits, `_ . + - ( )` and blanks."""


def _as_ion_entry(value: Any) -> Any:
    return {"ion": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Part(BaseModel):
    """A frozen part of a session without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TofsimsInput(Part):
    """One TOF-SIMS depth profile."""

    file: str = Field(description="raw file, relative to the session file")
    shots_per_pixel: int | None = Field(None, ge=1, description="pulses a pixel and scan; from the file if absent")
    dead_time: Nanosecond | None = Field(None, description="detector dead time; from the file if absent")


class XpsInput(Part):
    """One file of etched XPS spectra."""

    file: str = Field(description="raw file, relative to the session file")
    sample: str | None = Field(None, description="sample identifier inside the file, when it holds several")
    photon_energy: Annotated[float, Field(gt=0)] | None = Field(
        None, description="photon energy in eV, when the file has a kinetic axis and does not state it"
    )
    region: str | None = Field(None, description="core level, when the file does not name it")
    etch_times: tuple[Second, ...] | None = Field(
        None, description="etch time of every level, when the file lacks them"
    )


class TemInput(Part):
    """One TEM image of the layer in cross-section."""

    file: str = Field(description="image file, relative to the session file")
    pixel_size: Nanometre | None = Field(None, description="size of a pixel; from the file if absent")
    pixel_size_std: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="relative standard error of the pixel size"
    )
    lattice_spacing: Nanometre | None = Field(None, description="expected spacing of the crystal's fringes, as a hint")
    frame: int | None = Field(None, ge=0, description="which image of a stack, counted from 0")


class Sample(Part):
    """What was measured on one sample; every technique is optional, one is needed."""

    tofsims: TofsimsInput | None = None
    xps: Annotated[tuple[XpsInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry a file")
    tem: Annotated[tuple[TemInput, ...], BeforeValidator(_as_list)] = Field((), description="one entry an image")
    options: Options = Field(Options(), description="overrides of the session's options")

    @model_validator(mode="after")
    def _is_measured(self) -> Sample:
        if self.tofsims is None and not self.xps and not self.tem:
            raise ValueError("a sample without data; expected at least one of 'tofsims', 'xps', 'tem'")
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

    def options_of(self, sample: str | None = None) -> Options:
        """The session's options with the sample's own on top, field by field."""
        merged = self.options.model_dump(exclude_unset=True)
        if sample is not None:
            for stage, own in self.samples[sample].options.model_dump(exclude_unset=True).items():
                merged[stage] = {**merged.get(stage, {}), **own}
        return Options.model_validate(merged)
