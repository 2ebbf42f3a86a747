"""Settings -> runtime -> app and queue.

``gunicorn wsgi:app`` serves the console, ``huey_consumer wsgi.huey`` works. ``dunwell serve`` and
``dunwell work`` start both with the right options.
"""

import os
import sys

from admin.app import create_app
from engine import runtime as composition
from engine.settings import Settings
from engine.tasks import make_huey

settings, problems = Settings.from_environment(os.environ)
if problems:
    sys.exit("\n".join(f"{p.place} {p.what}. Cure: {p.cure}" for p in problems))

runtime = composition.build(settings)
huey = make_huey(runtime)
app = create_app(runtime)
composition.settle()
