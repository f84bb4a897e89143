"""The readers that come with depthlock, one row each; nothing here imports them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reader:
    """One file format that depthlock opens.

    Parameters
    ----------
    name
        Short identifier, unique among all readers (``vamas``).
    technique
        ``tofsims``, ``xps``, ``tem``, ``eds`` ...
    gives
        Name of the data contract that ``read`` returns (``xps_spectra``, ``tofsims_events`` ...).
    title
        What a user calls the format.
    suffixes
        Lower-case file suffixes, with the dot, that files of the format usually have; they order the candidates and
        decide nothing.
    recognises, read, describe
        ``module:function`` paths; see the module's text for what they must do.
    beside
        ``module:function`` that finds the second file of formats that come in two; empty for all others.
    verified
        Whether the reader was checked on real files; ``depthlock info`` says so when it was not.
    generic
        Whether the format is so loose (two columns of numbers) that every other reader is asked first.
    """

    name: str
    technique: str
    gives: str
    title: str
    suffixes: tuple[str, ...]
    recognises: str
    read: str
    describe: str
    verified: bool = True
    generic: bool = False
    beside: str = ""

    def function(self, role: str) -> Callable[..., Any]:
        """Import and return one of the reader's functions: ``recognises``, ``read``, ``describe`` or ``beside``."""
        module_name, _, attribute = str(getattr(self, role)).partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
        return function


def _of_module(
    module: str,
    name: str,
    technique: str,
    gives: str,
    title: str,
    suffixes: tuple[str, ...],
    *,
    verified: bool = True,
    generic: bool = False,
    beside: str = "",
) -> Reader:
    """Declare a reader whose module has plain ``recognises``, ``read`` and ``describe`` functions."""
    path = f"depthlock.readers.{module}"
    return Reader(
        name=name,
        technique=technique,
        gives=gives,
        title=title,
        suffixes=suffixes,
        recognises=f"{path}:recognises",
        read=f"{path}:read",
        describe=f"{path}:describe",
        verified=verified,
        generic=generic,
        beside=f"{path}:{beside}" if beside else "",
    )


BUILT_IN: tuple[Reader, ...] = (
    _of_module(
        "event_store",
        "simsh5",
        "tofsims",
        "tofsims_events",
        "TOF-SIMS events, tof-sims-sparse-hdf5 (ULVAC-PHI)",
        (".h5", ".hdf5", ".simsh5"),
    ),
    _of_module(
        "surfacelab",
        "surfacelab",
        "tofsims",
        "tofsims_export",
        "IONTOF SurfaceLab depth profile (text)",
        (".txt", ".ascii"),
    ),
    _of_module(
        "surfacelab_spectrum",
        "surfacelab_spectrum",
        "tofsims",
        "tofsims_spectrum",
        "IONTOF SurfaceLab spectrum (text)",
        (".txt", ".ascii"),
    ),
    _of_module(
        "iontof_raw",
        "iontof_itm",
        "tofsims",
        "tofsims_events",
        "IONTOF raw ions (.itm)",
        (".itm", ".itmx"),
        verified=False,
    ),
    _of_module(
        "iontof_images",
        "iontof_ita",
        "tofsims",
        "tofsims_export",
        "IONTOF image stacks (.ita)",
        (".ita",),
        verified=False,
    ),
    _of_module(
        "iontof_surfacelab7",
        "iontof_itax",
        "tofsims",
        "tofsims_export",
        "IONTOF SurfaceLab 7 analysis (.itax)",
        (".itax",),
        verified=False,
    ),
    _of_module(
        "iontof_grd",
        "iontof_grd",
        "tofsims",
        "tofsims_events",
        "IONTOF raw ions exported from SurfaceLab (.grd with .properties.txt)",
        (".grd",),
        verified=False,
        beside="properties_of",
    ),
    _of_module(
        "surfacelab_volume",
        "surfacelab_volume",
        "tofsims",
        "tofsims_volume",
        "IONTOF SurfaceLab volume of one ion (text, x y z counts)",
        (".txt", ".ascii"),
        verified=False,
    ),
    _of_module(
        "imzml",
        "imzml",
        "tofsims",
        "tofsims_events",
        "imzML spectrum image",
        (".imzml",),
        verified=False,
        beside="binary_beside",
    ),
    _of_module(
        "tofwerk_events",
        "tofwerk_events",
        "tofsims",
        "tofsims_events",
        "Tofwerk TofDAQ file (event lists)",
        (".h5",),
        verified=False,
    ),
    _of_module(
        "tofwerk",
        "tofwerk",
        "tofsims",
        "tofsims_signal",
        "Tofwerk TofDAQ file (peak signals)",
        (".h5",),
    ),
    _of_module(
        "cameca",
        "cameca",
        "tofsims",
        "tofsims_export",
        "Cameca image stack (.im)",
        (".im",),
    ),
    _of_module("mibi", "mibi", "tofsims", "tofsims_events", "TOF-SIMS events of a MIBIscope (.bin)", (".bin",)),
    _of_module(
        "vamas",
        "vamas",
        "xps",
        "xps_spectra",
        "VAMAS spectra (ISO 14976)",
        (".vms", ".npl", ".vamas"),
    ),
    _of_module(
        "phi_spectra",
        "phi_spectra",
        "xps",
        "xps_spectra",
        "PHI MultiPak spectra (.spe) and sputter profiles (.pro)",
        (".pro", ".spe"),
    ),
    _of_module(
        "casaxps_text",
        "casaxps_text",
        "xps",
        "xps_spectra",
        "CasaXPS export (text, with background and components)",
        (".csv", ".txt"),
    ),
    _of_module("specs_xy", "specs_xy", "xps", "xps_spectra", "SPECS Prodigy export (text, .xy)", (".xy",)),
    _of_module("scienta_text", "scienta_text", "xps", "xps_spectra", "Scienta SES export (text)", (".txt",)),
    _of_module(
        "eds_spectra",
        "eds_spectra",
        "eds",
        "eds_spectra",
        "STEM-EDS spectrum image (bcf, hspy, emd, dm3, dm4)",
        (".bcf", ".hspy", ".emd", ".dm3", ".dm4"),
    ),
    _of_module(
        "eds_maps",
        "eds_maps",
        "eds",
        "eds_maps",
        "STEM-EDS map of one element (hspy)",
        (".hspy",),
    ),
    _of_module(
        "stem_scans",
        "stem_scans",
        "stem",
        "stem_scan",
        "4D-STEM scan (blo, mib, hspy)",
        (".blo", ".mib", ".hspy"),
    ),
    _of_module(
        "images",
        "images",
        "tem",
        "tem_image",
        "electron microscope image (dm3, dm4, emd, ser, mrc, tif, png, jpg)",
        (".dm3", ".dm4", ".emd", ".ser", ".mrc", ".tif", ".tiff", ".png", ".jpg", ".jpeg"),
    ),
    _of_module(
        "diffraction_patterns",
        "diffraction_patterns",
        "diffraction",
        "diffraction_pattern",
        "diffraction pattern of an area detector (edf, cbf, tif)",
        (".edf", ".cbf"),
    ),
    _of_module(
        "spectrum_tables",
        "spectrum_tables",
        "xps",
        "xps_spectra",
        "spectrum as a table (energy and intensity columns)",
        (".csv", ".txt", ".xy", ".dat", ".tsv"),
        generic=True,
    ),
)
