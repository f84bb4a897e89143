"""Regions of interest as a session writes them: polygons, and masks from an ion's image."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from depthlock.model.ions import Ion


class Area(BaseModel):
    """A part of the raster: a polygon, or where an ion's image is above or below a level."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    polygon: tuple[tuple[float, float], ...] | None = Field(
        None, min_length=3, description="corners [x, y] from the raster's first pixel, in `unit`; pixels whose centre "
        "is inside belong to it",
    )  # fmt: skip
    unit: Literal["µm", "px"] = Field("µm", description="unit of the polygon's corners: µm or px")
    ion: str | None = Field(None, description="ion whose smoothed image, summed over all scans, makes the mask")
    above: float | None = Field(None, ge=0, le=1, description="lower limit of the image, as a share of `of` (1)")
    below: float | None = Field(None, ge=0, le=1, description="upper limit of the image, as a share of `of` (1)")
    of: Literal["maximum", "quantile"] = Field(
        "maximum", description="limits are shares of the image's maximum (its 99 % quantile), or quantiles themselves"
    )

    @field_validator("ion")
    @classmethod
    def _is_ion(cls, label: str | None) -> str | None:
        return None if label is None else Ion.parse(label).label

    @model_validator(mode="after")
    def _is_one_kind(self) -> Area:
        if (self.polygon is None) == (self.ion is None):
            raise ValueError("expected either 'polygon' or 'ion', and not both")
        if self.polygon is not None and (self.above is not None or self.below is not None):
            raise ValueError("'above' and 'below' belong to 'ion'; a polygon has no levels")
        if self.ion is not None and self.above is None and self.below is None:
            raise ValueError(f"the mask of {self.ion} has no level; expected 'above' or 'below', for instance 0.5")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"above is {self.above:g} and below {self.below:g}; expected 'above' to be smaller")
        return self


class RegionOfInterest(BaseModel):
    """The part of the raster whose ions count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: tuple[Area, ...] = Field((), description="areas that count; the whole raster if absent")
    exclude: tuple[Area, ...] = Field((), description="areas that do not count")

    @model_validator(mode="after")
    def _is_something(self) -> RegionOfInterest:
        if not self.include and not self.exclude:
            raise ValueError("a region of interest without areas; expected 'include' or 'exclude'")
        return self
