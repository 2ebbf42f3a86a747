"""The demo: a made-up year, taken in and decided day by day through the product's own doors."""

from engine.demo.building import Built, build, next_day
from engine.demo.place import Login, logins

__all__ = ["Built", "Login", "build", "logins", "next_day"]
