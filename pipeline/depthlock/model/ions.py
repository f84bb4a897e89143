"""Secondary ions as formulas with charge: `SO2CF3-`, `^25MgF2-`, `MgF2-`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

ELECTRON_MASS = 5.485799090e-4
"""Mass of the electron in Da (CODATA 2018, rounded as in IUPAC tables)."""

_ION = re.compile(r"^(?P<formula>[A-Za-z0-9_^()\[\]]+?)(?P<sign>[+-])(?P<charge>\d*)$")
_ISOTOPE = re.compile(r"\^(\d+)([A-Z][a-z]?)")


@dataclass(frozen=True)
class Isotopologue:
    """One line of an ion's isotope pattern.

    Attributes
    ----------
    mass_number : int
        Sum of the nucleon numbers.
    mz : float
        m/z in Da, electron mass included.
    fraction : float
        Share of the ion's total at natural abundance.
    """

    mass_number: int
    mz: float
    fraction: float


@dataclass(frozen=True)
class Ion:
    """A secondary ion.

    Attributes
    ----------
    label : str
        As written in the session, for instance ``^25MgF2-``.
    formula : str
        In molmass' notation, isotopes in brackets.
    charge : int
        In elementary charges.
    mz : float
        m/z in Da of the named isotopologue; for elements without a named isotope the most abundant one.
    """

    label: str
    formula: str
    charge: int
    mz: float

    @classmethod
    def parse(cls, label: str) -> Ion:
        """Read a label such as ``SO2CF3-``, ``^25MgF2-``, ``Cs2+`` (one charge) or ``Ca+2``.

        Subscripts may be written with an underscore, as SurfaceLab does (``SnO_2-``).

        Raises
        ------
        ValueError
            When the label is no formula with a sign of charge, or names an unknown element or isotope.
        """
        return _parse(label.strip())

    @property
    def hill_formula(self) -> str:
        """Formula in Hill order without charge: equal for one composition, however it is written."""
        from molmass import Formula

        return str(Formula(self.formula.partition("_")[0]).formula)

    @property
    def elements(self) -> dict[str, int]:
        """Number of atoms an element; isotopes count as their element."""
        from molmass import Formula

        counts: dict[str, int] = {}
        for item in Formula(self.formula).composition().values():
            if item.symbol != "e-":
                symbol = re.sub(r"^\d+", "", item.symbol)
                counts[symbol] = counts.get(symbol, 0) + int(item.count)
        return counts

    def isotopologues(self, minimum: float = 1e-3) -> tuple[Isotopologue, ...]:
        """The pattern at natural abundance, one line a mass number, above `minimum` of the strongest."""
        from molmass import Formula

        spectrum = Formula(self.formula).spectrum()
        # molmass lists neutral-formula mass numbers; its masses already hold the charge's electrons.
        lines = [
            Isotopologue(int(number), float(line.mass) / abs(self.charge), float(line.fraction))
            for number, line in spectrum.items()
        ]
        strongest = max(line.fraction for line in lines)
        return tuple(line for line in lines if line.fraction >= minimum * strongest)


@lru_cache(maxsize=4096)
def _parse(label: str) -> Ion:
    from molmass import Formula, FormulaError

    found = _ION.match(label)
    if found is None:
        raise ValueError(f"'{label}' is no ion; expected a formula with its charge, such as 'SO2CF3-' or '^25MgF2-'")
    neutral = _ISOTOPE.sub(r"[\1\2]", found["formula"]).replace("_", "")
    charge = int(found["charge"] or 1) * (1 if found["sign"] == "+" else -1)
    try:
        # The neutral formula is weighed and the electrons are added by hand, so that the sign convention is ours.
        mass = float(Formula(neutral).isotope.mass)
    except (FormulaError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"'{label}' is no ion: {reason}; expected a formula such as 'SO2CF3-'") from None
    suffix = "+" if charge > 0 else "-"
    return Ion(label, f"{neutral}_{abs(charge)}{suffix}", charge, (mass - charge * ELECTRON_MASS) / abs(charge))
