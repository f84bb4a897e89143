"""The stage `tem_thickness`: images of a sample to the distribution of its layer's thickness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.model.errors import MeasurementError
from depthlock.model.options import ThicknessOptions
from depthlock.model.quantity import Quantity, assign, join_flags
from depthlock.tem.chords import chord_samples, chord_starts
from depthlock.tem.labels import label_image
from depthlock.tem.lattice import LocalFringes
from depthlock.tem.layer import Boundaries, Layer, measure_layer
from depthlock.tem.spacing import LatticeFit
from depthlock.tem.statistics import STATISTICS, ThicknessStatistics, thickness_statistics

SATURATED = 0.02
"""Share of pixels at the camera's limit above which brightness is no longer a measurement."""

LEAST_LENGTH = 8.0
"""Length in nm of interface below which a distribution is not to be trusted."""

LEAST_INDEPENDENT = 3.0
"""Least number of independent positions."""

SPACING_BIAS = 8e-4
"""Relative standard error of a fitted spacing that its tiles do not show: speckle pulls all of them alike."""

HINT_REACH = 0.10
"""Relative distance within which a reflection is taken for the one whose spacing the session gives."""

POSITION_UNITS = {"thickness": "nm", "thickness_std": "nm"} | {
    f"{line}_{axis}": "pixel" for line in ("inner", "outer") for axis in ("y", "x")
}


def measure_thickness(images: Sequence[xr.Dataset], options: ThicknessOptions) -> xr.Dataset:
    """Thickness of the amorphous layer on a crystal, as a distribution along the interface.

    Parameters
    ----------
    images : sequence of xr.Dataset
        Contract `tem_image`, one or more of one sample. Read from their attributes: `pixel_size_nm` ([y, x]),
        `pixel_size_std` (relative, 0 if absent), `lattice_spacing_nm` (a hint), `saturated_fraction`.
    options : ThicknessOptions

    Returns
    -------
    xr.Dataset
        Contract `tem_thickness`. Images without a measurable layer add no position; their reasons stand in
        `attrs["image_flags"]`, and where none is left the quantities are NaN with those reasons as flags.

    Raises
    ------
    MeasurementError
        When there is no image, or one has no scale.
    """
    if not images:
        raise MeasurementError("no TEM image", expected="at least one", hint="name one under `tem:` of the sample")
    sizes = [_pixel_size(image) for image in images]
    draws = max(options.bootstrap, 50)
    layers: list[Layer] = []
    for number, (image, pixel) in enumerate(zip(images, sizes, strict=True)):
        rng = np.random.default_rng([options.seed, number])
        layers.append(_measure(image, pixel, options, draws, rng))
    result = _positions(images, sizes, layers, options)
    found = [layer.boundaries for layer in layers if layer.boundaries is not None]
    if found:
        chords = [_used_chords(boundaries, options) for boundaries in found]
        spacing = found[0].axis.spacing
        scale = [
            float(image.attrs.get("pixel_size_std", 0.0))
            for image, layer in zip(images, layers, strict=True)
            if layer.boundaries is not None
        ]
        statistics = thickness_statistics(chords, spacing, scale)
        result = _with_statistics(result, statistics, _thickness_flag(layers, statistics, chords, spacing))
    else:
        nothing = np.full(4, np.nan)
        reasons = join_flags(*(";".join(layer.flags) for layer in layers))
        result = assign(result, "cei_thickness", ("statistic",), Quantity(nothing, nothing, flag=reasons), "nm")
        result["thickness_sampling_std"] = xr.Variable((), np.nan, {"units": "nm"})
        result["between_image_std"] = xr.Variable((), np.nan, {"units": "nm"})
    result = assign(result, "lattice_spacing", (), _lattice_spacing(images, layers), "nm")
    return result.assign_attrs(
        images=len(images),
        pixel_size_nm=[list(pixel) for pixel in sizes],
        image_flags=[";".join(layer.flags) for layer in layers],
        sources=[str(image.attrs.get("source", "")) for image in images],
        evidence=[_evidence(layer) for layer in layers],
        edge_smoothing_nm=options.edge_smoothing,
        # Bounds that one image cannot show (SCIENCE 4); they are not in the intervals.
        systematic_bounds_nm={"foil 30 nm thick tilted by 2 degrees": 1.0, "delocalisation at 300 nm defocus": 1.3},
    )


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
    layer = measure_layer(
        np.nan_to_num(values, nan=middle) / np.float32(scale),
        pixel,
        smoothing=options.edge_smoothing,
        maximum_thickness=options.maximum_thickness,
        hint=None if hint is None else float(hint),
        samples=draws,
        rng=rng,
    )
    return layer.flagged(*flags)


def _image_flags(values: NDArray[np.float32], image: xr.Dataset) -> tuple[str, ...]:
    finite = values[np.isfinite(values)]
    if finite.size < 0.99 * values.size or min(values.shape) < 32 or float(np.ptp(finite)) == 0.0:
        return ("no_contrast",)
    clipped = max(float(np.mean(finite == finite.max())), float(np.mean(finite == finite.min())))
    clipped = max(clipped, float(image.attrs.get("saturated_fraction", 0.0)))
    return ("saturated",) if clipped > SATURATED else ()


def _used_chords(boundaries: Boundaries, options: ThicknessOptions) -> NDArray[np.float64]:
    chords = chord_samples(boundaries.axis, boundaries.inner.samples, boundaries.outer.samples, options.edge_smoothing)
    return chords[:, boundaries.used]


