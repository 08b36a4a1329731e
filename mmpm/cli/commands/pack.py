"""`mmpm mirror inventory`, `export`, `inspect`, `ack`."""

from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from mmpm.cli.passphrases import with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import counted, printable, size_text
from mmpm.ops import pack as ops
from mmpm.plan.mirrors import ExportPack

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.registry.pack.acknowledgement import Held
    from mmpm.registry.pack.format import Base, PackedRegistry
    from mmpm.registry.pack.stocktaking import Stock
    from mmpm.registry.pack.writing import Written

_Output = Annotated[str, Parameter(alias="-o")]


def inventory(
    folder: str | None = None,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    filter: bool = False,  # noqa: A002 - the option's name
    store: bool = False,
    session: Session,
) -> None:
    """Write down what lies in a mirror, all of it hashed anew: what the next pack is cut against.

    Args:
        folder: The mirror, or a registry; the working folder if left out.
        output: The file to write; else standard output.
        filter: A filter of three bytes for each file in place of its hash: below 40 kB for 10,000.
        store: What lies in this machine's store.
        session: This run.
    """
    context = session.context(read_manifest=False)
    place = "" if store else session.path(folder or ".")
    if output is None:
        from mmpm.execute.packing import stock_of

        session.output.raw_json(stock_of(context, place, as_filter=filter).inventory.to_bytes())
        return
    path = session.path(output)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return {"file": path, **(_stock_json(_stock(outcome)) if outcome else {})}

    plan = ops.plan_inventory(place, path, as_filter=filter)
    outcome = run_plan(session, context, plan, schema="mmpm.mirror-inventory/1", body=body)
    if outcome is not None:
        stock = _stock(outcome)
        session.output.result(f"Wrote {printable(path)}: {counted(stock.files, 'file')}, {size_text(stock.size)}")
        for state in stock.inventory.states:
            session.output.result(f"{state.registry_id}: serial {state.serial or 'none'}")


def export(
    source: str | None = None,
    /,
    *,
    output: _Output,
    base: tuple[str, ...] = (),
    lock: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    root: tuple[str, ...] = (),
    volume_size: str | None = None,
    level: int | None = None,
    session: Session,
) -> None:
    """Write a pack of a mirror or a registry: everything, or what the far side lacks.

    Args:
        source: The mirror, or a registry's folder; the working folder if left out.
        output: The pack to write.
        base: What the far side has: its inventory, its acknowledgement, or the serial that it shows; of several
            registries REGISTRY=SERIAL for each, and what is not named travels whole.
        lock: A lock whose releases travel, with all that they need.
        only: A requirement whose releases travel, with all that they need: mol-a@^1.
        root: Root key of a registry that this machine has not accepted (sha256:...).
        volume_size: Write volumes of exactly this size, such as 4G.
        level: Of zstd, 1 to 19.
        session: This run.
    """
    context = session.context(read_manifest=False)
    path = session.path(output)
    place, serials = ops.split_bases(base)
    wanted = ExportPack(
        source=session.path(source or "."),
        output=path,
        base=session.path(place) if place else "",
        serials=serials,
        locks=tuple(map(session.path, lock)),
        only=only,
        roots=root,
        volume_bytes=ops.volume_bytes(volume_size),
        level=level,
    )
    plan = ops.plan_export(context, wanted, counted=session.options.dry_run)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return _written_json(_written(outcome)) if outcome else {}

    outcome = run_plan(session, context, plan, schema="mmpm.mirror-export/1", body=body)
    if outcome is None:
        return
    written = _written(outcome)
    out = session.output
    out.result(f"Wrote {printable(path)}: {size_text(written.length)}, {counted(written.head.files, 'file')}")
    if len(written.names) > 1:
        out.result(f"Volumes: {len(written.names) - 1}; {printable(written.names[-1])} goes onto each medium")
    for one in written.head.registries:
        out.result(_sentence(one))
    out.say(f"Pack {written.head.id}")


