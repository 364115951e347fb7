"""`holdfast backup` and `holdfast restore`: a home in one archive, and back on a bare box."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.run.backup import Manifest

HOME = Path("holdfast-home")
HomeOption = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    out: Annotated[Path, typer.Option(help="The archive to write: a name that ends in .tar or .tar.gz.")],
    home: HomeOption = HOME,
    history: Annotated[bool, typer.Option("--history", help="Also what was measured; it may be large.")] = False,
    site: Annotated[Path | None, typer.Option(help="Also this site file, with the tables and the policy beside it.")] = None,
    json: JsonOption = False,
) -> None:
    """Put a home into one archive: configuration, record, people, agents, learned states. The gate may run meanwhile.

    Keep it as safe as the home itself: it holds the key that signs the record.
    """
    import time

    import apsw

    from holdfast.gate.ledger.checkpoint import KeyFileError
    from holdfast.gate.ledger.store import StateError
    from holdfast.run.backup import BackupError, back_up
    from holdfast.site.model import SiteError

    try:
        manifest = back_up(home, out, at_ns=time.time_ns(), history=history, site=site)
    except BackupError as error:
        if error.code in ("backup.ledger", "backup.unsigned"):
            render(Answer(data={"error": str(error), "code": error.code}, lines=(str(error),), code=NO), json=json)
        fail(str(error), json=json)
    except (StateError, KeyFileError, SiteError) as error:
        fail(str(error), json=json)
    except (OSError, apsw.Error) as error:
        fail(f"{out}: can't be written ({error}). Check disk and rights.", json=json)
    render(_shown(manifest, out, title=f"{out}: {manifest.records} records, {len(manifest.files)} files"), json=json)


def restore(
    archive: Annotated[Path, typer.Argument(help="What `holdfast backup` wrote.")],
    home: HomeOption = HOME,
    key: Annotated[Path | None, typer.Option(help="ledger.pub of the gate whose backup it must be.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Move what is in the home aside first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what it holds.")] = False,
    json: JsonOption = False,
) -> None:
    """Put a backup in place. The gate then starts at observe: nothing that was asked, approved or counted is revived.

    0: done. 1: the archive is not what was signed, or its ledger does not verify; nothing was changed.
    """
    import time

    from holdfast.gate.ledger.checkpoint import KeyFileError, read_public
    from holdfast.run.backup import BackupError, read
    from holdfast.run.backup import restore as put_back

    aside = None
    try:
        pinned = read_public(key) if key else None
        if dry_run:
            manifest = read(archive, key=pinned)
        else:
            manifest, aside = put_back(archive, home, at_ns=time.time_ns(), key=pinned, force=force)
    except BackupError as error:
        if error.code in ("restore.occupied", "restore.running", "backup.form"):
            fail(str(error), json=json)
        render(Answer(data={"error": str(error), "code": error.code}, title="NOT restored", lines=(str(error),), code=NO), json=json)
    except KeyFileError as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{error.filename or archive}: {error.strerror}. Check the name, the disk and its rights.", json=json)
    if dry_run:
        render(_shown(manifest, archive, title=f"{archive} holds {manifest.records} records; nothing was changed"), json=json)
    lines = (
        f"signed by {manifest.key}",
        *((f"what was there is in {aside}",) if aside else ()),
        "The gate will start at observe, with no approvals and every budget used up. A person resumes with `holdfast autonomy`.",
    )
    shown = _shown(manifest, archive, title=f"restored to {home}")
    data = {**shown.data, "home": str(home), "aside": str(aside) if aside else None}
    render(Answer(data=data, title=shown.title, lines=lines), json=json)


def _shown(manifest: "Manifest", archive: Path, *, title: str) -> Answer:
    files: list[dict[str, Any]] = [{"path": f.path, "bytes": f.bytes, "sha256": f.sha256} for f in manifest.files]
    return Answer(
        data={
            "archive": str(archive),
            "key": manifest.key,
            "made_ns": manifest.made_ns,
            "records": manifest.records,
            "root": manifest.root,
            "files": files,
        },
        title=title,
        columns=("file", "bytes"),
        rows=tuple((f.path, str(f.bytes)) for f in manifest.files),
        lines=(f"signed by {manifest.key}",),
    )
