"""The stage `tem_thickness`: images of a sample to the distribution of its layer's thickness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.model.options import ThicknessOptions
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.tem.hand_labels import layer_from_labels
from depthlock.tem.hidden import filled
from depthlock.tem.hints import Hints
from depthlock.tem.lattice_result import lattice_spacing
from depthlock.tem.lattice_scale import calibrated
from depthlock.tem.layer import measure_layer
from depthlock.tem.measured import Layer
from depthlock.tem.positions import evidence_of, positions_of, used_chords
from depthlock.tem.statistics import ThicknessStatistics, thickness_statistics

SATURATED = 0.02
"""Share of pixels at the camera's limit above which brightness is no longer a measurement."""

BURNT_OUT = 0.2
"""Share of pixels at the limit above which no thickness is claimed: whole sides of a boundary may lie there."""

LEAST_LENGTH = 8.0
"""Length in nm of interface below which a distribution is not to be trusted."""

LEAST_INDEPENDENT = 3.0
"""Least number of independent positions."""


class _Settings(TypedDict):
    smoothing: float
    maximum_thickness: float
    hint: float | None
    samples: int
    rng: np.random.Generator


def measure_thickness(images: Sequence[xr.Dataset], options: ThicknessOptions) -> xr.Dataset:
    """Thickness of the amorphous layer on a crystal, as a distribution along the interface.

    Parameters
    ----------
    images : sequence of xr.Dataset
        Contract `tem_image`, one or more of one sample. Read from their attributes: `pixel_size_nm` ([y, x]),
        `pixel_size_std` (relative, 0 if absent), `lattice_spacing_nm` (a hint), `calibrate_with_nm` (a known spacing
        that corrects the pixel size, and is then no result), `saturated_fraction`, `scale_flag` (what is wrong with
        the scale). A variable `labels` (0 outside, 1 layer, 2 crystal) takes the place of the segmentation;
        `attrs["segmentation"]` says so; `hints` (JSON as `Hints.read` takes it) guide it. A variable `drawn_over`
        marks pixels that are none of the specimen.
    options : ThicknessOptions

    Returns
    -------
    xr.Dataset
        Contract `tem_thickness`. Images without a measurable layer add no position; their reasons stand in
        `attrs["image_flags"]`, and where none is left the quantities are NaN with those reasons as flags.
        `thickness_laplace` is the thickness by another definition, along Laplace streamlines; it has the same flags.
        `crystallinity_k` (window_y_k, window_x_k) is the map of image k by windowed power spectra;
        `reflection_ky_k`, `reflection_kx_k` in 1/nm and `reflection_spacing_k` with `reflection_spacing_std_k` in nm
        (reflection_k) are the reflections of its crystal, empty without one, and `reflection_angle_k` with
        `reflection_angle_std_k` their azimuths in degree; `reflection_local_spacing_k` (reflection_k, tile_y_k,
        tile_x_k) is the map of their spacing, `reflection_local_spacing_std_k` the error of one of its tiles.

    Raises
    ------
    MeasurementError
        When there is no image, or one has no scale, or lacks the lattice to calibrate it with.
    """
    if not images:
        raise MeasurementError("no TEM image", expected="at least one", hint="name one under `tem:` of the sample")
    images = [_scaled(image) for image in images]
    sizes = [_pixel_size(image) for image in images]
    draws = max(options.bootstrap, 50)
    layers: list[Layer] = []
    for number, (image, pixel) in enumerate(zip(images, sizes, strict=True)):
        rng = np.random.default_rng([options.seed, number])
        layers.append(_measure(image, pixel, options, draws, rng))
    result = positions_of(images, sizes, layers, options)
    found = [layer.boundaries for layer in layers if layer.boundaries is not None]
    if found:
        chords = [used_chords(boundaries, options) for boundaries in found]
        spacing = found[0].axis.spacing
        scale = [
            float(image.attrs.get("pixel_size_std", 0.0))
            for image, layer in zip(images, layers, strict=True)
            if layer.boundaries is not None
        ]
        statistics = thickness_statistics(chords, spacing, scale)
        flag = _thickness_flag(layers, statistics, chords, spacing)
        result = _with_statistics(result, statistics, flag)
        along = _streamline_draws(result, layers, chords)
        other = thickness_statistics(along, spacing, scale)
        quantity = Quantity(other.value, other.std, other.lower, other.upper, flag)
        result = assign(result, "thickness_laplace", ("statistic",), quantity, "nm")
    else:
        nothing = np.full(4, np.nan)
        reasons = join_flags(*(";".join(layer.flags) for layer in layers))
        result = assign(result, "cei_thickness", ("statistic",), Quantity(nothing, nothing, flag=reasons), "nm")
        result = assign(result, "thickness_laplace", ("statistic",), Quantity(nothing, nothing, flag=reasons), "nm")
        result["thickness_sampling_std"] = xr.Variable((), np.nan, {"units": "nm"})
        result["between_image_std"] = xr.Variable((), np.nan, {"units": "nm"})
    result = assign(result, "lattice_spacing", (), lattice_spacing(images, layers), "nm")
    return result.assign_attrs(
        images=len(images),
        pixel_size_nm=[list(pixel) for pixel in sizes],
        image_flags=[";".join(layer.flags) for layer in layers],
        sources=[str(image.attrs.get("source", "")) for image in images],
        segmentation=[_segmentation(image) for image in images],
        scale_sources=[str(image.attrs.get("scale_source", "")) for image in images],
        hints=[str(image.attrs.get("hints", "")) for image in images],
        scale_bars_px=[list(image.attrs.get("scale_bar_px", ())) for image in images],
        evidence=[evidence_of(layer) for layer in layers],
        edge_smoothing_nm=options.edge_smoothing,
        # Bounds that one image cannot show (SCIENCE 4); they are not in the intervals.
        systematic_bounds_nm={"foil 30 nm thick tilted by 2 degrees": 1.0, "delocalisation at 300 nm defocus": 1.3},
    )


