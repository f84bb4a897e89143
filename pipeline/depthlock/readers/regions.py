"""Names of XPS regions: `F1s`, `F 1s Scan` and `f1s_2` are all `F 1s`."""

from __future__ import annotations

import re

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt "
    "Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U"
)
ELEMENTS = frozenset(_SYMBOLS.split())

SURVEY = "survey"
VALENCE_BAND = "valence band"

#: A window this wide (eV) without a name of its own is a survey.
SURVEY_WIDTH = 400.0

#: Binding energies (eV) of the stronger line of common levels, to about 5 eV (X-ray Data Booklet, LBNL, 2009,
#: table 1-1): only to notice that an axis cannot be a binding energy, never to measure.
NOMINAL = {
    "Li 1s": 55, "B 1s": 188, "C 1s": 285, "N 1s": 400, "O 1s": 531, "F 1s": 686, "Na 1s": 1072, "Mg 1s": 1304,
    "Mg 2s": 89, "Mg 2p": 50, "Al 2p": 73, "Si 2p": 100, "P 2p": 133, "S 2p": 164, "Cl 2p": 200, "K 2p": 294,
    "Ca 2p": 347, "Ti 2p": 457, "V 2p": 515, "Cr 2p": 575, "Mn 2p": 640, "Fe 2p": 708, "Co 2p": 779, "Ni 2p": 854,
    "Cu 2p": 933, "Zn 2p": 1022, "Mo 3d": 229, "Ag 3d": 368, "Sn 3d": 486, "I 3d": 620, "W 4f": 32, "Pt 4f": 71,
    "Au 4f": 84, "Pb 4f": 138,
}  # fmt: skip

_LEVEL = re.compile(
    r"(?<![A-Za-z])([A-Za-z]{1,2})[\s_-]*([1-7])\s*([spdf])(?![a-rt-z])(?:\s*([1357])(?:\s*/\s*2)?)?", re.IGNORECASE
)
_AUGER = re.compile(r"(?<![A-Za-z])([A-Z][a-z]?)[\s_-]*([KLMNO])([KLMNOV1-5]{2,})(?![A-Za-z])")
_SURVEY = re.compile(
    r"^(xps[\s_-]*)?(survey|wide|su1s|sur|sur1|overview|full)(?![a-z])|survey|wide\s*scan", re.IGNORECASE
)
_VALENCE = re.compile(r"valence|^\s*vb(?![a-z])", re.IGNORECASE)
_EMPTY = re.compile(
    r"^\s*(none|not specified|unknown|unnamed|region|spectrum|block|data|\d+|)\s*(no\.?\s*\d+)?\s*$", re.IGNORECASE
)


def _core_levels(text: str) -> list[str]:
    levels: list[str] = []
    for match in _LEVEL.finditer(text):
        element = match.group(1).capitalize()
        shell, orbital = match.group(2), match.group(3).lower()
        if element not in ELEMENTS:
            continue
        name = f"{element} {shell}{orbital}"
        if name not in levels:
            levels.append(name)
    return levels


def normalise_region(
    text: str,
    *,
    species: str = "",
    transition: str = "",
    limits: tuple[float, float] | None = None,
) -> str:
    """Return the region's name as the rest of depthlock writes it.

    Parameters
    ----------
    text
        The name in the file: a block identifier, a file name, a label.
    species, transition
        The element and the level, where the format has fields for them (``"F"``, ``"1s"``); they are taken before
        `text` if they name a core level.
    limits
        Lowest and highest binding energy (eV); an unnamed window wider than :data:`SURVEY_WIDTH` is a survey, and a
        narrower one is named by its limits.

    Returns
    -------
    str
        ``"F 1s"``; several core levels in one window joined by ``" + "``; ``"survey"``; ``"valence band"``; an Auger
        line as ``"O KLL"``; otherwise the text itself. Spin-orbit partners are not told apart: ``"V2p3/2"`` is
        ``"V 2p"``, because the window's name says what was aimed at and not what is in it.
    """
    pair = f"{species.strip()} {transition.strip()}".strip()
    for candidate in (pair, text):
        if _SURVEY.search(candidate.strip()):
            return SURVEY
        levels = _core_levels(candidate)
        if levels:
            return " + ".join(levels)
    for candidate in (text, pair):
        auger = _AUGER.search(candidate)
        if auger and auger.group(1) in ELEMENTS:
            return f"{auger.group(1)} {auger.group(2)}{auger.group(3)}"
        if _VALENCE.search(candidate):
            return VALENCE_BAND
    cleaned = re.sub(r"\s+", " ", text).strip()
    if _EMPTY.match(cleaned) or cleaned.lower() in {"counts per second", "intensity"}:
        if pair and not _EMPTY.match(pair):
            return re.sub(r"\s+", " ", pair)
        if limits is not None:
            low, high = limits
            return SURVEY if high - low >= SURVEY_WIDTH else f"{low:.1f}-{high:.1f} eV"
    return cleaned
