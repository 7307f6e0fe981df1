"""What must be true of every world, each rule with its sentence."""

from __future__ import annotations

__all__ = ["RULES"]

RULES = {
    "same key, same parameters": "A key never comes with other parameters than the first time.",
    "one effect": "No effect happens twice, whatever died and whatever was sent again.",
    "only what was done is taken back, once": "An undo takes back what its step did, and once.",
    "the intent comes first": "When a request arrives outside, its intent is in the journal.",
    "computed once": "What was computed once is used for ever, whatever the code computes today.",
    "what was answered is recorded": "A recorded result is what the outside answered.",
    "only the holder writes": "Nothing is written by who has lost the lease.",
    "nothing is written unseen": "An append follows all that was recorded and posted before it.",
    "only what is durable is acknowledged": "What is acknowledged can be found in the journal.",
    "facts have no gaps": "The appends of a run are numbered without gaps.",
    "epochs never go back": "Each holder of a run has a higher epoch than the one before.",
    "only what is served is claimed": "A process takes only runs whose plan it serves.",
    "nothing is begun twice at once": "A step is at work once, and never again when it is done.",
    "nothing new begins on the way back": "A rollback begins nothing that had not begun.",
    "what is recorded is never recorded anew": "A step has one recorded result.",
    "nothing is undone in doubt": "Nothing is undone while anything is at work or in doubt.",
    "undone in reverse order": "What was recorded last as done is undone first.",
    "one undo at a time": "An undo begins when the one before it is recorded.",
    "only a rollback undoes": "Nothing is undone on the way forward.",
    "behind the pivot nothing is undone": "Once the pivot is done a run only goes forward.",
    "everything done is undone": "A run that has failed or was cancelled leaves nothing done.",
    "nothing is at work at the end": "A run ends when all that it began has ended.",
    "what has ended stays ended": "After its end nothing happens to a run, but one undo.",
    "the row says what the facts say": "The status of a run is what its facts add up to.",
    "nothing is forgotten": "Something wakes every run that is unfinished or was posted to.",
    "poison kills": "A run is parked as poison only if those who took it were lost.",
    "every request is answered once": "Whoever asks gets one answer.",
    "an answer is true": "What people are told is what happened.",
    "acknowledged is durable": "A start that was acknowledged is in the journal, and ends.",
    "everything comes to rest": "Without faults every run ends, or is parked for its reason.",
    "money kept, goods sent": "What was captured was shipped or given back.",
    "nothing is held": "At the end no stock, seat or money is held for nothing.",
    "the end is one that may be": "A run ends only as its destiny and its troubles allow.",
    "no error is unseen": "Nothing was raised that nobody expected.",
}
