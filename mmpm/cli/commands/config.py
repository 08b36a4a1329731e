"""`mmpm config ...`."""

from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops import settings as ops


def list_settings(*, origin: bool = False, session: Session) -> None:
    """List every setting.

    Args:
        origin: Show where each value comes from.
        session: This run.
    """
    shown = ops.list_settings(session.context(read_registries=False))
    out = session.output
    width = max(len(f"{one.key} = {one.text}") for one in shown)
    for one in shown:
        line = f"{one.key} = {one.text}".rstrip()
        out.result(f"{line:<{width}}  # {one.origin}" if origin else line)
    out.document(
        "mmpm.config-list/1",
        {"settings": [{"key": one.key, "value": one.value, "origin": one.origin, "help": one.help} for one in shown]},
    )


def get(key: str, /, *, session: Session) -> None:
    """Print one setting.

    Args:
        key: Its dotted name, such as install.link.
        session: This run.
    """
    one = ops.show(session.context(read_registries=False), key)
    session.output.result(one.text)
    session.output.document("mmpm.config-get/1", {"key": one.key, "value": one.value, "origin": one.origin})


def set_setting(key: str, value: str, /, *, session: Session) -> None:
    """Set a setting in your config.toml.

    Args:
        key: Its dotted name, such as install.link.
        value: The new value, as you would write it in the file.
        session: This run.
    """
    context = session.context(read_registries=False)
    run_plan(
        session, context, ops.plan_set(context, key, value), schema="mmpm.config-set/1", done=f"Set {key} = {value}"
    )


def unset(key: str, /, *, session: Session) -> None:
    """Take a setting out of your config.toml.

    Args:
        key: Its dotted name, such as install.link.
        session: This run.
    """
    context = session.context(read_registries=False)
    run_plan(session, context, ops.plan_unset(context, key), schema="mmpm.config-unset/1", done=f"Unset {key}")
