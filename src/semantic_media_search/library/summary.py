"""What an ingest run did, in files."""

from dataclasses import dataclass, field

from semantic_media_search.records import SkippedFile


@dataclass(slots=True)
class IngestSummary:
    """Counts of files; `frames` counts the frames stored, `partial` names files of which only a part could be read."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    unavailable: int = 0
    frames: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    partial: list[SkippedFile] = field(default_factory=list)

    @property
    def changed_anything(self) -> bool:
        """Whether the library is another one than before."""
        return bool(self.new or self.changed or self.moved or self.removed)
