"""The look that all figures share: sizes, fonts, and one colour a species through every technique."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROLE_COLOURS = {
    "organic": ("#d95f02", "#e6ab02", "#a6761d"),
    "inorganic": ("#1f78b4", "#35a8a8", "#5e4fa2"),
    "substrate": ("#4d4d4d", "#8c8c8c", "#b0a090"),
    "other": ("#7b9e3b", "#b05a9c", "#c44e52", "#64b5cd", "#937860", "#8172b3"),
}
"""Colours by what a species stands for; told apart also by colour-blind readers and in print."""

COLUMN = 3.35
"""Width in inches of a journal's column (85 mm)."""

PAGE = 7.0
"""Width in inches of a journal's page (178 mm)."""

SETTINGS: Any = {
    "font.size": 8.0,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "figure.dpi": 160,
    "savefig.dpi": 220,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "depthlock",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib settings of depthlock's figures, for the block only."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def colours(names: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
    """One colour a name, from the palette of its role, in the order given."""
    used: dict[str, int] = {}
    chosen = {}
    for name, role in zip(names, roles, strict=True):
        palette = ROLE_COLOURS.get(role, ROLE_COLOURS["other"])
        chosen[name] = palette[used.get(role, 0) % len(palette)]
        used[role] = used.get(role, 0) + 1
    return chosen


def pretty_ion(label: str) -> str:
    r"""An ion as a chemist prints it: ``^25MgF2-`` becomes ``$^{25}$MgF$_{2}^{-}$``."""
    import re

    found = re.fullmatch(r"(.+?)([+-]\d*)", label)
    if found is None:
        return label
    body = re.sub(r"\^(\d+)", r"$^{\1}$", found[1])
    body = re.sub(r"(?<=[A-Za-z\])])_?(\d+)", r"$_{\1}$", body)
    return f"{body}$^{{{found[2].replace('-', '−')}}}$"


def species_group(name: str, technique: str) -> str:
    """What a species of a `depth_profile` is drawn with: all ions, all elements, or the states of one core level."""
    titles = {"tofsims": "TOF-SIMS", "eds": "STEM-EDS"}
    return titles.get(technique) or f"XPS {name.partition('/')[0]}"


def species_label(name: str) -> str:
    """A species as a legend tells it: an ion as chemists print it, an element without its technique."""
    return name if "/" in name else pretty_ion(name.removeprefix("EDS "))


def panel_letter(axes: Axes, letter: str) -> None:
    """Mark a panel with its letter, as journals ask."""
    axes.text(-0.02, 1.03, letter, transform=axes.transAxes, fontweight="bold", fontsize=10, ha="right", va="bottom")
