"""The version of allthing; where else it is said, a test compares it with this."""

__version__ = "0.2.0"
