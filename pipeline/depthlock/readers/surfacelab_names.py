"""Names of profiles in SurfaceLab exports: ions, sums of ions, and ratios of either.

SurfaceLab writes subscripts with an underscore and isotopes with a caret (``^118SnI_3-``). A sum of ions stands as
their names one after another, the last of them joined without a comma (``^206PbI_3-, ^207PbI_3-PbI_3-``): checked on
real files, where the values of such a profile are the sums of the single ones. Ratios are written ``a / ( b )``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ION = re.compile(r"[^\s,+-][^,+-]*[+-]\d*")


@dataclass(frozen=True)
class ProfileName:
    """What a profile's name means.

    Attributes
    ----------
    label : str
        Readable and unique by meaning: ``^118SnI3-``, ``^118SnI3- + SnI3-``, ``I2- / (^206PbI3- + PbI3-)``.
    kind : str
        ``total``, ``ion``, ``sum``, ``ratio`` or ``other``.
    ions : tuple of str
        Single ions of an ion or a sum; empty otherwise.
    """

    label: str
    kind: str
    ions: tuple[str, ...] = ()


def parse_name(written: str) -> ProfileName:
    """Read a profile's name as it stands in the file.

    Examples
    --------
    >>> parse_name("^118SnI_3-SnI_3-").label
    '^118SnI3- + SnI3-'
    >>> parse_name("Cs_2I_3- / ( CH_4N_2I- )")
    ProfileName(label='Cs2I3- / CH4N2I-', kind='ratio', ions=())
    """
    name = written.strip()
    if name.lower() in {"total", "total ion", "sum of rest"}:
        return ProfileName(name, "total" if name.lower().startswith("total") else "other")
    if " / " in name or name.startswith("1 /"):
        return ProfileName(_ratio(name), "ratio")
    ions = tuple(ion.replace("_", "") for ion in _ION.findall(name))
    if not ions or "".join(_ION.findall(name)) != re.sub(r",\s*", "", name):
        return ProfileName(name, "other")
    return ProfileName(" + ".join(ions), "ion" if len(ions) == 1 else "sum", ions)


def _ratio(name: str) -> str:
    """A ratio with its sums spelled out: the outermost ``/`` divides; brackets around a whole side fall away."""
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "(") - (letter == ")")
        if letter == "/" and depth == 0 and name[at - 1 : at + 2] == " / ":
            return f"{_side(name[: at - 1])} / {_side(name[at + 2 :])}"
    return name


def _side(text: str) -> str:
    text = text.strip()
    inner = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text
    if " / " in inner:
        return f"({_ratio(inner)})"
    parsed = parse_name(inner)
    return f"({parsed.label})" if parsed.kind == "sum" else parsed.label
