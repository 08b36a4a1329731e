"""`mol list`: the catalogue, or what flows here. Each brings along only what it needs itself."""

from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.session import Session
from mmpm.errors import UsageError


def list_command(
    *,
    label: tuple[str, ...] = (),
    running: bool = False,
    every: Annotated[bool, Parameter(name="--all")] = False,
    session: Session,
) -> None:
    """List the molecules that can be bonded here; with --tier those that this tier has.

    Args:
        label: Only those that bear this label; may be repeated.
        running: List instead the mols and wisps that flow here.
        every: With --running: also those that have ended.
        session: This run.
    """
    if not running and not every:
        from mmpm.cli.commands.mol import list_catalogue

        list_catalogue(session, label)
        return
    if label or not running:
        raise UsageError("--all goes with --running, and --label does not", "write `mmpm mol list --running --all`")
    from mmpm.cli.commands.mol_ready import list_running

    list_running(session, with_ended=every)
