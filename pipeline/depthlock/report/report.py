"""The report of a session: every figure as files, and one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import depthlock
from depthlock.model.options import ReportOptions
from depthlock.report import (
    depth_figures,
    diffraction_figures,
    eds_figures,
    map_figures,
    stem_figures,
    tem_crystal_figure,
    tem_figures,
    tofsims_figures,
    xps_figures,
    xps_survey_figure,
)
from depthlock.report.contents import Results
from depthlock.report.style import figure_style
from depthlock.report.wording import flag_meaning, headline_rows, shown_number
from depthlock.report.xps_exports import write_exports

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure of the report.

    Attributes
    ----------
    name : str
        Stem of its files.
    caption : str
        What it shows, and how to read it.
    png : str
        The picture for the page, base64.
    files : tuple of str
        Its files, relative to the report.
    """

    name: str
    caption: str
    png: str
    files: tuple[str, ...]


def write_report(results: Results, folder: Path, options: ReportOptions) -> None:
    """Draw all figures of a session and write ``report.html``, and the XPS fits for other programs.

    Parameters
    ----------
    results : Results
        The session's results.
    folder : Path
        Results folder; figures go to its ``figures`` folder, XPS fits (VAMAS with CasaXPS's comments, CSV) to
        ``exports/<sample>``.
    options : ReportOptions
        Title, and the formats of the figures.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    draw = _Drawer(folder, options.figure_formats)
    together = list(_session_figures(results, draw))
    samples = {sample: list(_sample_figures(results, sample, draw)) for sample in results.samples}
    for sample in results.samples:
        fit = results.dataset(sample, "xps_deconvolve")
        if fit is not None and fit.sizes["component"]:
            write_exports(fit, folder / "exports" / sample)
    rows = [dict(row) for row in results.summary_rows()]
    page = _render(
        title=options.title or results.name,
        session=results.name,
        version=depthlock.__version__,
        together=together,
        samples=samples,
        notes={sample: list(_notes(results, sample)) for sample in results.samples},
        headlines=headline_rows(rows, results.samples),
        flags=_flag_table(rows),
        rows=[_shown_row(row) for row in rows],
        provenance=results.provenance(),
    )
    temporary = folder / "report.html.part"
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(folder / "report.html")


def _stems(samples: Sequence[str]) -> dict[str, str]:
    """Stems of the samples' figure files: letters and digits that every system takes, each stem once."""
    stems: dict[str, str] = {}
    for sample in samples:
        plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in sample)
        stem, number = plain, 1
        while stem.lower() in {other.lower() for other in stems.values()}:
            number += 1
            stem = f"{plain}_{number}"
        stems[sample] = stem
    return stems


class _Drawer:
    """Writes a figure in every format, and keeps it for the page."""

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        self.folder = folder
        self.formats = formats

    def __call__(self, name: str, caption: str, figure: Figure) -> Drawn:
        files = []
        picture = io.BytesIO()
        with figure_style():
            figure.savefig(picture, format="png")
            for kind in self.formats:
                path = self.folder / "figures" / f"{name}.{kind}"
                if kind == "png":
                    path.write_bytes(picture.getvalue())
                else:
                    # No dates inside: the same results give the same bytes.
                    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
                    figure.savefig(path, format=kind, metadata=metadata)
                files.append(path.relative_to(self.folder).as_posix())
        return Drawn(name, caption, base64.b64encode(picture.getvalue()).decode("ascii"), tuple(files))


