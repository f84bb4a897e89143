"""How numbers and flags are told to people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FLAGS = {
    "at_bound": "a fitted value lies at the limit it was given",
    "correlated": "two fitted values cannot be told apart well (correlation above 0.95)",
    "not_detected": "below three standard deviations; the upper limit is what counts",
    "shape_sensitive": "the number owes most of its error to how far the lines' tails reach",
    "poor_fit": "the model does not describe the data within its noise",
    "background_decides": "with another background and line shape (see area_otherwise) the area is another",
    "no_expert_fit": "the file holds no fit of this component",
    "under_fitted": "one more component is asked for by the data",
    "over_fitted": "fewer components describe the data as well",
    "background_above_data": "the background lies above the data somewhere",
    "window_sensitive": "the number changes with the window it is fitted in; the error holds the change",
    "no_profile": "the profile likelihood of the area was not found; the interval is that of the covariance",
    "not_identifiable": "different starting values give different answers",
    "no_charge_reference": "no reference line was found; the energy axis rests on the library's positions",
    "no_chemistry": "the chemistry library holds no states for this region",
    "no_crystal": "no crystal with lattice fringes was found",
    "no_outside": "nothing outside the layer was found",
    "patchy_fringes": "the crystal's edge depends on whether fringes are used to find it",
    "methods_disagree": "two independent methods disagree beyond their errors",
    "anchor_uncertain": "the substrate's interface in the maps, which anchors their profiles, is uncertain",
    "surface_not_seen": "the maps do not show the layer's surface; depths count from the interface alone",
    "thickness_differs": "the layer in the maps is not as thick as that of the sample, beyond their errors",
    "scale_unknown": "the image has no scale",
    "hinted": "a person's hints guided the segmentation",
    "hint_contradicted": "the image puts the layer elsewhere than the hints do",
    "no_fringes": "no lattice fringes were found; the crystal is where the strokes put it",
    "scale_bar_disagrees": "the burnt-in scale bar and the file's own scale disagree; the bar is used",
    "too_few_positions": "the interface is too short for a distribution",
    "no_thickness": "there is no measured thickness, so there is no axis in nanometres",
    "no_interface": "the substrate's interface was not found",
    "no_sputter_axis": "the measurement has no sputter time",
    "no_substrate_ion": "no ion of the session has the role 'substrate', so no interface is looked for",
    "no_substrate_component": "no chemical state has the role 'substrate', so XPS gives no interface",
    "no_depth_scale": "the sputter time could not be turned into depth",
    "no_spectrum": "the file holds profiles only, no spectrum to check the assignment in",
    "no_volume": "the file holds no events to make volumes of",
    "no_layer": "no amorphous layer was found",
    "no_contrast": "layer and surroundings cannot be told apart",
    "no_sensitivity_factor": "the sensitivity set has no factor for this region",
    "not_measured": "no number could be measured",
    "not_in_file": "the file holds no such ion",
    "other_polarity": "the file holds ions of the other polarity",
    "mass_drift_not_followed": "the mass scale drifted during the measurement by more than could be followed",
    "not_in_sample": "this sample holds no such species",
    "region_not_measured": "this region was not measured at this level",
    "position_not_measured": "the line is too weak for a position",
    "fringes_everywhere": "most fringes lie outside of the crystal, so its edge need not be where they end",
    "few_counts": "too few counts",
    "few_points": "too few points",
    "few_blocks": "too few independent blocks for the null distribution",
    "too_few_levels": "too few etch levels",
    "too_few_scans": "too few scans",
    "interface_not_found": "the substrate's rise was not found",
    "interface_not_reached": "the measurement ends before the substrate's interface",
    "interface_at_edge": "the interface lies at the edge of the measured range",
    "no_pixel_size": "the file does not tell the size of a pixel",
    "flat_within_errors": "no topography beyond the errors",
    "fall_after_rise": "the substrate ion falls again after its rise; the first rise is used",
    "plateau_short": "the substrate's plateau is short",
    "surface_level_short": "the stretch before the substrate's rise is short",
    "fit_not_converged": "the fit did not converge",
    "poor_peak_fit": "the peak shape does not describe the mass peak within its noise",
    "isotope_pattern": "peaks of the ion's other isotopes are too weak for this assignment",
    "overlap_not_resolved": "overlapping peaks could not be separated",
    "calibration_not_trusted": "the mass calibration could not be confirmed",
    "calibration_ambiguous": "several mass calibrations describe the spectrum as well",
    "calibration_off": "known ions lie off the file's own mass calibration, which the session asked to keep",
    "calibration_few_ions": "the mass calibration rests on few ions",
    "unstable_component": "other starts of the unmixing describe the ions as well with another spectrum in its place",
    "more_components": "the ions hold more components than were asked for; some are merged",
    "dead_time_not_corrected": "the dead time or number of pulses is unknown, and losses matter",
    "dead_time_large": "more than a third of the ions were lost to dead time",
    "pulses_unknown": "the number of pulses behind a point is unknown",
    "reference_not_detected": "the reference of the normalisation is not detected at this point",
    "response_differs": "substrate and layer ions do not share one depth response",
    "thickness_std_assumed": "the thickness was given without an error; one was assumed",
    "single_state": "the region has one chemical state, so its share is one by definition",
    "single_element": "one element was measured, so its share is one by definition",
    "library_value": "the line is too weak to give this; the library's value and uncertainty stand",
    "fwhm_weak": "the line is too weak for a width of its own",
    "survey_overlap": "another element has a line in this element's window of the survey",
    "no_core_level": "the sample has surveys only",
    "given_by_session": "the session gives this value; it was not measured",
    "secondary_reference": "the charge reference is not the library's first choice",
    "unresolved_possible": "two lines closer than separation_limit would look like this one at these counts",
    "differential_charging": "regions of this level are shifted by different amounts",
    "charge_reference": "held at its known energy as the charge reference; measured is the shift of the level",
    "outlier_level": "this level's intensity does not belong to the series",
    "saturated": "pixels of the image are saturated",
    "used_as_scale": "the crystal's spacing set the scale, so it is no result",
    "images_left_out": "some images could not be measured and were left out",
    "images_disagree": "the images of the sample differ by more than their errors",
    "no_substrate": "no area rich in the substrate's elements is seen; name them: options: eds_profile: substrate",
    "substrate_guessed": "the session names no element that marks the substrate; the largest rich area is taken for it",
    "no_step": "the element does not change at the interface beyond its counting error",
    "not_counts": "the map holds no counts; its noise is estimated from neighbouring pixels",
    "overlap": "its X-ray line overlaps another one, and the two are fitted together",
    "no_k_factor": "the session gives no Cliff-Lorimer factor for this element",
    "outside_detector": "the ring lies outside of the detector's usable pixels",
    "missing_wedge": "directions that the detector cannot see hold some of the ring; they are taken from beside them",
    "overlapping_reflections": "the ring overlaps another one, and the two are fitted together",
    "no_preferred_orientation": "the ring is even over azimuth within its errors",
    "single_reflection": "one reflection was measured, so its share is one by definition",
    "reflections_left_out": "some named reflections are not on the detector and do not count in the share",
    "ring_not_round": "the ring's scattering vector changes with azimuth: check centre, distance and tilt",
    "spacings_off_together": "all spacings are off what was expected by one factor: check distance and wavelength",
    "patterns_differ": "the diffraction patterns differ by more than their counting errors; the interval holds that",
    "patterns_left_out": "some of the sample's diffraction patterns do not give this number",
    "too_few_patterns": "fewer than two diffraction patterns give this number, so they cannot be compared",
    "reflections_differ": "the patterns' shares are over different reflections, so they have no mean",
    "geometries_differ": "some patterns are at grazing incidence and some in transmission, so they have no mean",
    "hinted_spacing_not_found": "the lattice spacing of the session was not found in the image",
}
"""What each flag means. Flags with a detail after a colon are looked up by what stands before it."""


def flag_meaning(reason: str) -> str:
    """The meaning of one flag, in words."""
    name, _, detail = reason.partition(":")
    if name == "lookalike":
        return f"cannot be told from {detail} at this mass resolution and calibration"
    meaning = FLAGS.get(name, name.replace("_", " "))
    return f"{meaning} ({detail})" if detail else meaning


def shown_number(value: Any) -> str:
    """A number with four significant digits; an empty text for one that is missing."""
    if value is None or value == "":
        return ""
    number = float(value)
    return "" if math.isnan(number) else f"{number:.4g}"


HEADLINES = (
    ("layer thickness (TEM)", "tem", "cei_thickness", "mean"),
    ("thickness, standard deviation", "tem", "cei_thickness", "sd"),
    ("layer thickness (STEM-EDS)", "eds", "layer_thickness", ""),
    ("texture share", "diffraction", "texture_share", None),
    ("sputter rate, TOF-SIMS", "depth", "sputter_rate", "tofsims"),
    ("sputter rate, XPS", "depth", "sputter_rate", "xps"),
    ("mean depth", "depth", "centroid", None),
    ("separation", "depth", "separation", None),
    ("overlap", "depth", "overlap", None),
    ("interlocking", "depth", "interlocking", None),
    ("voxel co-occurrence (z)", "depth", "co_occurrence", None),
    ("substrate in the layer", "depth", "substrate_in_layer", None),
)
"""Rows of the table at the top of the report: wording, technique, quantity, target (None: all of them)."""


OF_ONE_PATTERN = " (pattern "
"""In targets of one diffraction pattern of several: the number over all of them stands at the top."""


def headline_rows(rows: Iterable[Mapping[str, Any]], samples: Sequence[str]) -> list[dict[str, Any]]:
    """The table at the top of the report: one row a number that matters, one cell a sample."""
    found = {(row["sample"], row["technique"], row["quantity"], row["target"]): row for row in rows}
    table = []
    for wording, technique, quantity, wanted in HEADLINES:
        targets = dict.fromkeys(
            key[3]
            for key in found
            if key[1:3] == (technique, quantity) and wanted in {None, key[3]} and OF_ONE_PATTERN not in key[3]
        )
        for target in targets:
            cells = [_cell(found.get((sample, technique, quantity, target))) for sample in samples]
            if any(cell is not None and cell["flag"] != "not_detected" for cell in cells):
                label = wording if wanted is not None else f"{wording}, {target}"
                unit = next(row["unit"] for key, row in found.items() if key[1:] == (technique, quantity, target))
                table.append({"label": label, "unit": "" if unit == "1" else unit, "cells": cells})
    return table


def _cell(row: Mapping[str, Any] | None) -> dict[str, str] | None:
    if row is None:
        return None
    value = shown_number(row["value"])
    if not value and not row["flag"]:
        return None
    interval = f"{shown_number(row['ci_low'])} … {shown_number(row['ci_high'])}" if value else ""
    return {"value": value or "not measured", "interval": interval, "flag": str(row["flag"])}
