"""What does a value of a declared type look like? An example of each, made from the type alone.

Where a class checks its own values, or a type is bounded, several are tried until one is accepted.
What no example can be made of is named, with what to give instead.
"""

from __future__ import annotations

import math
import re
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from makegood.definition.reading.fit import type_name
from makegood.definition.reading.parts import fields_of
from makegood.errors import InvalidInput
from makegood.values.codec import AnyCodec, Codec, NotCarried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from msgspec import Raw

__all__ = ["Examples"]

TRIED_MAX = 500
"""How many values of one type are tried at most."""

OFFERED_MAX = 16
"""How many of its examples a type offers to what it is a part of."""

_TEXTS = (
    "EUR",
    "a",
    "person@example.org",
    "https://example.org/",
    "2026-01-01",
    "2026-01-01T12:00:00Z",
    "00000000-0000-7000-8000-000000000001",
    "1",
    "A1",
    "+15550100",
    "0123456789abcdef",
)
"""What is tried for text that is not to be just any."""

_NUMBERS = (1, 0, 2, 10, 100, 1_000, -1)

_PLAIN: dict[type[inspect.Type], tuple[object, ...]] = {
    inspect.AnyType: ("anything",),
    inspect.RawType: ("anything",),
    inspect.NoneType: (None,),
    inspect.BoolType: (False, True),
    inspect.DateType: ("2026-01-01",),
    inspect.TimeDeltaType: ("PT60S", "P1D", "PT0S"),
    inspect.UUIDType: ("00000000-0000-7000-8000-000000000001",),
    inspect.DecimalType: ("1.00", "0.5", "0", "100"),
}
"""Examples of types that have no parts, as JSON has them."""


class _Impossible(Exception):
    """No example was found, and why."""


class Examples:
    """Makes examples; those of the user's own stand by their types, whatever they are part of."""

    def __init__(self, given: Mapping[Any, object] | None = None) -> None:
        # Any: a type is given as a class, or as what stands in an annotation.
        self._given: dict[Any, object] = {
            kind: msgspec.json.decode(Codec(kind).write(value))
            for kind, value in (given or {}).items()
        }

    def raw(self, codec: AnyCodec, name: str) -> Raw:
        """Return an example of a codec's type as JSON; `name` says what it is for.

        Raises `InvalidInput` when none can be made, and says what to give.
        """
        # Any: whatever the user has declared.
        kind: Any = codec.type
        why = "no value that was tried is accepted"
        try:
            for value in islice(self._of(kind, inspect.type_info(kind), name, ()), TRIED_MAX):
                try:
                    return codec.write(codec.read(msgspec.json.encode(value)))
                except NotCarried as error:
                    why = str(error)
        except _Impossible as error:
            why = str(error)
        shown = type_name(kind)
        message = (
            f"no example of `{name}: {shown}` can be made: {why}; give one, as "
            f"examples={{{shown}: …}}, or with --examples"
        )
        raise InvalidInput(message)

    def _of(
        self, kind: object, form: inspect.Type, name: str, within: tuple[type, ...]
    ) -> Iterator[object]:
        """Give examples of a type; `within` are the classes that they are part of."""
        try:
            own = kind in self._given
        except TypeError:
            own = False
        return iter((self._given[kind],)) if own else self._made(form, name, within)

    def _made(self, form: inspect.Type, name: str, within: tuple[type, ...]) -> Iterator[object]:
        simple = _simple(form, name)
        if simple is not None:
            return iter(simple)
        match form:
            case inspect.UnionType(types=types):
                return self._of_any(types, name, within)
            case inspect.CollectionType() | inspect.DictType():
                return self._of_many(form, name, within)
            case inspect.TupleType(item_types=types):
                return _combined([self._offered(None, each, name, within) for each in types], list)
            case _:
                return self._of_class(form, within)

    def _offered(
        self, kind: object, form: inspect.Type, name: str, within: tuple[type, ...]
    ) -> list[object]:
        """Return the examples of a part, of which there is at least one."""
        offered = list(islice(self._of(kind, form, name, within), OFFERED_MAX))
        if not offered:
            message = f"there is no value for `{name}`"
            raise _Impossible(message)
        return offered

    def _of_any(
        self, forms: Sequence[inspect.Type], name: str, within: tuple[type, ...]
    ) -> Iterator[object]:
        """Give examples of each of several types, that of None last."""
        why: _Impossible | None = None
        has_one = False
        for form in sorted(forms, key=lambda each: isinstance(each, inspect.NoneType)):
            try:
                for value in self._of(None, form, name, within):
                    has_one = True
                    yield value
            except _Impossible as error:
                why = error
        if why is not None and not has_one:
            raise why

    def _of_many(
        self,
        form: inspect.CollectionType | inspect.DictType,
        name: str,
        within: tuple[type, ...],
    ) -> Iterator[object]:
        """Give a collection of one item, or of as many as there must be; else an empty one."""
        least = form.min_length or 0
        many = max(least, 1) if form.max_length is None else min(max(least, 1), form.max_length)
        try:
            if isinstance(form, inspect.DictType):
                keys = self._offered(None, form.key_type, "key", within)[:many]
                values = self._offered(None, form.value_type, "value", within)
                yield {str(key): values[at % len(values)] for at, key in enumerate(keys)}
            else:
                items = self._offered(None, form.item_type, name, within)
                yield [items[at % len(items)] for at in range(many)]
                yield from ([item] * many for item in items[1:])
        except _Impossible:
            if least:
                raise
        if not least:
            yield {} if isinstance(form, inspect.DictType) else []

    def _of_class(self, form: inspect.Type, within: tuple[type, ...]) -> Iterator[object]:
        """Give examples of a class with fields, those that the class itself accepts."""
        # Any: what every form of a class has, whichever it is.
        its: Any = form
        cls: type = its.cls
        if cls in within:
            message = f"`{cls.__qualname__}` is made of itself"
            raise _Impossible(message)
        if isinstance(form, inspect.CustomType):
            return self._of_model(cls, (*within, cls))
        hints, inside = fields_of(cls), (*within, cls)
        if isinstance(form, inspect.NamedTupleType):
            offered = [
                self._offered(hints.get(each.name), each.type, each.name, inside)
                for each in form.fields
            ]
            return _accepted(cls, _combined(offered, list))
        # What has a default is left to it.
        fields = [each for each in its.fields if each.required]
        offered = [
            self._offered(hints.get(each.name), each.type, each.name, inside) for each in fields
        ]
        tag: object = getattr(its, "tag", None)
        if getattr(its, "array_like", False):
            head = [] if tag is None else [tag]
            return _accepted(cls, _combined(offered, lambda values: [*head, *values]))
        names = [each.encode_name for each in fields]
        head_of = {} if tag is None else {its.tag_field: tag}
        return _accepted(
            cls, _combined(offered, lambda values: head_of | dict(zip(names, values, strict=True)))
        )

    def _of_model(self, cls: type, within: tuple[type, ...]) -> Iterator[object]:
        """Give examples of a pydantic model: the only classes that msgspec does not know."""
        model: Any = cls  # Any: pydantic is the user's
        fields = {
            field.alias or name: (field.annotation, name)
            for name, field in model.model_fields.items()
            if field.is_required()
        }
        offered = [
            self._offered(kind, inspect.type_info(kind), name, within)
            for kind, name in fields.values()
        ]
        return _combined(offered, lambda values: dict(zip(fields, values, strict=True)))


