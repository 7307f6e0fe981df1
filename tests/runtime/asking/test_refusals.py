"""Why a request is refused, in words that say what to do instead."""

from __future__ import annotations

import pytest

from makegood import ControlAnswer
from makegood.runtime.asking.refusals import refusal_of


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (ControlAnswer.IN_DOUBT, "it may have happened; settle it first"),
        (
            ControlAnswer.NOT_PAUSED,
            "it is not paused; a workflow or an engine that is halted is resumed by lifting its "
            "halt",
        ),
        (
            ControlAnswer.NOT_COMPLETED,
            "only a completed run can be undone; cancel one that is under way",
        ),
        (
            ControlAnswer.NEEDED,
            "others need what it gives and cannot do with None; give it a result instead",
        ),
    ],
)
def test_a_refusal_says_what_to_do_instead(answer: ControlAnswer, sentence: str) -> None:
    assert refusal_of(answer) == sentence


def test_every_answer_but_a_yes_has_words_of_its_own() -> None:
    refused = [answer for answer in ControlAnswer if answer is not ControlAnswer.ACCEPTED]

    assert len({refusal_of(answer) for answer in refused}) == len(refused)
