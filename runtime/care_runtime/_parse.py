"""Reader: takes keys out of a description and says where one is missing or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from care_runtime.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUIRED: Any = object()


class Reader:
    """Reads one mapping of a description, key by key.

    Parameters
    ----------
    values
        The mapping.
    where
        What it is, in words, for errors.
    strict
        Whether `done` objects to keys that nobody asked for.
    """

    def __init__(
        self, values: Mapping[str, Any], where: str, *, strict: bool = False
    ) -> None:
        self.values, self.where, self.strict = values, where, strict
        self._seen: set[str] = set()

    @classmethod
    def of(cls, value: Any, where: str, *, strict: bool = False) -> Reader:
        """Read a value that has to be a mapping."""
        if not isinstance(value, Mapping):
            msg = f"{where}: expected keys and values, found {value!r}"
            raise SpecError(msg)
        return cls(value, where, strict=strict)

    @property
    def keys(self) -> list[str]:
        """List the keys of the mapping."""
        return [str(key) for key in self.values]

    def value(self, key: str, default: Any = _REQUIRED) -> Any:
        """Take a value of any type."""
        self._seen.add(key)
        if key in self.values and self.values[key] is not None:
            return self.values[key]
        if default is _REQUIRED:
            found = ", ".join(self.keys) or "nothing"
            near = get_close_matches(key, set(self.keys) - self._seen, 1)
            hint = f"; was {near[0]!r} meant?" if near else ""
            msg = (
                f"{self.where}: expected the key {key!r} with a value, found only "
                f"{found}{hint}"
            )
            raise SpecError(msg)
        return default

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """Take a string."""
        return str(self._typed(key, default, str, "a text"))

    def integer(self, key: str, default: Any = _REQUIRED) -> int:
        """Take a whole number."""
        return int(self._typed(key, default, int, "a whole number"))

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        """Take a number."""
        return float(self._typed(key, default, (int, float), "a number"))

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """Take true or false."""
        return bool(self._typed(key, default, bool, "true or false"))

    def mapping(self, key: str, default: Any = _REQUIRED) -> Mapping[str, Any]:
        """Take a mapping as it stands."""
        value: Mapping[str, Any] = self._typed(key, default, Mapping, "keys and values")
        return value

    def two_numbers(self, key: str) -> tuple[float, float]:
        """Take a list of two numbers."""
        value = self._typed(key, _REQUIRED, list, "a list of two numbers")
        if len(value) != 2 or not all(isinstance(v, int | float) for v in value):
            msg = f"{self.where}, {key}: expected two numbers, found {value!r}"
            raise SpecError(msg)
        return float(value[0]), float(value[1])

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of strings, which may be missing or a single string."""
        value = self.value(key, [])
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
            msg = f"{self.where}, {key}: expected a list of texts, found {value!r}"
            raise SpecError(msg)
        return tuple(items)

    def child(self, key: str) -> Reader:
        """Take a mapping, to be read in turn."""
        where = f"{self.where}, {key}"
        return Reader.of(self.value(key), where, strict=self.strict)

    def maybe(self, key: str) -> Reader | None:
        """Take a mapping that may be missing."""
        return self.child(key) if self.value(key, None) is not None else None

    def choice(
        self, key: str, options: tuple[str, ...], default: Any = _REQUIRED
    ) -> Any:
        """Take one of several words."""
        value = self.text(key, default)
        if value not in options:
            expected = ", ".join(repr(option) for option in options)
            msg = f"{self.where}, {key}: expected one of {expected}, found {value!r}"
            raise SpecError(msg)
        return value

    def children(self, key: str, *, optional: bool = False) -> list[Reader]:
        """Take a list of mappings to be read in turn."""
        items = self._typed(key, [] if optional else _REQUIRED, list, "a list")
        if not items and not optional:
            msg = f"{self.where}, {key}: expected at least one entry, found none"
            raise SpecError(msg)
        return [
            Reader.of(item, f"{self.where}, {key}[{i}]", strict=self.strict)
            for i, item in enumerate(items)
        ]

    def rest(self, keys: Sequence[str]) -> dict[str, Any]:
        """Take those of `keys` that are there, as they stand."""
        self._seen.update(keys)
        return {
            key: self.values[key] for key in keys if self.values.get(key) is not None
        }

    def done(self) -> None:
        """Object to keys that nobody asked for, where reading is strict."""
        unknown = [key for key in self.keys if key not in self._seen]
        if self.strict and unknown:
            near = get_close_matches(unknown[0], sorted(self._seen), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            names = ", ".join(repr(key) for key in unknown)
            expected = ", ".join(sorted(self._seen))
            msg = (
                f"{self.where}: found the unknown key {names}, expected only "
                f"{expected}{hint}"
            )
            raise SpecError(msg)

    def _typed(self, key: str, default: Any, kind: Any, words: str) -> Any:
        value = self.value(key, default)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if value is not default and (wrong_bool or not isinstance(value, kind)):
            msg = f"{self.where}, {key}: expected {words}, found {value!r}"
            raise SpecError(msg)
        return value
