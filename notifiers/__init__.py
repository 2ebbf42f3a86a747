"""Sends out: e-mail, letters on paper, the mailbox and the print folder. The only room that opens sockets outward.

May import ``ledger``. Knows nothing of the database: it gets values and gives results.
"""
