"""How likely a customer is to pay late: features, learning, calibration, reasons.

Pure. May import ``ledger``; no database, web, queue, clock or socket.
"""
