"""I/O: database, runs, decisions, commands, outbox, audit, access, tasks.

May import ``ledger``, ``rules``, ``scoring`` and ``notifiers``. The only room with a clock
(``engine.runtime``), and only ``engine.frames``, ``engine.kept_frames`` and ``engine.ready_plans``
know Polars.
"""
