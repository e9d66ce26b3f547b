"""The embedded defaults: the YAML files of this directory, installed as package data."""