def _simple(form: inspect.Type, name: str) -> Iterable[object] | None:
    """Return examples of a type without parts; None of one that has some."""
    match form:
        case inspect.StrType():
            return _texts(form, name)
        case inspect.IntType() | inspect.FloatType():
            return _numbers(form)
        case inspect.BytesType() | inspect.ByteArrayType() | inspect.MemoryViewType():
            return "AA==", "", "AAAAAAAAAAA="
        case inspect.DateTimeType(tz=zone):
            return ("2026-01-01T12:00:00" + ("" if zone is False else "Z"),)
        case inspect.TimeType(tz=zone):
            return ("12:00:00" + ("Z" if zone else ""),)
        case inspect.EnumType(cls=cls):
            return [each.value for each in cls]
        case inspect.LiteralType(values=values):
            return values
        case _:
            return _PLAIN.get(type(form))


def _texts(form: inspect.StrType, name: str) -> Iterator[str]:
    """Give texts as long as they may be, and of the pattern that is wanted."""
    least = form.min_length or 0
    for text in (name, *_TEXTS):
        long = text if len(text) >= least else (text * least)[:least]
        cut = long if form.max_length is None else long[: form.max_length]
        if form.pattern is None or re.search(form.pattern, cut):
            yield cut


def _numbers(form: inspect.IntType | inspect.FloatType) -> Iterator[float]:
    """Give numbers within their bounds: at them, and ordinary ones."""
    step = form.multiple_of or (1 if isinstance(form, inspect.IntType) else 0.5)
    bounds: list[float] = []
    for bound in (form.ge, form.gt):
        if bound is not None:
            bounds += [math.ceil(bound / step) * step, (math.floor(bound / step) + 1) * step]
    for bound in (form.le, form.lt):
        if bound is not None:
            bounds += [math.floor(bound / step) * step, (math.ceil(bound / step) - 1) * step]
    for number in (*_NUMBERS, *bounds):
        is_within = (
            (form.ge is None or number >= form.ge)
            and (form.gt is None or number > form.gt)
            and (form.le is None or number <= form.le)
            and (form.lt is None or number < form.lt)
            and (form.multiple_of is None or number % form.multiple_of == 0)
        )
        if is_within:
            yield number


# Any: what the parts are put together to.
def _combined(
    offered: Sequence[Sequence[object]], together: Callable[[Sequence[object]], Any]
) -> Iterator[Any]:
    """Put parts together: each part's first, then with one of them varied, then every way."""
    first = [each[0] for each in offered]
    yield together(first)
    for at, each in enumerate(offered):
        for other in each[1:]:
            yield together([*first[:at], other, *first[at + 1 :]])
    yield from map(together, islice(product(*offered), TRIED_MAX))


def _accepted(cls: type, values: Iterator[object]) -> Iterator[object]:
    """Give the values that a class can be made of."""
    why = ""
    has_one = False
    for value in islice(values, TRIED_MAX):
        try:
            msgspec.json.decode(msgspec.json.encode(value), type=cls)
        except Exception as error:  # noqa: BLE001 - a user's class checks its own values here
            why = str(error)
        else:
            has_one = True
            yield value
    if not has_one:
        message = f"`{cls.__qualname__}` refuses all that was tried, such as: {why}"
        raise _Impossible(message)
