"""The commands of a person beside what is deployed."""

from tests.cli.conftest import airworthy, folder

__all__ = ["airworthy", "folder"]
