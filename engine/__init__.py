"""I/O: database, runs, decisions, commands, outbox, audit, access, tasks.

May import ``ledger``, ``rules``, ``scoring`` and ``notifiers``. The only room with a clock
(``engine.runtime``), and ``engine.frames`` is the only module that knows Polars.
"""
