"""What is ready and what flows below a root, asked as the commands ask."""

from __future__ import annotations

from mmpm.ops import mol_ready


def index_of(workspace):
    context = workspace.context
    return mol_ready.open_index(context.places.state, workspace.places.root, mol_ready.moment(context.now))


def fronts(workspace, operands=(), *, with_blocked=False):
    """Give (fronts, what cannot be read)."""
    now = mol_ready.moment(workspace.context.now)
    if operands:
        return [mol_ready.front_at(workspace, one, now, with_blocked=with_blocked) for one in operands], ()
    index = index_of(workspace)
    return mol_ready.fronts(index, now, lambda: workspace, with_blocked=with_blocked), index.troubles()


def running(workspace, *, with_ended=False):
    """Give (heads, what cannot be read)."""
    index = index_of(workspace)
    return mol_ready.running(index, with_ended=with_ended), index.troubles()
