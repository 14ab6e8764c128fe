"""Figures: `python -m tests.benchmarks`. What they were on one machine, and why, is in docs/performance.md."""
