"""The version of allthing: the only place that says it; a test holds CHANGELOG and image to it."""

__version__ = "0.2.0"
