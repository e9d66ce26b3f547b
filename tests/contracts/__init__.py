"""Promises written once, and held against every implementation: fake, real and ours."""