def _session_figures(results: Results, draw: _Drawer) -> Iterator[Drawn]:
    profiles = {
        sample: profile
        for sample in results.samples
        if (profile := results.dataset(sample, "depth_profile")) is not None
        and np.isfinite(profile["depth_fraction"].values).any()
    }
    if not profiles:
        return
    yield draw(
        "depth_profiles",
        "All techniques on one depth axis; 0 is the surface, the dashed line the substrate's interface. Solid lines: "
        "as measured, each divided by its maximum. Broken lines with bands: the layer itself, the technique's depth "
        "response accounted for, with its 95 % interval. Elements (STEM-EDS): counts a pixel with their 95 % interval, "
        "placed by the edge of the crystal in their maps.",
        depth_figures.draw_depth_profiles(profiles, "depth profiles"),
    )
    if any(np.isfinite(profile["centroid"].values).any() for profile in profiles.values()):
        yield draw(
            "comparison",
            "Left: mean depth of every species inside the layer. Right: interlocking of organic and inorganic. Bars "
            "are 95 % intervals.",
            depth_figures.draw_comparison(profiles, "the samples side by side"),
        )


def _notes(results: Results, sample: str) -> Iterator[str]:
    """What a stage has to say about a sample beside its numbers, such as ions of the other polarity left out."""
    for stage in (
        "tofsims_profile",
        "tofsims_components",
        "xps_deconvolve",
        "tem_thickness",
        "eds_profile",
        "diffraction_texture",
        "depth_profile",
    ):
        dataset = results.dataset(sample, stage)
        told = dataset.attrs.get("notes", []) if dataset is not None else []
        yield from [told] if isinstance(told, str) and told else told


def _sample_figures(results: Results, sample: str, draw: _Drawer) -> Iterator[Drawn]:
    stem = _stems(results.samples)[sample]
    profile = results.dataset(sample, "tofsims_profile")
    if profile is not None:
        caption = "TOF-SIMS profiles with 95 % bands; broken line: fitted response, vertical band: interface time."
        yield draw(f"{stem}_tofsims", caption, tofsims_figures.draw_profile(profile, sample))
        geometry = tofsims_figures.draw_geometry(profile, sample)
        if geometry is not None:
            caption = (
                "Image of all ions with the region that counts; time of the substrate's interface over the raster; "
            )
            caption += "lateral drift, where it was taken out of maps and volumes, with its 95 % band."
            yield draw(f"{stem}_geometry", caption, geometry)
        peaks = tofsims_figures.draw_mass_peaks(profile, sample)
        if peaks is not None:
            caption = "The peaks the profiles were cut from, after calibration; dotted line: exact mass of the ion."
            yield draw(f"{stem}_mass_peaks", caption, peaks)
        drift = tofsims_figures.draw_mass_drift(profile, sample)
        if drift is not None:
            caption = "Drift of the mass scale over the scans with its 95 % band; it is taken out of all counts."
            yield draw(f"{stem}_mass_drift", caption, drift)
    maps = results.dataset(sample, "tofsims_maps")
    if maps is not None:
        caption = (
            "Where the ions are. Above: maps, summed over depth. Below: cross-sections through a strip of the raster, "
            "the surface on top; depth is stretched. Counts, bright is many."
        )
        yield draw(f"{stem}_maps", caption, map_figures.draw_maps(maps, sample))
    components = results.dataset(sample, "tofsims_components")
    if components is not None and components.sizes["component"]:
        caption = (
            "The whole TOF-SIMS spectrum unmixed by Poisson likelihood, without regard to the session's ions: each "
            "component's map from above, its ions a scan with 95 % band, and its spectrum with the peaks that tell it "
            "apart. Formulas are the likeliest by mass and isotopes."
        )
        yield draw(f"{stem}_components", caption, map_figures.draw_components(components, sample))
    fit = results.dataset(sample, "xps_deconvolve")
    if fit is not None and xps_survey_figure.has_survey(fit):
        caption = "Survey spectra with the lines of the elements found; atomic percent with 95 % intervals."
        yield draw(f"{stem}_xps_survey", caption, xps_survey_figure.draw_survey(fit, sample))
    if fit is not None and fit.sizes["component"]:
        caption = "XPS spectra by level, the first at the bottom, with components, background and envelope."
        yield draw(f"{stem}_xps", caption, xps_figures.draw_stacks(fit, sample))
        caption = "Areas of the components and atomic percent of the elements, with 95 % intervals."
        yield draw(f"{stem}_xps_areas", caption, xps_figures.draw_areas(fit, sample))
    thickness = results.dataset(sample, "tem_thickness")
    if thickness is not None:
        for image in range(int(thickness.attrs["images"])):
            caption = tem_figures.image_caption(thickness, image)
            yield draw(f"{stem}_tem_{image}", caption, tem_figures.draw_image(thickness, image, sample))
            if tem_crystal_figure.has_crystal_maps(thickness, image):
                caption = tem_crystal_figure.crystal_caption(thickness, image)
                crystal = tem_crystal_figure.draw_crystal(thickness, image, sample)
                yield draw(f"{stem}_tem_crystal_{image}", caption, crystal)
    elements = results.dataset(sample, "eds_profile")
    if elements is not None:
        yield from _eds_figures(elements, sample, stem, draw)
    scans = results.dataset(sample, "stem_maps")
    if scans is not None:
        for number in range(int(scans.attrs["scans"])):
            figure = stem_figures.draw_scan(scans, number, sample)
            yield draw(f"{stem}_stem_{number}", stem_figures.CAPTION, figure)
    texture = results.dataset(sample, "diffraction_texture")
    if texture is not None:
        for number in range(int(texture.attrs["patterns"])):
            caption = (
                "Diffraction: intensity over scattering vector and azimuth (from the film's normal at grazing "
                "incidence; grey: not seen), with the reflections; and each ring above its background over azimuth, "
                "bars are 95 % intervals."
            )
            yield draw(f"{stem}_diffraction_{number}", caption,
                       diffraction_figures.draw_pattern(texture, number, sample))  # fmt: skip


