"""Taking a folder out of the library: its files leave the results, and are not looked for again."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from semantic_media_search.errors import SourceFolderError
from semantic_media_search.ingest.catalog import REMOVED, Root, Source
from semantic_media_search.ingest.discovery import on_one_line, path_to_text
from semantic_media_search.ingest.scan import lies_in
from semantic_media_search.library.absences import remove
from semantic_media_search.library.publish import expect_rewrite, publish
from semantic_media_search.library.writer import LibraryWriter


def forget(writer: LibraryWriter, folders: Iterable[Path]) -> int:
    """Take folders out; returns how many files left with them. The folders' own files are never touched.

    An unplugged disk inside a folder can be named too; its files come back when it is plugged in again.
    A file that also lies in another folder of the library stays. `compact` reclaims the space; until then a folder
    that is added again brings its files back without being read anew. Raises SourceFolderError naming a folder
    that the library does not have; then nothing is taken out.
    """
    catalog = writer.catalog
    roots, mounts = catalog.roots(), catalog.mounts()
    named = [_named(folder, roots, mounts) for folder in folders]
    leaving = {root.root_id for root in named if isinstance(root, Root)}
    disks = [disk for disk in named if isinstance(disk, str)]
    staying = [root for root in roots if root.root_id not in leaving]
    gone = 0
    with writer.committing():
        expect_rewrite(writer.paths)
        for source in catalog.sources().values():
            if source.state == REMOVED:
                continue
            if any(lies_in(disk, source.path) for disk in disks):
                remove(catalog, source)
                gone += 1
                continue
            if source.root_id not in leaving:
                continue
            other = next((root for root in staying if _holds(root, source)), None)
            if other is not None:
                catalog.put_source(replace(source, root_id=other.root_id))
            else:
                remove(catalog, source)
                gone += 1
        for root_id in leaving:
            catalog.leave_root(root_id)
        catalog.set_mounts(mounts.difference(disks))
    publish(writer.paths, catalog, writer.commit)
    return gone


def _named(folder: Path, roots: Iterable[Root], mounts: set[str]) -> Root | str:
    """The library's folder, or the disk inside one, that is meant; it need not be there any more."""
    place = folder.expanduser()
    names = {path_to_text(place.resolve()), path_to_text(place.absolute())}
    for root in roots:
        if root.path in names:
            return root
    for name in names & mounts:
        return name
    held = ", ".join(on_one_line(root.path) for root in roots) or "none"
    raise SourceFolderError(f"{folder} is no folder of this library; its folders are: {held}")


def _holds(root: Root, source: Source) -> bool:
    return lies_in(root.path, source.path) and root.only_kind in (None, source.kind)
