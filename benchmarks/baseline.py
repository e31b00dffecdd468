"""Another commit of this repository, checked out in a temporary folder."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check a commit out as a git worktree; yield its folder, which is removed afterwards.

    It runs with the packages of this tree's environment.

    Raises:
        RuntimeError: git cannot do it; says why, such as a shallow clone without the commit.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def check_commit(commit: str) -> None:
    """Check, before anything is measured, that there is such a commit.

    Raises:
        RuntimeError: there is none; says what to do.
    """
    try:
        _git("rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    except RuntimeError:
        raise RuntimeError(
            f"BASELINE={commit}: this repository has no such commit; write another one, or fetch "
            "it (a shallow clone lacks the older ones)"
        ) from None


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {words[0]} {words[1]}: {done.stderr.strip().splitlines()[-1]}")
