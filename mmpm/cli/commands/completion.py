"""`mmpm completion ...`."""

from mmpm.cli.completion import SCRIPTS, candidates
from mmpm.cli.session import Session
from mmpm.errors import UsageError


def script(shell: str, /, *typed: str, session: Session) -> None:
    """Print a shell's completion script: bash, zsh or fish.

    For bash: eval "$(mmpm completion bash)". For fish: mmpm completion fish | source.

    Args:
        shell: bash, zsh or fish. (The scripts themselves call `completion words -- WORD...`.)
        typed: What is typed so far, for `words`.
        session: This run.
    """
    out = session.output
    if shell == "words":
        found = candidates(typed, session)
        for word in found:
            out.result(word)
        out.document("mmpm.completion/1", {"words": found})
        return
    if shell not in SCRIPTS or typed:
        raise UsageError(f"completion {shell}: expected bash, zsh or fish", "run `mmpm completion bash`")
    out.result(SCRIPTS[shell], end="")
    out.document("mmpm.completion/1", {"script": SCRIPTS[shell]})
