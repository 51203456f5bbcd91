"""Where the files of one library lie."""

from dataclasses import dataclass
from pathlib import Path

FRAMES = "frames"
METADATA = "metadata.jsonl"
EMBEDDINGS = "embeddings.dat"
EMBEDDINGS_INDEX = "embeddings.idx"
GRAPH = "hnsw_index.bin"


@dataclass(frozen=True, slots=True)
class LibraryPaths:
    """The plan's files at the top; the generations of vectors that they are published from below."""

    root: Path

    @property
    def frames(self) -> Path:
        """The stored frames, `<frame_id>.jpg`."""
        return self.root / FRAMES

    @property
    def metadata(self) -> Path:
        """One JSON line a frame."""
        return self.root / METADATA

    @property
    def lock(self) -> Path:
        """Held by the one process that writes."""
        return self.root / "writer.lock"

    def frame(self, frame_id: int) -> Path:
        """The JPEG of one frame."""
        return self.frames / f"{frame_id}.jpg"

    def generation(self, number: int) -> Path:
        """The folder of one generation of vectors."""
        return self.root / "generations" / f"{number:04d}"
