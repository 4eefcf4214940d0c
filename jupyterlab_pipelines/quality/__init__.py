"""The quality room: numbers about tables, what is expected of them, and what is odd.

::

    table ── statistics.measure ──▶ Statistics ─┐
                                                ├─ anomalies.find ──▶ [Anomaly]
    reference Statistics ── schema.infer ──▶ Schema

`statistics.py`, `schema.py`, `drift.py` and `anomalies.py` work on documents with the standard library
alone, so a server may import them; whatever touches a table (`measuring/`, `tables.py`, `checks.py`,
`slices.py`) imports pandas, numpy or pyarrow when it is called.
"""