def _eds_figures(elements: xr.Dataset, sample: str, stem: str, draw: _Drawer) -> Iterator[Drawn]:
    for number in range(int(elements.attrs["data_sets"])):
        caption = (
            "STEM-EDS: elements laid over the dark-field image, and each by itself (counts a pixel, averaged until "
            "they can be seen); the crystal's edge (blue) and the layer's outer boundary (red)."
        )
        yield draw(f"{stem}_eds_maps_{number}", caption, eds_figures.draw_maps(elements, number, sample))
        if elements.sizes["distance"] and bool(elements["pixels"].values[number].any()):
            caption = (
                "STEM-EDS: counts a pixel by distance from the crystal's edge, with 95 % bands of counting; dashed "
                "lines: the crystal's edge and the layer's outer boundary."
            )
            yield draw(f"{stem}_eds_profile_{number}", caption, eds_figures.draw_profile(elements, number, sample))
        if f"spectrum_{number}" in elements:
            caption = "STEM-EDS: sum spectrum with the fitted lines and background."
            yield draw(f"{stem}_eds_spectrum_{number}", caption, eds_figures.draw_spectrum(elements, number, sample))


def _flag_table(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for reason in filter(None, str(row["flag"]).split(";")):
            level = f" level {row['level']}" if str(row["level"]) != "" else ""
            found.setdefault(reason, []).append(f"{row['sample']}: {row['quantity']} {row['target']}{level}".strip())
    return [
        {"reason": reason, "meaning": flag_meaning(reason), "count": len(places), "places": places}
        for reason, places in sorted(found.items(), key=lambda item: -len(item[1]))
    ]


def _shown_row(row: Mapping[str, Any]) -> dict[str, str]:
    shown = {key: "" if value is None else str(value) for key, value in row.items()}
    for key in ("value", "std", "ci_low", "ci_high"):
        shown[key] = shown_number(row[key])
    return shown


def _render(**contents: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("depthlock", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    filters: dict[str, Callable[..., Any]] = {"number": shown_number}
    environment.filters.update(filters)
    return environment.get_template("report.html.jinja").render(**contents)
