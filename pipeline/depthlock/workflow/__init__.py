"""From a session to its results: the stage table, the plan of jobs, their execution by Snakemake, and provenance."""