def inspect(pack: str, /, *, files: bool = False, session: Session) -> None:
    """Read a pack from end to end and say what it says of itself; nothing of it is trusted or kept.

    Args:
        pack: The pack, one of its volumes, or the list of its volumes.
        files: List every file that comes out of it.
        session: This run.
    """
    found = ops.inspect(session.path(pack), with_files=files)
    out = session.output
    head = found.head
    out.result(f"Pack {head.id}: {size_text(found.length)}, {counted(head.files, 'file')} of {size_text(head.size)}")
    if len(found.volumes) > 1:
        out.result(f"Volumes: {len(found.volumes)}, all here and whole")
    for one in head.registries:
        out.result(_sentence(one))
        out.result(f"  root key sha256:{one.roots[0]}" + (f", {len(one.roots)} roots" * (len(one.roots) > 1)))
    for path, length, member in found.files:
        out.result(f"{length:>12}  {printable(path)}" + (f"  ({member})" if member else ""))
    out.say("Every member is what its line says; who signed what is for the import to judge")
    out.document(
        "mmpm.mirror-inspect/1",
        {
            "pack": head.id,
            "length": found.length,
            "volumes": list(found.volumes),
            "files": head.files,
            "size": head.size,
            "registries": [one.to_json() for one in head.registries],
            **(
                {"list": [{"path": path, "length": length, "member": member} for path, length, member in found.files]}
                if files
                else {}
            ),
        },
    )


def acknowledge(
    folder: str | None = None,
    /,
    *,
    output: _Output,
    key: str,
    root: tuple[str, ...] = (),
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Write and sign which states a mirror holds whole, every object hashed: the base of the next pack, below 2 kB.

    Args:
        folder: The mirror; the working folder if left out.
        output: The file to write.
        key: Your key that signs it, as `keys list` shows it.
        root: Root key of a registry that this machine has not accepted (sha256:...).
        passphrase_file: File whose first line opens the key.
        session: This run.
    """
    context = session.context(read_manifest=False)
    path = session.path(output)
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    plan = ops.plan_acknowledgement(
        context, session.path(folder or "."), path, key, roots=root, passphrase_file=phrase_path
    )
    if not session.options.dry_run:
        context = with_person_passphrase(session, context, key, phrase_path)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return {"file": path, "registries": [one.to_json() for one in _held(outcome)] if outcome else []}

    outcome = run_plan(session, context, plan, schema="mmpm.mirror-ack/1", body=body)
    if outcome is not None:
        session.output.result(f"Wrote {printable(path)}, signed by {key}")
        for one in _held(outcome):
            state = one.state
            session.output.result(f"{state.registry_id}: serial {state.serial}, {counted(one.objects.count, 'object')}")


def _stock(outcome: "Outcome") -> "Stock":
    return cast("Stock", outcome.results[0])


def _written(outcome: "Outcome") -> "Written":
    return cast("Written", outcome.results[0])


def _held(outcome: "Outcome") -> "tuple[Held, ...]":
    return cast("tuple[Held, ...]", outcome.results[0])


def _stock_json(stock: "Stock") -> dict[str, object]:
    return {
        "id": stock.inventory.id,
        "files": stock.files,
        "size": stock.size,
        "damaged": list(stock.damaged),
        "registries": [one.to_json() for one in stock.inventory.states],
    }


def _written_json(written: "Written") -> dict[str, object]:
    return {
        "pack": written.head.id,
        "length": written.length,
        "names": list(written.names),
        "files": written.head.files,
        "size": written.head.size,
        "registries": [one.to_json() for one in written.head.registries],
        "kinds": {
            kind: {"files": count, "size": written.tally.bytes[kind]} for kind, count in written.tally.files.items()
        },
    }


def _sentence(one: "PackedRegistry") -> str:
    which = "all releases" if one.select == "all" else "selected releases"
    return (
        f"{one.id}: serial {one.serial} of {one.issued}, {which} ({one.releases}), "
        f"{counted(one.files, 'file')} of {size_text(one.size)}, {_based_on(one.base)}"
    )


def _based_on(base: "Base | None") -> str:
    if base is None:
        return "needs nothing that is not in it"
    has = f"serial {base.serial}" if base.serial else "no state of it"
    return f"for whoever has {has}" + (f" ({base.kind})" if base.kind != "serial" else "")
