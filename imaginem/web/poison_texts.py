"""Texts of the page of messages that could not be processed."""

POISON = {
    "poison.title": "What could not be processed",
    "poison.about": (
        "Messages are kept here with the reason. Once its cause is mended, a replay puts a message "
        "back as a new run of its job."
    ),
    "poison.kind": "Why it is here",
    "poison.kind.any": "any",
    "poison.kind.invalid": "no valid message",
    "poison.kind.exhausted": "tries used up",
    "poison.kind.defect": "defect in a step",
    "poison.kind.lost": "lost from its queue",
    "poison.tries": "{count} tries",
    "poison.tries.one": "1 try",
    "poison.count": "{count} fit",
    "poison.none_fits": "Nothing fits.",
    "poison.show": "Show",
    "poison.replay_does": "If it is replayed: {what}.",
    "poison.replay_all": "Replay all that fit",
    "poison.replay_all.ask": "Put {count} messages back on their queues?",
    "poison.drop_all": "Drop all that fit",
    "poison.drop_all.ask": "Forget {count} messages for good?",
    "poison.force": "Replay even where a newer run of the job is replaced",
    "poison.done.replay": "{count} put back.",
    "poison.done.drop": "{count} dropped.",
    "poison.left": "{count} left: {reason}.",
    "poison.going_on": "Going on…",
}
