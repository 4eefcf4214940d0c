"""Imported by the process that the others are forked from: what all of them need is done once."""

from tests.truth import shell

shell.start()
