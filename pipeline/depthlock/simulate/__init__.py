"""Forward models of each technique with exact truth, written in the instruments' own formats.

The simulator shares no code with the analysis it tests: masses, shapes and writers are its own.
"""
