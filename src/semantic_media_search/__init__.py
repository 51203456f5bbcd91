"""Finds moments in a person's own pictures and videos from plain words, on their own machine.

Data flows one way: media -> ingest -> embeddings -> index -> search -> api, cli.
"""

__version__ = "0.1.0"
