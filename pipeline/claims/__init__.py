"""The claim logic: contract, decoding, enrichment, scoring, rejections.

Pure: no Beam and no Google client is imported here, and bad input is a value, never an exception.
"""
