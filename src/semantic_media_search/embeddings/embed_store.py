"""The embedding store: raw float32 rows in one file that only ever grows, and which frame each row is of.

`embeddings.dat` holds N x D float32, little-endian, row after row, nothing else: `np.memmap(path, "float32",
shape=(N, D))` reads it. Beside it `frame_ids.dat` holds the frame_id of each row as int64, ascending.
`embeddings.idx` says the same in text, one `frame_id row` a line, for people and other programs.
How many rows count is the catalogue's to say; what lies beyond is the remains of a run that did not commit.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import LibraryCorruptError, VectorError
from semantic_media_search.records import F32, I64

VECTORS_NAME = "embeddings.dat"
FRAME_IDS_NAME = "frame_ids.dat"
_NORM_TOLERANCE = 1e-3


def require_unit_rows(vectors: F32, dim: int) -> None:
    """Raise VectorError unless `vectors` is float32 [B, dim] with finite, L2-normalised rows."""
    if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != dim:
        raise VectorError(f"expected float32 vectors [B, {dim}], got {vectors.dtype} {list(vectors.shape)}")
    norms = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~(np.abs(norms - 1) <= _NORM_TOLERANCE))
    if wrong.size:
        raise VectorError(
            f"row {wrong[0]} has length {norms[wrong[0]]:.4g}, expected 1; the model's weights may be damaged"
        )


class EmbeddingStore:
    """The rows of one generation, read by memory map.

    `vectors` is float32 [rows, dim], `frame_ids` int64 [rows]; both are read-only.
    """

    def __init__(self, folder: Path, rows: int, dim: int):
        """Map the first `rows` rows. Raises LibraryCorruptError where the files hold fewer."""
        self.rows, self.dim = rows, dim
        self.vectors: F32 = _map(folder / VECTORS_NAME, np.float32, (rows, dim))
        self.frame_ids: I64 = _map(folder / FRAME_IDS_NAME, np.int64, (rows,))

    def rows_of(self, frame_ids: Sequence[int] | I64) -> I64:
        """The rows of these frames, int64; frames without a row are left out."""
        wanted = np.asarray(frame_ids, dtype=np.int64)
        rows = np.searchsorted(self.frame_ids, wanted)
        inside = rows < self.rows
        rows, wanted = rows[inside], wanted[inside]
        found: I64 = rows[self.frame_ids[rows] == wanted].astype(np.int64)
        return found


class EmbeddingWriter:
    """Appends rows to one generation, after cutting back what an earlier run left without a commit."""

    def __init__(self, folder: Path, rows: int, dim: int):
        """Open for appending behind the first `rows` committed rows.

        Raises LibraryCorruptError where the files hold fewer than were committed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.rows, self.dim = folder, rows, dim
        self._vectors = _open_at(folder / VECTORS_NAME, rows * dim * 4)
        self._frame_ids = _open_at(folder / FRAME_IDS_NAME, rows * 8)

    def append(self, frame_ids: Sequence[int], vectors: F32) -> None:
        """Append one row for each frame: `vectors` float32 [B, dim], L2-normalised, `frame_ids` ascending."""
        require_unit_rows(vectors, self.dim)
        if len(frame_ids) != len(vectors):
            raise VectorError(f"{len(frame_ids)} frames came with {len(vectors)} vectors")
        self._vectors.write(np.ascontiguousarray(vectors).tobytes())
        self._frame_ids.write(np.asarray(frame_ids, dtype=np.int64).tobytes())
        self.rows += len(frame_ids)

    def flush(self) -> None:
        """Bring all rows to the disk; only then may a commit count them."""
        for file in (self._vectors, self._frame_ids):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files without a flush to the disk: what was not flushed was not committed either."""
        for file in (self._vectors, self._frame_ids):
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_embeddings_index(
    path: Path, frame_ids: Sequence[int] | I64, skip_rows: frozenset[int] = frozenset()
) -> None:
    """Write `embeddings.idx`, atomically: a `frame_id row` line for each row that is not in `skip_rows`."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="ascii") as file:
        file.writelines(
            f"{frame_id} {row}\n"
            for row, frame_id in enumerate(np.asarray(frame_ids).tolist())
            if row not in skip_rows
        )
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load_embeddings_index(path: str | Path) -> dict[int, int]:
    """Read `embeddings.idx`: {frame_id: row}. Raises LibraryCorruptError naming the line that does not fit."""
    return dict(read_embeddings_index(path))


def read_embeddings_index(path: str | Path) -> Iterator[tuple[int, int]]:
    """As `load_embeddings_index`, one (frame_id, row) after the other: memory does not grow with the file."""
    with Path(path).open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                frame_id, row = line.split()
                yield int(frame_id), int(row)
            except ValueError as error:
                raise LibraryCorruptError(
                    f"{path}, line {number} is not `frame_id row`; run `media-search index` to write it anew"
                ) from error


def _open_at(path: Path, size: int) -> BinaryIO:
    """Open a file for appending at `size` bytes, cutting back what lies beyond."""
    file = path.open("r+b" if path.exists() else "w+b")
    held = file.seek(0, os.SEEK_END)
    if held < size:
        file.close()
        raise LibraryCorruptError(
            f"{path} holds {held} bytes where {size} were committed; restore the library from a copy, "
            "or run `media-search index --rebuild`"
        )
    file.truncate(size)
    file.seek(size)
    return file


def _map(path: Path, dtype: type, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Map a file's first bytes as an array, read-only."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    held = path.stat().st_size if path.exists() else 0
    if held < size:
        raise LibraryCorruptError(
            f"{path} holds {held} bytes where {size} were committed; run `media-search index --rebuild`"
        )
    if size == 0:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=shape)
