"""HTTP in: the console, the command line.

May import every other room but ``wsgi``. Writes nothing itself: every change is a command
of ``engine.commands``.
"""
