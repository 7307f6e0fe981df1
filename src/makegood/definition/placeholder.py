"""What stands for a value that only exists when the workflow runs.

The body of a workflow is run once, when it is declared, with placeholders for its inputs and for
what its steps will return. A placeholder can be passed on, or asked for an attribute or an item.
It refuses everything else, because whatever the body decided now would be decided for all runs.
What no object can notice about itself, such as `is None`, is found by parsing the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

import msgspec

from makegood.definition.plan import BLOCK_SPAN, Constant, FromInput, FromNode, FromRound
from makegood.definition.reading.parts import NoSuchPart, attribute_of, item_of
from makegood.definition.reading.place import caller
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.code import Read
    from makegood.definition.reading.fit import TypeForm

__all__ = ["Placeholder", "Reference", "is_placeholder", "reveal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What a placeholder stands for."""

    trace: object
    """The declaration that it belongs to."""
    source: FromInput | FromNode | FromRound | Constant
    type: TypeForm
    text: str
    """How messages call it, such as `order.total`."""
    whole: Read
    """Reads the input or result that it is, or is a part of."""
    behind: int | None = None
    """A node that it comes after though it takes nothing of it: what is bound to a hook."""

    @property
    def node(self) -> int | None:
        """The number of the node that it comes from; None for an input, and for an item."""
        return self.source.node if isinstance(self.source, FromNode) else self.behind

    @property
    def block(self) -> int:
        """The block that it is only there in, or 0."""
        match self.source:
            case FromInput():
                return 0
            case Constant():
                return 0 if self.behind is None else self.behind // BLOCK_SPAN
            case FromNode(node=node):
                return node // BLOCK_SPAN
            case FromRound(block=block):
                return block


def reveal(placeholder: Placeholder) -> Reference:
    """Return what a placeholder stands for."""
    reference: Reference = object.__getattribute__(placeholder, "_makegood_reference")
    return reference


def is_placeholder(value: object) -> TypeGuard[Placeholder]:
    """Say whether a value is a placeholder, without asking the value."""
    return type(value) is Placeholder


def _refuse(placeholder: Placeholder, what: str, remedy: str) -> NoReturn:
    text = reveal(placeholder).text
    message = f"{caller()}: {what.format(text)}, which only exists when the workflow runs; {remedy}"
    raise DefinitionError(message)


_DECIDE = "guard a step with .when(…), demand it with expect(…), or decide inside a step"
_COMPUTE = "compute with it in pure(…) or in a step"
_PASS = "pass the whole value to a step that does this"  # noqa: S105 - not a password


def _refuses(what: str, remedy: str) -> Callable[..., Any]:  # Any: it never returns
    """Return a method that refuses what it is called for."""

    def refuse(self: Placeholder, *_: object) -> NoReturn:
        _refuse(self, what, remedy)

    return refuse


class Placeholder:
    """A value that only exists when the workflow runs."""

    __slots__ = ("_makegood_reference",)

    def __init__(self, reference: Reference) -> None:
        object.__setattr__(self, "_makegood_reference", reference)

    def __repr__(self) -> str:
        return f"<{reveal(self).text}: known when the workflow runs>"

    def __getattr__(self, name: str) -> Placeholder:
        """Return a placeholder for the attribute."""
        if name.startswith("__"):
            _refuse(self, f"the body asks for `{name}` of `{{}}`", _PASS)
        return self._part(f".{name}", f".{name}", lambda kind: attribute_of(kind, name))

    def __getitem__(self, key: object) -> Placeholder:
        """Return a placeholder for the item."""
        if is_placeholder(key) or not isinstance(key, str | int) or isinstance(key, bool):
            _refuse(
                self,
                "the body takes an item of `{}` by what is no constant text or number",
                _COMPUTE,
            )
        if isinstance(key, str) and key.startswith("."):
            _refuse(self, f"the body takes the item {key!r} of `{{}}`", _COMPUTE)
        return self._part(key, f"[{key!r}]", lambda kind: item_of(kind, key))

    def _part(self, part: str | int, text: str, resolve: Callable[[object], object]) -> Placeholder:
        reference = reveal(self)
        try:
            kind = resolve(reference.type)
        except NoSuchPart as error:
            message = f"{caller()}: `{reference.text}{text}` does not exist: {error}"
            raise DefinitionError(message) from None
        source = reference.source
        assert not isinstance(source, Constant), "None has no parts"
        path = (*source.path, part)
        return Placeholder(
            Reference(
                trace=reference.trace,
                source=msgspec.structs.replace(source, path=path),
                type=kind,
                text=reference.text + text,
                whole=reference.whole,
            )
        )

    __hash__ = _refuses("the body hashes `{}`", _COMPUTE)
    __eq__ = __ne__ = _refuses("the body compares `{}`", _DECIDE)
    __lt__ = __le__ = __gt__ = __ge__ = _refuses("the body compares `{}`", _DECIDE)
    __bool__ = _refuses("the body decides by `{}`", _DECIDE)
    __contains__ = _refuses("the body looks inside `{}`", _DECIDE)
    __len__ = __length_hint__ = _refuses("the body takes the length of `{}`", _COMPUTE)
    __iter__ = __reversed__ = __next__ = _refuses("the body iterates over `{}`", _PASS)
    __await__ = _refuses(
        "the body awaits `{}`", "write the call without await: the engine awaits the step"
    )
    __aiter__ = __anext__ = __aenter__ = __aexit__ = __enter__ = __exit__ = _refuses(
        "the body enters or iterates over `{}`", _PASS
    )
    __call__ = _refuses("the body calls `{}`", _COMPUTE)
    __str__ = __format__ = __bytes__ = __fspath__ = _refuses(
        "the body makes text of `{}`", _COMPUTE
    )
    __int__ = __float__ = __complex__ = __index__ = __round__ = _refuses(
        "the body makes a number of `{}`", _COMPUTE
    )
    __trunc__ = __floor__ = __ceil__ = __neg__ = __pos__ = __abs__ = __invert__ = _refuses(
        "the body calculates with `{}`", _COMPUTE
    )
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __divmod__ = _refuses(
        "the body calculates with `{}`", _COMPUTE
    )
    __pow__ = __matmul__ = __lshift__ = __rshift__ = __and__ = __or__ = __xor__ = _refuses(
        "the body calculates with `{}`", _COMPUTE
    )
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _refuses(
        "the body calculates with `{}`", _COMPUTE
    )
    __rdivmod__ = __rpow__ = __rmatmul__ = __rlshift__ = __rrshift__ = __rand__ = _refuses(
        "the body calculates with `{}`", _COMPUTE
    )
    __ror__ = __rxor__ = _refuses("the body calculates with `{}`", _COMPUTE)
    __setitem__ = __delitem__ = __setattr__ = __delattr__ = _refuses(
        "the body changes `{}`", _COMPUTE
    )
    __reduce__ = __reduce_ex__ = __copy__ = __deepcopy__ = _refuses("the body copies `{}`", _PASS)
