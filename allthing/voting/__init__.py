"""Voting: what makes a ballot acceptable, and how it is stored exactly once."""
