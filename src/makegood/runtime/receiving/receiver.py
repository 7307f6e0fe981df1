"""A receptor as an engine serves it: with its services found, once, when it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.definition.reading.fit import type_name
from makegood.errors import ServiceError
from makegood.runtime.calling.served import Bound
from makegood.runtime.calling.services import find_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from makegood.definition.receiving.receptor import Receptor
    from makegood.values.schemas import Schema

__all__ = ["Receiver", "receivers_of"]


class Receiver:
    """A receptor with the services that it is given."""

    __slots__ = ("bound", "is_local", "name", "receptor", "schemas", "services")

    def __init__(self, receptor: Receptor, services: Mapping[type, object]) -> None:
        self.receptor = receptor
        # Asked for every message, and the same for all of them.
        self.name: str = receptor.name
        """The receptor's whole name."""
        self.is_local: bool = receptor.is_local
        # Any: each schema has the class that the user declares.
        self.schemas: dict[str, Schema[Any]] = {
            schema.name: schema for schema in receptor.receives.values()
        }
        """How its messages are read, by the names of their types."""
        self.services = tuple(
            sorted({type_name(item.wants) for item in receptor.injections if item.is_service})
        )
        """The names of the services that it is given."""
        wanted = {item.wants for item in receptor.injections if item.is_service}
        given = find_services(sorted(wanted, key=str), services, workflow=receptor.name)
        self.bound = Bound(receptor.function, receptor.injections, given, receptor.retry.classes)


def receivers_of(receptors: Iterable[Receptor], services: Mapping[type, object]) -> list[Receiver]:
    """Return the receptors with their services; one `ServiceError` names all that are missing."""
    found: list[Receiver] = []
    problems: list[str] = []
    for receptor in receptors:
        try:
            found.append(Receiver(receptor, services))
        except ServiceError as error:
            problems.append(str(error))
    if problems:
        raise ServiceError("\n".join(problems))
    return found