def _positions(
    images: Sequence[xr.Dataset], sizes: list[tuple[float, float]], layers: list[Layer], options: ThicknessOptions
) -> xr.Dataset:
    """Thickness and both lines at every position of every image, with the images and their labels."""
    columns: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ("arc_length", *POSITION_UNITS)}
    index: list[NDArray[np.int64]] = []
    pictures: dict[str, xr.Variable] = {}
    for number, (image, pixel, layer) in enumerate(zip(images, sizes, layers, strict=True)):
        values = image["image"].values
        lines = None
        if layer.boundaries is not None:
            boundaries = layer.boundaries
            axis, used = boundaries.axis, boundaries.used
            chords = _used_chords(boundaries, options)
            start = chord_starts(axis, boundaries.inner.mean[None], options.edge_smoothing)[0]
            end = boundaries.outer.mean
            columns["arc_length"].append(axis.arc_length[used])
            columns["thickness"].append(chords.mean(axis=0))
            columns["thickness_std"].append(chords.std(axis=0))
            for name, depth in (("inner", start), ("outer", end)):
                points = axis.at(depth)[used] / np.asarray(pixel)
                columns[f"{name}_y"].append(points[:, 0])
                columns[f"{name}_x"].append(points[:, 1])
            index.append(np.full(int(used.sum()), number))
            depths = {"deep": start - 3.0, "inner": boundaries.inner.mean, "outer": end, "far": end + 3.0}
            lines = {name: axis.at(depth) for name, depth in depths.items()}
        dims = (f"y_{number}", f"x_{number}")
        pictures[f"image_{number}"] = xr.Variable(dims, values.astype(np.float32, copy=False), {"units": "1"})
        label = label_image(values.shape, pixel, layer.crystal, lines)
        pictures[f"label_{number}"] = xr.Variable(dims, label, {"units": "1"})
    empty = np.zeros(0)
    joined = {name: np.concatenate(parts) if parts else empty for name, parts in columns.items()}
    coords = {
        "arc_length": xr.Variable("position", joined.pop("arc_length"), {"units": "nm"}),
        "image_index": xr.Variable(
            "position", np.concatenate(index) if index else empty.astype(np.int64), {"units": "1"}
        ),
        "statistic": xr.Variable("statistic", np.array(STATISTICS), {"units": "1"}),
    }
    variables = {
        name: xr.Variable("position", values, {"units": POSITION_UNITS[name]}) for name, values in joined.items()
    }
    return xr.Dataset({**variables, **pictures}, coords=coords)


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


def _evidence(layer: Layer) -> dict[str, float]:
    """What one image's boundaries rest on, in plain numbers; empty where there are none."""
    if layer.boundaries is None:
        return {}
    evidence = layer.boundaries.evidence
    return {
        "inner_separation": round(evidence.inner_separation, 2),
        "outer_separation": round(evidence.outer_separation, 2),
        "sharpness": round(evidence.sharpness, 3),
        "inner_shift_nm": round(evidence.inner_shift.value, 4),
        "inner_shift_std_nm": round(evidence.inner_shift.std, 4),
        "outer_shift_nm": round(evidence.outer_shift.value, 4),
        "outer_shift_std_nm": round(evidence.outer_shift.std, 4),
        "fresnel_fringe_weight": round(evidence.outer_shift.fringe, 3),
        "fringes_used": float(evidence.fringes_used),
    }


def _lattice_spacing(images: Sequence[xr.Dataset], layers: list[Layer]) -> Quantity:
    """Spacing of the strongest reflection, or of the one nearest to the hint, over the images that show it."""
    values, errors, flags = [], [], []
    for image, layer in zip(images, layers, strict=True):
        hint = image.attrs.get("lattice_spacing_nm")
        found: LatticeFit | LocalFringes
        if layer.crystal is not None and layer.lattice:
            found, flag = _chosen_fit(layer.lattice, None if hint is None else float(hint))
        elif layer.fringes is not None:
            found, flag = layer.fringes, "no_common_direction"
        else:
            continue
        scale = float(image.attrs.get("pixel_size_std", 0.0))
        values.append(found.spacing)
        errors.append(float(np.hypot(found.spacing_std, found.spacing * np.hypot(SPACING_BIAS, scale))))
        flags.append(flag)
    if not values:
        return Quantity(np.nan, np.nan, flag="no_crystal")
    first = values[0]
    same = [n for n, value in enumerate(values) if abs(value / first - 1) < HINT_REACH]
    weights = np.array([1 / errors[n] ** 2 for n in same])
    weights /= weights.sum()
    value = float(weights @ np.array([values[n] for n in same]))
    # The pixel size's error does not average out between images of one session.
    error = float(weights @ np.array([errors[n] for n in same]))
    if len(same) < len(values):
        flags.append("images_disagree")
    return Quantity(value, error, flag=join_flags(*flags))


def _chosen_fit(lattice: Sequence[LatticeFit], hint: float | None) -> tuple[LatticeFit, str]:
    if hint is not None:
        nearest = min(lattice, key=lambda fit: abs(fit.spacing - hint))
        if abs(nearest.spacing / hint - 1) <= HINT_REACH:
            return nearest, ""
    strongest = max(lattice, key=lambda fit: fit.amplitude)
    return strongest, "" if hint is None else "hinted_spacing_not_found"
