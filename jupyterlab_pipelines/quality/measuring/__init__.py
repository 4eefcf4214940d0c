"""Measuring: from values in memory to `Statistics`, exactly and once.

One sort for each column of numbers or times, one hash of each column of text; everything else is
looked up in what these leave. numpy and pyarrow let other threads run meanwhile.
"""
