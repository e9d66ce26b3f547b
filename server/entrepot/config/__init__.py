"""YAML to typed settings; every mistake at once, each with its place in the file."""

from entrepot.config.addresses import Address
from entrepot.config.credentials import Credentials
from entrepot.config.mirrors import MirrorSettings, TagRuleSettings
from entrepot.config.settings import (
    CacheSettings,
    CompatibilitySettings,
    ListenSettings,
    LogSettings,
    RegistrySettings,
    Settings,
    TagSettings,
    TimeoutSettings,
)

__all__ = [
    "Address",
    "CacheSettings",
    "CompatibilitySettings",
    "Credentials",
    "ListenSettings",
    "LogSettings",
    "MirrorSettings",
    "RegistrySettings",
    "Settings",
    "TagRuleSettings",
    "TagSettings",
    "TimeoutSettings",
]
