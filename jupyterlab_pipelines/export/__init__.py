"""The notebook becomes a production pipeline that needs neither the notebook nor this package.

::

    Pipeline ── joining ──→ parts ── functions ──→ Export ── a target's Exporter ──→ files

`joining` says which steps must be one function, so that the answer stays right; `functions` turns cells into
typed Python functions and shared modules; `package` writes the package that all targets have in common; each
engine is one more file beside it (see `base`). What the package does when it runs stands in ``template/``: plain
modules that are copied as they are.
"""
