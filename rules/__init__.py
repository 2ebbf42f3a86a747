"""What should happen: the fact dictionary, policy documents, checks, compilers, explanation.

Pure. May import ``ledger``; no database, web, queue, clock, socket or random module.
"""
