"""Simulation: what a change would do to the whole portfolio. It writes nothing and is never wrong."""
