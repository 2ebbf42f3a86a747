"""Translations of the console: one catalog a language, brought up to date by ``make words``."""
