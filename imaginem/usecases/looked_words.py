"""The sentences for what was not found, and for what nobody has looked for: alike everywhere."""

WORDS = {
    "looked.found": "Found.",
    "looked.nothing": "Nothing found.",
    "looked.not_read": "There is text in this photo that can't be read here.",
    "looked.no_face": "No face was found in this photo.",
    "looked.erased": "All faces that were found in this photo were erased.",
    "looked.nothing_to_compare": "There is no face to compare.",
    "looked.not_compared": "None of the faces in this photo can be compared.",
    "looked.nobody": "Nobody in the gallery looks like these faces.",
    "looked.nobody_comparable": (
        "Nobody was found who looks like these faces, but the gallery also has faces of another "
        "model: they were not compared."
    ),
    "looked.queued": "Not looked for yet: the job waits for its first step.",
    "looked.waiting": "Not looked for yet: {step} waits for its turn.",
    "looked.processing": "Not looked for yet: {step} is at work.",
    "looked.retrying": "Not looked for yet: {step} is tried again. {reason}",
    "looked.failed": "Not looked for: {step} failed. {reason}",
    "looked.skipped": "Not looked for: {step} was skipped. {reason}",
    "looked.unsuccessful": "Not looked for: {step} did not succeed.",
    "looked.cancelled": "Not looked for: the job was cancelled before {step}.",
    "looked.handed_over": "Not looked for: the job was handed over before {step}.",
    "looked.ended": "Not looked for: the job ended before {step}.",
    "looked.lost": "Not looked for: the job never began. Run it again.",
    "looked.unwritten_yet": "{step} is done. What it found is shown once the job has ended.",
    "looked.unwritten": "{step} is done, but no result of the job was written: see its steps.",
    "looked.no_output": "Not known: the result has nothing of {step}.",
    "looked.no_step": "Not looked for: {step} is no step of this job.",
    "looked.unreadable": "What the step found can't be shown here: see the raw JSON.",
    "looked.unsought": "The engine did not look for it.",
    "unsearched.batch": "Still being looked at: {working:,} of {photos:,} photos in batch {batch}.",
    "unsearched.batches": (
        "Still being looked at: {working:,} of {photos:,} photos in {batches} batches."
    ),
    "unsearched.maybe_batch": "Photos in batch {batch} may still be being looked at.",
    "unsearched.maybe_batches": "Photos in {batches} batches may still be being looked at.",
    "unsearched.unknown": "Whether photos are still being looked at can't be told just now.",
    "unsearched.no_result": (
        "Not searched, since they have no result: at least {count:,} of the photos that were sent "
        "to batch {batch}."
    ),
    "unsearched.unsuccessful": (
        "Photos of batch {batch} with a step that failed or was skipped: {count:,}. What it would "
        "have found is not searched."
    ),
    "unsearched.unreadable": "Not searched: {texts}.",
    "unseen.pages": "Only the first {limit} of {value} pages were looked at.",
    "unseen.unread_pages": "Not looked at, since they are damaged or too large: pages {value}.",
    "unseen.smallest_face": (
        "Faces smaller than {value} pixels were not looked for in this photo."
    ),
    "unseen.ends_early": "The file ends early: a part of this photo is missing.",
}
