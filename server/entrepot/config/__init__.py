"""YAML to typed settings; every mistake at once, each with its place in the file."""

from entrepot.config.addresses import DIRECT, Address
from entrepot.config.clients import (
    AdminSettings,
    AuthSettings,
    ClientSettings,
    ListenSettings,
    TlsSettings,
)
from entrepot.config.credentials import Credentials
from entrepot.config.limits import Allowance, BandwidthRule, Hours, LimitSettings
from entrepot.config.loading import (
    SYSTEM_FILE,
    default_path,
    load_settings,
    load_whereabouts,
    preset_path,
    written_registry,
)
from entrepot.config.mirrors import MirrorSettings, TagRuleSettings
from entrepot.config.problems import ConfigError, Problem
from entrepot.config.reloading import Reloaded, applicable
from entrepot.config.routes import RedirectRule
from entrepot.config.settings import (
    CacheSettings,
    CompatibilitySettings,
    LogSettings,
    RegistrySettings,
    Settings,
    TagSettings,
    TimeoutSettings,
)
from entrepot.config.trust import TrustSettings

__all__ = [
    "DIRECT",
    "SYSTEM_FILE",
    "Address",
    "AdminSettings",
    "Allowance",
    "AuthSettings",
    "BandwidthRule",
    "CacheSettings",
    "ClientSettings",
    "CompatibilitySettings",
    "ConfigError",
    "Credentials",
    "Hours",
    "LimitSettings",
    "ListenSettings",
    "LogSettings",
    "MirrorSettings",
    "Problem",
    "RedirectRule",
    "RegistrySettings",
    "Reloaded",
    "Settings",
    "TagRuleSettings",
    "TagSettings",
    "TimeoutSettings",
    "TlsSettings",
    "TrustSettings",
    "applicable",
    "default_path",
    "load_settings",
    "load_whereabouts",
    "preset_path",
    "written_registry",
]
