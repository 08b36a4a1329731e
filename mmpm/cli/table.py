"""The command tree: one row a command, each function imported only when its command runs.

Rule: a command exists by its row alone. How to add one: docs/cli.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App


@dataclass(frozen=True, slots=True)
class Row:
    """One command.

    Attributes:
        words: `config set`.
        target: `module:function` below `mmpm.cli.commands`.
        help: one line.
        aliases: other words for it, with their group: `remove`.
        completes: what its operands are, for the shells: digests, installed, locked, molecules, protos, registries,
            running, seen, settings, shells; empty: files.
        changes_tier: whether it changes what is asked, chosen or installed in a tier, which is then said first.
    """

    words: str
    target: str
    help: str
    aliases: tuple[str, ...] = ()
    completes: str = ""
    changes_tier: bool = False


GROUPS = {
    "audit": "Looking for what could go wrong.",
    "keys": "Private keys of this machine: yours, and those of registries.",
    "registry publisher": "Who signs releases of a registry of yours.",
    "registry": "Registries: made here, or added by their pinned root.",
    "mirror": "Mirrors of registries, and packs that carry them across a gap.",
    "mol": "Molecules: the catalogue of workflows that can be bonded.",
    "mol gate": "What holds a step until somebody says so.",
    "policy": "Which releases may be chosen and installed here.",
    "debug": "For bug reports and tests.",
    "store": "The objects of this machine: looked over, mended, cleared out.",
    "config": "Settings, and where each comes from.",
}

COMMANDS: tuple[Row, ...] = (
    Row("init", "project:init", "Make an empty mmpm.toml."),
    Row("install", "resolve:install", "Install formulas and what they need.", aliases=("add",), changes_tier=True),
    Row("lock", "resolve:lock", "Choose versions and write mmpm.lock; install nothing.", changes_tier=True),
    Row(
        "upgrade",
        "upgrade:upgrade",
        "Let formulas move up within their ranges.",
        completes="installed",
        changes_tier=True,
    ),
    Row("pin", "resolve:pin", "Hold a formula at one version.", completes="installed", changes_tier=True),
    Row("unpin", "resolve:unpin", "Let a formula move again.", completes="installed", changes_tier=True),
    Row("sync", "project:sync", "Make the formulas folder what manifest and lock say.", changes_tier=True),
    Row(
        "uninstall",
        "project:uninstall",
        "Take formulas out again.",
        aliases=("remove",),
        completes="installed",
        changes_tier=True,
    ),
    Row("verify", "project:verify", "Check that every installed file is what was installed."),
    Row("doctor", "doctor:doctor", "Look over this machine and project, and say what mends what is wrong."),
    Row("adopt", "project:adopt", "Take in a formula that mmpm did not install.", changes_tier=True),
    Row(
        "fork",
        "project:fork",
        "Make an editable copy of an installed formula.",
        completes="installed",
        changes_tier=True,
    ),
    Row("export", "project:export", "Write an installed formula to standard output.", completes="installed"),
    Row("import", "project:import_command", "Install a formula from a file or standard input.", changes_tier=True),
    Row("list", "look:list_command", "List the formulas of this machine, tier by tier."),
    Row("show", "look:show", "Show what is known of a formula.", completes="installed"),
    Row("search", "find:search", "Search the catalogs of your registries, as they are here."),
    Row("tree", "explore:tree", "Show what every formula needs, as a tree.", completes="locked"),
    Row("why", "explore:why", "Say why a formula is here, path by path.", completes="locked"),
    Row("outdated", "explore:outdated", "List formulas of which something newer is known here."),
    Row("audit confusion", "find:audit_confusion", "List names that two registries have, and who wins."),
    Row("new", "author:new", "Make a first formula or bundle to edit."),
    Row("check", "author:check", "Check formulas, bundles and fragments before publishing."),
    Row("build", "author:build", "Write the canonical payload of a formula or bundle."),
    Row("publish", "publish:publish", "Publish formulas, bundles and fragments to a registry."),
    Row("sign", "trust:sign", "Add a publisher's signature to a published release."),
    Row("yank", "publish:yank", "Withdraw a published release from choice."),
    Row("registry init", "publish:init_registry", "Make a new registry in a folder, and its keys."),
    Row("registry add", "registry:add", "Trust a registry: compare its root key, keep its address."),
    Row("registry list", "registry:list_command", "List the registries, the one asked first in front."),
    Row("registry rotate", "rotate:rotate", "Change who signs for a registry of yours: keys, thresholds, terms."),
    Row("registry remove", "registry:remove", "Forget registries.", completes="registries"),
    Row("registry publisher add", "trust:add_publisher", "Make somebody a publisher, with keys, scopes and names."),
    Row("registry publisher revoke", "trust:revoke_publisher", "Say that a publisher's key counts no more."),
    Row("registry publisher list", "trust:list_publishers", "List publishers, their keys and what they own."),
    Row("registry mark", "trust:mark", "Mark a formula as official, or a release as audited."),
    Row("registry unmark", "trust:unmark", "Withdraw a mark."),
    Row("registry marks", "trust:list_marks", "List the marks of a registry, or of one formula."),
    Row("keys create", "keys:create", "Make a key pair of your own."),
    Row("keys list", "keys:list_command", "List the keys of this machine, and which roles they hold."),
    Row("keys sign", "rotate:sign", "Sign a request that was carried here; no network is needed."),
    Row("keys export", "keys:export", "Print the public part of a key, for others."),
    Row("policy show", "policy:show", "Show the rules that hold here, and who set each."),
    Row("policy sign", "policy:sign", "Sign a policy for the machines of an enterprise."),
    Row("policy pin", "policy:pin", "Have a signed policy hold on this machine."),
    Row("policy unpin", "policy:unpin", "Take away a policy that you pinned."),
    Row("mol cook", "mol_cook:cook", "Cook a formula: the steps that it becomes.", completes="protos"),
    Row("mol check", "mol_cook:check", "Say whether formulas cook alike under bd, gt and mmpm.", completes="protos"),
    Row("mol bond", "mol_bond:bond", "Begin work from a proto, add to work, or order it.", completes="molecules"),
    Row("mol pour", "mol_bond:pour", "Make a mol of a proto: work that is kept.", completes="molecules"),
    Row("mol wisp", "mol_bond:wisp", "Make a wisp of a proto: work that leaves only a digest.", completes="molecules"),
    Row("mol fork", "mol_bond:fork", "Copy a molecule of the catalogue, to edit.", completes="molecules"),
    Row("mol list", "mol_list:list_command", "List what can be bonded, or with --running what flows here."),
    Row("mol ready", "mol_ready:ready", "Say what may run now, and what may run at once.", completes="running"),
    Row("mol start", "mol_run:start_command", "Begin to work on steps.", completes="running"),
    Row("mol close", "mol_run:close_command", "End steps, and say what is ready then.", completes="running"),
    Row(
        "mol gate open",
        "mol_run:open_gate_command",
        "Open the gates of steps: human, timer, mail.",
        completes="running",
    ),
    Row("mol install", "mol_install:install", "Put the molecules of a release into your catalogue."),
    Row("mol uninstall", "mol_install:uninstall", "Take the molecules of a release out of your catalogue."),
    Row(
        "mol distill", "mol_distill:distill", "Make a formula of what a molecule turned out to be.", completes="running"
    ),
    Row("mol squash", "mol_end:squash", "End a molecule in a digest, the record of its work.", completes="running"),
    Row("mol burn", "mol_end:burn", "End molecules without a record.", completes="running"),
    Row("mol gc", "mol_end:gc", "Burn stale wisps; tidy up after killed commands."),
    Row(
        "mol show",
        "mol_show:show",
        "Show a molecule, a formula, a step or a digest; steps as a tree.",
        completes="seen",
    ),
    Row("mol graph", "mol_graph:graph", "Draw a molecule: svg, mermaid or dot.", completes="seen"),
    Row("mol records", "mol_records:records", "Print who did what under which formula, newest first."),
    Row("mol route", "mol_records:route", "Rank who has done work of this kind well before."),
    Row("mol post", "mol_post:post", "Post execution records to a registry, for others to read."),
    Row("mol verify", "mol_verify:verify", "Check a squash's digest, or the proof of one step.", completes="digests"),
    Row("mol export", "mol_export:export", "Print a molecule, digest or proto as beads' issues.", completes="seen"),
    Row("update", "registry:update", "Ask registries what is new.", completes="registries"),
    Row("mirror create", "mirror:create", "Copy registries, or what locks and ranges ask for, into a folder."),
    Row("mirror update", "mirror:update", "Bring a mirror up to date."),
    Row("mirror verify", "mirror:verify", "Check that a mirror is whole, file by file."),
    Row("mirror prune", "mirror:prune", "Remove what a mirror carries no more."),
    Row("mirror inventory", "pack:inventory", "Write down what a mirror or store has, hashed anew."),
    Row("mirror export", "pack:export", "Write a pack: everything, or what the far side lacks."),
    Row("mirror inspect", "pack:inspect", "Read a pack and say what it says of itself."),
    Row("mirror ack", "pack:acknowledge", "Sign which states a mirror holds: the base of the next pack."),
    Row("mirror import", "pack_import:import_packs", "Import packs into a mirror or this machine's store."),
    Row("store status", "store:status", "Say what the store holds."),
    Row("store verify", "store:verify", "Read and hash every object of the store."),
    Row("store repair", "store:repair", "Fetch damaged and missing objects again."),
    Row("store prune", "store:prune", "Remove what nothing uses."),
    Row("store path", "store:path", "Print where the store is, or one of its objects."),
    Row("config list", "config:list_settings", "List every setting."),
    Row("config get", "config:get", "Print one setting.", completes="settings"),
    Row("config set", "config:set_setting", "Set a setting in your config.toml.", completes="settings"),
    Row("config unset", "config:unset", "Take a setting out of your config.toml.", completes="settings"),
    Row("debug solve", "debug:debug_solve", "Solve a universe written as JSON."),
    Row("completion", "completion:script", "Print a completion script for bash, zsh or fish.", completes="shells"),
)


def knows_command(words: Sequence[str]) -> bool:
    """Say whether these words are a group or a command."""
    text = " ".join(words)
    return text in GROUPS or any(text == row.words or text in row.aliases for row in COMMANDS)


def find_row(words: Sequence[str]) -> Row | None:
    """Give the command that a line's words begin with, options left out; `None` where they name none."""
    plain = [word for word in words if not word.startswith("-")]
    for text in (" ".join(plain[:3]), " ".join(plain[:2]), " ".join(plain[:1])):
        for row in COMMANDS:
            if text == row.words or text in row.aliases:
                return row
    return None


