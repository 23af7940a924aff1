"""Where things lie: the banks and demos of the app, and the user's own folders."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder of content: inside the package in a wheel, beside it in a checkout or an editable installation."""
    inside = PACKAGE / "_data" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def demo_folder() -> Path:
    """The installed catalog of demos; nothing else is ever run."""
    return _shipped("demos")


def bank_folder() -> Path:
    """The folder of banks: the installed one, or the one that DLQUIZ_BANK names."""
    chosen = os.environ.get("DLQUIZ_BANK")
    return Path(chosen) if chosen else _shipped("questions")


def cache_folder() -> Path:
    """Where what can be rebuilt is kept: `$DLQUIZ_HOME/cache`, else the platform's cache folder."""
    home = os.environ.get("DLQUIZ_HOME")
    if home:
        return Path(home) / "cache"
    import platformdirs

    return Path(platformdirs.user_cache_dir("dlquiz", appauthor=False))


def data_folder() -> Path:
    """Where what must not be lost is kept: `$DLQUIZ_HOME/data`, else the platform's folder for user data."""
    home = os.environ.get("DLQUIZ_HOME")
    if home:
        return Path(home) / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir("dlquiz", appauthor=False))


def config_file() -> Path:
    """Where keys and looks can be set: `$DLQUIZ_HOME/config.toml`, else in the platform's folder for settings."""
    home = os.environ.get("DLQUIZ_HOME")
    if home:
        return Path(home) / "config.toml"
    import platformdirs

    return Path(platformdirs.user_config_dir("dlquiz", appauthor=False)) / "config.toml"