def _scaled(image: xr.Dataset) -> xr.Dataset:
    known = image.attrs.get("calibrate_with_nm")
    return image if known is None else calibrated(image, _pixel_size(image), float(known))


def _segmentation(image: xr.Dataset) -> str:
    if "hints" in image.attrs:
        return f"automatic, guided by {Hints.read(image.attrs['hints'], (1.0, 1.0)).told}"
    if "labels" not in image:
        return "automatic"
    return f"hand-corrected labels {image.attrs.get('labels_source', '')}".strip()


def _pixel_size(image: xr.Dataset) -> tuple[float, float]:
    size = np.ravel(np.asarray(image.attrs.get("pixel_size_nm", []), dtype=float))
    where = str(image.attrs.get("source", ""))
    if size.size == 0:
        raise MeasurementError(
            "the image has no scale (scale_unknown)",
            expected="the size of a pixel",
            where=where,
            hint="give it in the session, for instance `tem: [{file: ..., pixel_size: 0.03 nm}]`",
        )
    if not np.all(np.isfinite(size)) or np.any(size <= 0):
        raise MeasurementError(
            f"a pixel size of {size.tolist()} nm", expected="a positive number", where=where, hint="mend `pixel_size`"
        )
    return float(size[0]), float(size[-1])


def _measure(
    image: xr.Dataset, pixel: tuple[float, float], options: ThicknessOptions, draws: int, rng: np.random.Generator
) -> Layer:
    values = np.asarray(image["image"].values, dtype=np.float32)
    flags = _image_flags(values, image)
    if "no_contrast" in flags:
        return Layer(flags=flags)
    middle = float(np.median(values))
    scale = middle if middle > 0 else float(np.std(values))
    hint = image.attrs.get("lattice_spacing_nm")
    values = np.nan_to_num(values, nan=middle) / np.float32(scale)
    hidden = np.asarray(image["drawn_over"].values, dtype=bool) if "drawn_over" in image else None
    if hidden is not None:
        values = filled(values, hidden)
    settings: _Settings = {
        "smoothing": options.edge_smoothing,
        "maximum_thickness": options.maximum_thickness,
        "hint": None if hint is None else float(hint),
        "samples": draws,
        "rng": rng,
    }
    if "labels" in image:
        labels = np.asarray(image["labels"].values, dtype=np.int8)
        return layer_from_labels(values, labels, pixel, **settings).flagged(*flags)
    hints = Hints.read(image.attrs["hints"], pixel) if "hints" in image.attrs else None
    if hints is not None:
        flags = (*flags, "hinted")
    layer = measure_layer(values, pixel, hidden=hidden, hints=hints, **settings).flagged(*flags)
    return replace(layer, boundaries=None) if _clipped(image) > BURNT_OUT else layer


def _image_flags(values: NDArray[np.float32], image: xr.Dataset) -> tuple[str, ...]:
    finite = values[np.isfinite(values)]
    if finite.size < 0.99 * values.size or min(values.shape) < 32 or float(np.ptp(finite)) == 0.0:
        return ("no_contrast",)
    scale = filter(None, [str(image.attrs.get("scale_flag", ""))])
    return (*(("saturated",) if _clipped(image) > SATURATED else ()), *scale)


def _clipped(image: xr.Dataset) -> float:
    """Share of the pixels at the brightest or the darkest grey."""
    values = image["image"].values
    seen = np.isfinite(values)
    if "drawn_over" in image:
        seen &= ~image["drawn_over"].values.astype(bool)
    finite = values[seen]
    shares = [float(np.mean(finite == limit)) for limit in (finite.max(), finite.min())]
    return max(*shares, float(image.attrs.get("saturated_fraction", 0.0)))


def _streamline_draws(
    result: xr.Dataset, layers: list[Layer], chords: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Draws of the streamlines' lengths: the chords', moved by what sets the two apart on the mean boundaries."""
    index = result["image_index"].values
    apart = (result["laplace_length"] - result["thickness"]).values
    measured = [number for number, layer in enumerate(layers) if layer.boundaries is not None]
    return [draws + apart[index == number][None] for number, draws in zip(measured, chords, strict=True)]


def _with_statistics(result: xr.Dataset, statistics: ThicknessStatistics, flag: str) -> xr.Dataset:
    quantity = Quantity(statistics.value, statistics.std, statistics.lower, statistics.upper, flag)
    result = assign(result, "cei_thickness", ("statistic",), quantity, "nm")
    for name, value, units in (
        ("thickness_sampling_std", statistics.sampling_std, "nm"),
        ("between_image_std", statistics.between_images, "nm"),
        ("correlation_length", statistics.correlation_length, "nm"),
        ("independent_positions", statistics.independent, "1"),
    ):
        result[name] = xr.Variable((), value, {"units": units})
    return result


def _thickness_flag(
    layers: list[Layer], statistics: ThicknessStatistics, chords: list[NDArray[np.float64]], spacing: float
) -> str:
    reasons = [flag for layer in layers if layer.boundaries is not None for flag in layer.flags]
    if any(layer.boundaries is None for layer in layers):
        reasons.append("images_left_out")
    length = sum(c.shape[1] for c in chords) * spacing
    if length < LEAST_LENGTH or statistics.independent < LEAST_INDEPENDENT:
        reasons.append("too_few_positions")
    return join_flags(*reasons)