def build_app(*, fancy: bool) -> App:
    """Make the command line parser with every row registered lazily.

    Args:
        fancy: draw help in boxes; only for terminals that can show them.
    """
    from cyclopts import App, Parameter

    from mmpm.cli.options import EPILOGUE
    from mmpm.cli.plain_help import PlainHelp, shown_default

    app = App(
        name="mmpm",
        help="The package manager of Mol Mall: formulas found, installed, locked and mirrored, offline first.",
        help_epilogue=EPILOGUE,
        help_formatter="default" if fancy else PlainHelp(),
        version_flags=(),
        # Commands get the session from us and never from the line.
        default_parameter=Parameter(parse="^(?!session$)", negative=(), show_default=shown_default),
    )
    groups: dict[str, App] = {}
    for row in COMMANDS:
        group, _, name = row.words.rpartition(" ")
        parent = _group(app, groups, group)
        names = [name, *(alias.rpartition(" ")[2] for alias in row.aliases)]
        parent.command(f"mmpm.cli.commands.{row.target}", name=names, help=row.help)
    return app


def _group(app: App, groups: dict[str, App], words: str) -> App:
    """Give the group of that name, made with those around it where it is the first time."""
    if not words:
        return app
    if words not in groups:
        from cyclopts import App

        around, _, name = words.rpartition(" ")
        groups[words] = App(name=name, help=GROUPS[words], version_flags=())
        _group(app, groups, around).command(groups[words])
    return groups[words]
