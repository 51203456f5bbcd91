"""What an ingest run did, in files."""

from dataclasses import dataclass, field

from semantic_media_search.records import SkippedFile


@dataclass(slots=True)
class IngestSummary:
    """Counts of files; `partial` names those of which only a part could be read.

    `frames` counts the frames stored, `duplicates` the sampled ones that were not, since they show what the
    frame before them shows. The first `skipped_before` of the skipped ones were skipped by an earlier run and have
    not changed since, as have the first `partial_before` of those read in part. `not_read` counts files of formats
    that are not read, by extension; `left_out` names media in a folder for the other kind.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    unavailable: int = 0
    frames: int = 0
    duplicates: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    skipped_before: int = 0
    partial: list[SkippedFile] = field(default_factory=list)
    partial_before: int = 0
    not_read: dict[str, int] = field(default_factory=dict)
    left_out: list[SkippedFile] = field(default_factory=list)

    @property
    def changed_anything(self) -> bool:
        """Whether the library is another one than before."""
        return bool(self.new or self.changed or self.moved or self.removed)
