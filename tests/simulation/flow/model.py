"""How an order may end, by a model that knows the workflows by hand and nothing of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.flow.shop import ENOUGH, POLISHES, RINGS, Way

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.simulation.flow.shop import Item, Wish

__all__ = ["misfit", "things_of"]


def round_of(workflow: str, item: Item) -> set[str]:
    """Return what is done for one item, when all of it is done."""
    operations: tuple[str, ...]
    match workflow, item.way:
        case "gather", _:
            operations = ("pick", "shelve")
        case _, Way.HAND:
            operations = ("pick", "wrap", "shelve")
        case _, _:
            operations = ("pick", "box", "label", "shelve")
    done = {f"{item.order}/{operation}/{item.name}" for operation in operations}
    if workflow == "gather":
        done |= {f"{item.order}/polish/{item.name}-{n}" for n in range(1, POLISHES + 1)}
    return done


def whole_of(workflow: str, wish: Wish) -> set[str]:
    """Return what is done for the order itself."""
    done = {f"{wish.order}/bill/all"}
    if workflow in {"fill", "deliver"}:
        done |= {f"{wish.order}/ring/all-{n}" for n in range(1, RINGS + 1)}
    if workflow == "deliver":
        done.add(f"{wish.order}/sign/all")
    return done


def things_of(workflow: str, wish: Wish) -> set[str]:
    """Return everything that may be done for an order."""
    return whole_of(workflow, wish).union(*(round_of(workflow, item) for item in wish.items))


def misfit(
    workflow: str,
    wish: Wish,
    declined: Collection[str],
    *,
    is_turned: bool,
    status: str,
    net: set[str],
) -> str | None:
    """Say why an order must not have ended so; None when it may.

    `is_turned` says that somebody asked to have it cancelled or undone, and `net` is what is done
    for it in the end, and not taken back.
    """
    rounds = [round_of(workflow, item) for item in wish.items]
    good = [each for each in rounds if each.isdisjoint(declined)]
    least = {"gather": 0, "ask_around": ENOUGH}.get(workflow, len(rounds))
    whole = whole_of(workflow, wish)
    natural = "completed" if len(good) >= least and whole.isdisjoint(declined) else "failed"
    if status != natural and not (is_turned and status == "cancelled"):
        return f"it is {status}, and should be {natural}"
    if status != "completed":
        return f"{sorted(net)} is left" if net else None
    kept = [each for each in good if each <= net]
    if workflow != "ask_around" and len(kept) != len(good):
        return f"{sorted(net)} is not all of {good}"
    if len(kept) < least or net != whole.union(*kept):
        return f"{sorted(net)} is not {sorted(whole)} and whole rounds"
    return None
