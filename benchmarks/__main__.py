from __future__ import annotations

import sys

from benchmarks import doublets, event_store, itm, tem, xps

BENCHMARKS = {
    "event_store": event_store.conversion,
    "itm": itm.against_pyspm,
    "tem": tem.images,
    "tem_large": tem.large_image,
    "xps_batch": xps.independent_spectra,
    "xps_levels": xps.levels_together,
    "xps_doublets": doublets.doublets,
}

ON_REQUEST = ("tem_large",)
"""What takes more memory than many a machine has."""


def main() -> int:
    wanted = sys.argv[1:] or [name for name in BENCHMARKS if name not in ON_REQUEST]
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"{name}: {BENCHMARKS[name].__doc__}")
        for line in BENCHMARKS[name]():
            print(f"  {line}")
    return 0


raise SystemExit(main())
