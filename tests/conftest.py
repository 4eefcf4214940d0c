"""Shared by all tests; standing here it also makes `fake_project` importable from every folder below."""
