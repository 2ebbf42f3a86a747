"""Sends out: e-mail and the mailbox folder. The only room that opens sockets outward.

May import ``ledger``. Knows nothing of the database: it gets values and gives results.
"""
