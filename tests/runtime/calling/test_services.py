"""Which object a step is given."""

from __future__ import annotations

from typing import Protocol

import pytest

from makegood import Engine, ServiceError, injected, step, workflow
from makegood.runtime.calling.services import find_services


class Bank:
    """A service."""


class TestBank(Bank):
    """A kind of it."""

    __test__ = False


class Post:
    """Another service."""


class Speaks(Protocol):
    """A Protocol that cannot be asked who implements it."""

    def speak(self) -> str: ...


class Voice(Speaks):
    """It says so itself."""

    def speak(self) -> str:
        return "here"


def test_a_service_is_found_by_its_own_type_before_its_subclasses() -> None:
    bank, other = Bank(), TestBank()
    assert find_services([Bank], {TestBank: other, Bank: bank}, workflow="w") == {Bank: bank}


def test_a_service_is_found_by_the_one_subclass_there_is() -> None:
    bank = TestBank()
    assert find_services([Bank], {Post: Post(), TestBank: bank}, workflow="w") == {Bank: bank}


def test_a_protocol_is_found_by_its_name_or_by_who_declares_it() -> None:
    voice = Voice()
    assert find_services([Speaks], {Speaks: voice}, workflow="w") == {Speaks: voice}
    assert find_services([Speaks], {Voice: voice}, workflow="w") == {Speaks: voice}


def test_several_subclasses_are_ambiguous_and_named() -> None:
    class OtherBank(Bank):
        """One more."""

    with pytest.raises(ServiceError, match=r"TestBank.*OtherBank.*would all do"):
        find_services([Bank], {TestBank: TestBank(), OtherBank: OtherBank()}, workflow="w")


async def pay(amount: int, *, bank: Bank = injected, post: Post = injected) -> int:
    return amount


async def write(amount: int, *, post: Post = injected) -> int:
    return amount


@workflow
def paying(amount: int) -> int:
    """Pay."""
    return step(pay, irreversible="test")(amount)


@workflow
def writing(amount: int) -> int:
    """Write."""
    return step(write, irreversible="test")(amount)


async def test_serving_names_everything_that_is_missing_at_once() -> None:
    async with Engine("memory://") as engine:
        with pytest.raises(ServiceError) as refused:
            engine.serve(paying, writing)

        assert sorted(str(refused.value).splitlines()) == [
            "`paying` needs a `Bank` and the engine has none; give Engine(services={Bank: …})",
            "`paying` needs a `Post` and the engine has none; give Engine(services={Post: …})",
            "`writing` needs a `Post` and the engine has none; give Engine(services={Post: …})",
        ]
        assert repr(engine) == "<Engine open, serving nothing, 0 runs at work>"
