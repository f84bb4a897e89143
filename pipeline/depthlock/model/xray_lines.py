"""Energies of characteristic X-ray lines, and their weights within a family (the lines of one shell).

From the table of exspy 0.3.2 (GPL-3): energies of Chantler et al., X-ray Form Factor, Attenuation and Scattering Tables
2.1 (NIST, Gaithersburg, 2005), weights of NIST's EPQ library. Lines below 5 % of their family's strongest, and K lines
above 25 keV, are left out. Weights of L lines of light elements (Ca to Zn) are rough: they depend on the chemical bond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator


def _check_element(name: str) -> str:
    """Return a symbol, or tell the nearest one."""
    import difflib

    from molmass import ELEMENTS

    symbols = [element.symbol for element in ELEMENTS]
    if name in symbols:
        return name
    near = difflib.get_close_matches(name.capitalize(), symbols, 1, 0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"'{name}' is no chemical element; expected a symbol such as F or Mg{hint}")


Element = Annotated[str, AfterValidator(_check_element)]
"""Symbol of a chemical element."""


@dataclass(frozen=True)
class LineFamily:
    """The lines of one shell of an element, which rise and fall together.

    Attributes
    ----------
    element : str
        Symbol.
    shell : str
        K, L or M.
    names : tuple of str
        Ka, Kb ...; the family's own line first.
    energies : tuple of float
        In keV.
    weights : tuple of float
        Shares of the family's counts; they add up to 1.
    """

    element: str
    shell: str
    names: tuple[str, ...]
    energies: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def label(self) -> str:
        """For instance ``V Ka``."""
        return f"{self.element} {self.names[0]}"


@lru_cache(maxsize=1)
def line_families() -> dict[str, tuple[LineFamily, ...]]:
    """All families by element, K before L before M."""
    table: dict[str, tuple[LineFamily, ...]] = {}
    for row in _TABLE.strip().splitlines():
        element, _, lines = row.partition(": ")
        table[element] = (*table.get(element, ()), _family(element, lines))
    return table


def _family(element: str, text: str) -> LineFamily:
    names, energies, weights = [], [], []
    for line in text.split(","):
        name, value = line.split()
        energy, _, weight = value.partition("*")
        names.append(name)
        energies.append(float(energy))
        weights.append(float(weight or 1.0))
    total = sum(weights)
    return LineFamily(element, names[0][0], tuple(names), tuple(energies), tuple(weight / total for weight in weights))


_TABLE = """
Be: Ka 0.10258
B: Ka 0.1833
C: Ka 0.2774
N: Ka 0.3924
O: Ka 0.5249
F: Ka 0.6768
Na: Ka 1.041
Mg: Ka 1.2536
Al: Ka 1.4865
Si: Ka 1.7397
P: Ka 2.0133
S: Ka 2.3072, Kb 2.4643*0.065
Cl: Ka 2.6224, Kb 2.8156*0.084
Ar: Ka 2.9577, Kb 3.1905*0.1
K: Ka 3.3138, Kb 3.5896*0.1
Ca: Ka 3.6917, Kb 4.0127*0.11
Sc: Ka 4.0906, Kb 4.4605*0.13
Sc: La 0.4022*0.31, Ll 0.3484, Ln 0.3529*0.49
Ti: Ka 4.5109, Kb 4.9318*0.12
Ti: La 0.4555*0.69, Ll 0.3952, Ln 0.4012*0.49, Lb3 0.5291*0.17
V: Ka 4.9522, Kb 5.4273*0.12
V: La 0.5129, Ll 0.4464*0.57, Ln 0.454*0.28
Cr: Ka 5.4147, Kb 5.9467*0.13
Cr: La 0.5722, Ll 0.5004*0.69, Ln 0.5096*0.24
Mn: Ka 5.8987, Kb 6.4904*0.13
Mn: La 0.63316, Ll 0.5564*0.39, Ln 0.5675*0.19
Fe: Ka 6.4039, Kb 7.058*0.13
Fe: La 0.7045, Ll 0.6152*0.31, Ln 0.6282*0.13
Co: Ka 6.9303, Kb 7.6494*0.13
Co: La 0.7757, Ll 0.6779*0.22, Ln 0.6929*0.083
Ni: Ka 7.4781, Kb 8.2647*0.13
Ni: La 0.8511, Lb1 0.8683*0.17, Ll 0.7429*0.14, Ln 0.7601*0.097
Cu: Ka 8.0478, Kb 8.9053*0.13
Cu: La 0.9295, Ll 0.8113*0.084
Zn: Ka 8.6389, Kb 9.572*0.13
Zn: La 1.0116, Lb1 1.0347*0.17, Ll 0.8838*0.06
Ga: Ka 9.2517, Kb 10.264*0.13
Ga: La 1.098, Lb1 1.1249*0.17, Ll 0.9573*0.054
Ge: Ka 9.8864, Kb 10.982*0.13
Ge: La 1.188, Lb1 1.2191*0.17, Ll 1.0367*0.051
As: Ka 10.544, Kb 11.726*0.15
As: La 1.2819, Lb1 1.3174*0.17
Se: Ka 11.222, Kb 12.496*0.15
Se: La 1.3791, Lb1 1.4195*0.39
Br: Ka 11.924, Kb 13.292*0.15
Br: La 1.4809, Lb1 1.5259*0.39
Rb: Ka 13.395, Kb 14.961*0.16
Rb: La 1.6941, Lb1 1.7521*0.39
Sr: Ka 14.165, Kb 15.835*0.15
Sr: La 1.8065, Lb1 1.8718*0.38
Y: Ka 14.958, Kb 16.738*0.15
Y: La 1.9226, Lb1 1.9959*0.39, Lb3 2.0722*0.051
Zr: Ka 15.775, Kb 17.667*0.15
Zr: La 2.0423, Lb1 2.1243*0.38, Lb3 2.2011*0.052
Nb: Ka 16.615, Kb 18.623*0.15
Nb: La 2.1659, Lb1 2.2573*0.33, Lb3 2.3347*0.064
Mo: Ka 17.479, Kb 19.607*0.15
Mo: La 2.2932, Lb1 2.3948*0.33, Lb3 2.4732*0.063
Ru: Ka 19.279, Kb 21.657*0.15
Ru: La 2.5585, Lb1 2.6833*0.33, Lb2 2.8359*0.073, Lb3 2.7634*0.065
Rh: Ka 20.216, Kb 22.724*0.15
Rh: La 2.6968, Lb1 2.8344*0.33, Lb2 3.0013*0.085, Lb3 2.9157*0.067
Pd: Ka 21.177, Kb 23.819*0.15
Pd: La 2.8386, Lb1 2.9903*0.34, Lb2 3.1683*0.1, Lb3 3.0728*0.068
Ag: Ka 22.163, Kb 24.943*0.15
Ag: La 2.9844, Lb1 3.1509*0.35, Lb2 3.3478*0.12, Lb3 3.2344*0.074
Cd: Ka 23.174, Kb 26.095*0.15
Cd: La 3.1338, Lb1 3.3165*0.36, Lb2 3.5282*0.13, Lb3 3.4015*0.077
In: Ka 24.21, Kb 27.276*0.15
In: La 3.287, Lb1 3.4872*0.36, Lb2 3.7139*0.14, Lb3 3.5732*0.088, Lb4 3.5353*0.053
Sn: La 3.444, Lb1 3.6628*0.43, Lb3 3.7503*0.15, Lb2 3.9049*0.15, Lb4 3.7083*0.095, Lg1 4.1322*0.058
Sb: La 3.6047, Lb1 3.8435*0.43, Lb2 4.1008*0.16, Lb3 3.9327*0.15, Lb4 3.8864*0.093, Lg1 4.349*0.061
Te: La 3.7693, Lb1 4.0295*0.43, Lb2 4.3016*0.16, Lb3 4.1205*0.15, Lb4 4.0695*0.091, Lg1 4.5722*0.064
I: La 3.9377, Lb1 4.2208*0.43, Lb2 4.5075*0.17, Lb3 4.3135*0.15, Lb4 4.2576*0.092, Lg1 4.8025*0.067
Cs: La 4.2864, Lb1 4.6199*0.43, Lb2 4.9354*0.2, Lb3 4.7167*0.14, Lb4 4.6493*0.089, Lg1 5.2806*0.072
Ba: La 4.4663, Lb1 4.8275*0.43, Lb2 5.1571*0.19, Lb3 4.9266*0.14, Lb4 4.8521*0.089, Lg1 5.5311*0.075
La: La 4.651, Lb1 5.0421*0.43, Lb2 5.3838*0.2, Lb3 5.1429*0.13, Lb4 5.0619*0.087, Lg1 5.7917*0.077
La: Ma 0.8173, Mb 0.8162*0.9, Mg 1.0245*0.4, Mz 0.6403*0.06
Ce: La 4.8401, Lb1 5.2629*0.43, Lb2 5.6134*0.19, Lb3 5.3634*0.13, Lb4 5.276*0.087, Lg1 6.0542*0.076
Ce: Ma 0.8455, Mb 0.8154*0.91, Mg 1.0754*0.5, M2N4 1.1628*0.08, Mz 0.6761*0.07
Pr: La 5.0333, Lb1 5.4893*0.43, Lb2 5.8511*0.2, Lb3 5.5926*0.13, Lb4 5.4974*0.086, Lg1 6.3272*0.077
Pr: Ma 0.8936, Mb 0.9476*0.85, Mg 1.129*0.6, Mz 0.7134*0.068, M2N4 1.2242*0.055
Nd: La 5.2302, Lb1 5.722*0.43, Lb2 6.0904*0.2, Lb3 5.8286*0.13, Lb4 5.7232*0.086, Lg1 6.604*0.077
Nd: Ma 0.9402, Mb 0.9965*0.99, Mg 1.1799*0.62, Mz 0.7531*0.069, M2N4 1.2853*0.052
Sm: La 5.636, Lb1 6.2058*0.44, Lb2 6.5872*0.2, Lb3 6.317*0.13, Lb4 6.1961*0.087, Lg1 7.1828*0.08
Sm: Ma 1.0428, Mb 1.1005*0.88, Mg 1.2908*0.26, Mz 0.8328*0.06
Eu: La 5.846, Lb1 6.4565*0.44, Lb2 6.8437*0.2, Lb3 6.5714*0.13, Lb4 6.4381*0.087, Lg1 7.4839*0.081
Eu: Ma 1.0991, Mb 1.1577*0.87, Mg 1.3474*0.26, Mz 0.8743*0.06
Gd: La 6.0576, Lb1 6.7131*0.44, Lb2 7.1023*0.2, Lb3 6.8316*0.13, Lb4 6.6873*0.088, Lg1 7.7898*0.082
Gd: Ma 1.1767, Mb 1.2079*0.88, Mg 1.4035*0.26, Mz 0.9143*0.06
Tb: La 6.2728, Lb1 6.9766*0.44, Lb2 7.367*0.2, Lb3 7.0967*0.12, Lb4 6.9403*0.087, Lg1 8.1046*0.082
Tb: Ma 1.2326, Mb 1.2656*0.78, Mg 1.4643*0.26, Mz 0.9562*0.06
Dy: La 6.4952, Lb1 7.2481*0.44, Lb2 7.6359*0.2, Lb3 7.3702*0.13, Lb4 7.204*0.089, Lg1 8.4264*0.083
Dy: Ma 1.2907, Mb 1.3283*0.76, Mg 1.5214*0.085, Mz 1.002*0.06
Ho: La 6.7197, Lb1 7.5263*0.45, Lb2 7.9101*0.24, Lb4 7.4714*0.09, Lg1 8.7568*0.084, Lb3 7.653*0.06
Ho: Ma 1.3477, Mz 1.0448*0.66, Mb 1.3878*0.59, Mg 1.5802*0.14, M2N4 1.7618*0.072
Er: La 6.9486, Lb1 7.811*0.45, Lb2 8.1903*0.2, Lb3 7.9395*0.13, Lb4 7.7455*0.092, Lg1 9.0876*0.085
Er: Ma 1.405, Mb 1.449*0.59, Mg 1.6442*0.085, Mz 1.0893*0.06
Tm: La 7.1803, Lb1 8.1023*0.46, Lb2 8.4684*0.2, Lb3 8.2312*0.13, Lb4 8.0259*0.094, Lg1 9.4373*0.086
Tm: Ma 1.4624, Mb 1.5093*0.59, Mg 1.7049*0.085, Mz 1.1311*0.06
Yb: La 7.4158, Lb1 8.4019*0.46, Lb2 8.7587*0.2, Lb3 8.5366*0.13, Lb4 8.3134*0.096, Lg1 9.7801*0.087
Yb: Ma 1.5215, Mb 1.57*0.59, Mg 1.7649*0.085, Mz 1.1843*0.06
Lu: La 7.6556, Lb1 8.7092*0.47, Lb2 9.0491*0.2, Lb3 8.8468*0.13, Lb4 8.6069*0.1, Lg1 10.144*0.09, Ll 6.7529*0.05
Lu: Ma 1.5816, Mb 1.6325*0.59, Mg 1.8286*0.085, Mz 1.2292*0.06
Hf: La 7.899, Lb1 9.023*0.46, Lb2 9.347*0.2, Lb3 9.1631*0.13, Lb4 8.9053*0.1, Lg1 10.516*0.09, Ll 6.9598*0.051
Hf: Ma 1.6446, Mb 1.6993*0.59, Mg 1.8939*0.085, Mz 1.2813*0.06
Ta: La 8.146, Lb1 9.3429*0.46, Lb2 9.6518*0.21, Lb3 9.4875*0.13, Lb4 9.2128*0.1, Lg1 10.895*0.091, Ll 7.1731*0.051
Ta: Ma 1.7101, Mb 1.7682*0.59, Mg 1.9647*0.085
W: La 8.3976, Lb1 9.6724*0.37, Lb2 9.9614*0.21, Lb3 9.8188*0.071, Lg1 11.285*0.057, Lb4 9.5249*0.056
W: Ma 1.7756, Mb 1.8351*0.59, Mg 2.0356*0.085
Re: La 8.6524, Lb1 10.01*0.44, Lb2 10.275*0.21, Lb3 10.159*0.12, Lb4 9.8451*0.099, Lg1 11.685*0.089, Ll 7.6036*0.053
Re: Ma 1.8423, Mb 1.9083*0.59, Mg 2.1071*0.085
Os: La 8.9108, Lb1 10.354*0.43, Lb2 10.598*0.21, Lb3 10.511*0.1, Lg1 12.096*0.088, Lb4 10.176*0.084, Ll 7.8224*0.054
Os: Ma 1.9138, Mb 1.9845*0.59, Mg 2.1844*0.085
Ir: La 9.1748, Lb1 10.708*0.42, Lb2 10.92*0.22, Lb3 10.868*0.087, Lg1 12.513*0.085, Lb4 10.51*0.073, Ll 8.0415*0.054
Ir: Ma 1.9799, Mb 2.0527*0.59, Mg 2.2558*0.085
Pt: La 9.4421, Lb1 11.071*0.41, Lb2 11.25*0.22, Lg1 12.942*0.084, Lb3 11.235*0.078, Lb4 10.853*0.066, Ll 8.2677*0.055
Pt: Ma 2.0505, Mb 2.1276*0.59, Mg 2.3321*0.085
Au: La 9.713, Lb1 11.443*0.4, Lb2 11.585*0.22, Lg1 13.382*0.084, Lb3 11.61*0.069, Lb4 11.205*0.059, Ll 8.4938*0.056
Au: Ma 2.1229, Mb 2.2047*0.59, Mg 2.4091*0.085
Hg: La 9.989, Lb1 11.824*0.4, Lb2 11.924*0.22, Lg1 13.83*0.083, Lb3 11.992*0.065, Ll 8.7223*0.057, Lb4 11.561*0.057
Hg: Ma 2.1964, Mb 2.2827*0.64, Mg 2.4873*0.085
Tl: La 10.268, Lb1 12.213*0.39, Lb2 12.271*0.22, Lg1 14.291*0.083, Lb3 12.39*0.061, Ll 8.9534*0.058, Lb4 11.931*0.054
Tl: Ma 2.2708, Mb 2.3623*0.64, Mg 2.5704*0.22
Pb: La 10.551, Lb1 12.614*0.38, Lb2 12.622*0.22, Lg1 14.765*0.083, Lb3 12.794*0.06, Ll 9.1845*0.059, Lb4 12.307*0.055
Pb: Ma 2.3459, Mb 2.4427*0.64, Mg 2.6535*0.22
Bi: La 10.839, Lb1 13.024*0.4, Lb2 12.979*0.23, Lg1 15.248*0.08, Lb3 13.211*0.061, Ll 9.4195*0.06, Lb4 12.691*0.056
Bi: Ma 2.4222, Mb 2.5257*0.64, Mg 2.7369*0.22
Th: La 12.968, Lb1 16.202*0.4, Lb2 15.624*0.24, Lg1 18.979*0.08, Ll 11.118*0.067, Lb3 16.426*0.06, Lb4 15.642*0.05
Th: Ma 2.9968, Mb 3.1464*0.64, Mg 3.3697*0.34
U: La 13.615, Lb1 17.22*0.4, Lb2 16.429*0.24, Lg1 20.167*0.08, Ll 11.618*0.069, Lb3 17.454*0.06
U: Ma 3.1708, Mb 3.3363*0.61, Mg 3.5657*0.34
"""
"""One family a row: element, and its lines with their energy in keV and, where it is not 1, their weight."""
