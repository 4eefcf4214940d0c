"""Modules of every exported package, copied as they are.

They import nothing of this program, and of each other only by relative imports. ``pipeline.py``, ``steps.py`` and
``parameters.py`` stand here with an example in them, so that the whole can be checked and tested as one package;
an export writes its own.
"""
