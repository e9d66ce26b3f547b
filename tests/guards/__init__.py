"""What `tests/conftest.py` watches every test with."""
