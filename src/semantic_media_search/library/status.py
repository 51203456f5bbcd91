"""What a library holds, in figures."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.ingest.catalog import Catalog, Generation, Root
from semantic_media_search.library.paths import LibraryPaths


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """Counts of files and frames, sizes in bytes.

    `pending_frames` have no vector yet; `unfinished` are generations of vectors begun after the one that serves;
    `files` counts sources by state, `kinds` readable ones by kind, and `folders` those of each root by kind, by the
    root's path.
    """

    place: Path
    roots: list[Root]
    frames: int
    removed_frames: int
    pending_frames: int
    files: dict[str, int]
    kinds: dict[str, int]
    folders: dict[str, dict[str, int]]
    skipped: list[tuple[str, str]]
    generation: Generation | None
    unfinished: list[Generation]
    committed_at: str | None
    vectors_bytes: int
    index_bytes: int


def read_status(paths: LibraryPaths, catalog: Catalog) -> LibraryStatus:
    """Look at one library, as of its newest commit."""
    with catalog.frozen():
        commit = catalog.last_commit()
        generation = commit.generation
        folder = paths.generation(generation.generation) if generation else None
        roots, of_root = catalog.roots(), catalog.kinds_by_root()
        return LibraryStatus(
            place=paths.root,
            roots=roots,
            frames=catalog.frame_count(),
            removed_frames=len(catalog.removed_frames()),
            pending_frames=catalog.frame_count(first_pending(folder, generation)),
            files=catalog.counts_by("state"),
            kinds=catalog.counts_by("kind"),
            folders={root.path: of_root.get(root.root_id, {}) for root in roots},
            skipped=catalog.skipped(),
            generation=generation,
            unfinished=[
                held
                for held in catalog.generations()
                if generation is not None and held.rows and held.generation > generation.generation
            ],
            committed_at=commit.created_at,
            vectors_bytes=generation.rows * generation.model.dim * 4 if generation else 0,
            index_bytes=_size(folder / generation.index_file)
            if folder and generation and generation.index_file
            else 0,
        )


def first_pending(folder: Path | None, generation: Generation | None) -> int:
    """The first frame_id behind the last one that has a vector in this generation, whose files `folder` holds."""
    if folder is None or generation is None or generation.rows == 0:
        return 0
    return int(EmbeddingStore(folder, generation.rows, generation.model.dim).frame_ids[-1]) + 1


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def frames_bytes(paths: LibraryPaths) -> int:
    """What the stored frames take on the disk; 0 without their folder. Looks at each file: a second for 100,000."""
    total = 0
    if not paths.frames.is_dir():
        return total
    with os.scandir(paths.frames) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a writer may clear away meanwhile
                total += entry.stat().st_size
    return total


def library_bytes(paths: LibraryPaths) -> int:
    """What all of the library takes on the disk, a file with two names counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(paths.root):
        for name in names:
            with suppress(FileNotFoundError):
                facts = os.lstat(f"{folder}/{name}")
                sizes[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(sizes.values())
