"""What is owed: reading files, posting, customer state, ageing.

Pure: imports no other room, no database, web, queue, clock, socket or random module;
the day is a parameter. Frames are narwhals LazyFrames and are never read, written or
collected here.
"""
