"""The plan's end-to-end test: real photographs and videos in, the right files first, by the starter model.

The validation set (the plan's section 11.2) is the sample media, videos sampled four times a second: some 90
frames of known content. Each query names the files of which one must lead; exact search must agree.
"""

from pathlib import Path

import numpy as np
import pytest

from sample_media import MUST_LEAD, sample_media
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.ingest.metadata_store import load_metadata
from semantic_media_search.library import Library
from semantic_media_search.search.brute_force import brute_force_search


def test_the_validation_set_is_what_the_plan_asks_for(validation_library: Library) -> None:
    metadata = load_metadata(validation_library.paths.metadata)
    assert 50 <= len(metadata) <= 100
    assert list(metadata) == list(range(len(metadata)))
    assert {record["kind"] for record in metadata.values()} == {"image", "video"}


@pytest.mark.parametrize("query", MUST_LEAD)
def test_end_to_end_pipeline(validation_library: Library, query: str) -> None:
    view = validation_library.view()
    hits = view.search_text(query, 5)
    assert Path(hits[0].frame.source_path).name in MUST_LEAD[query]
    exact = brute_force_search(view.encode_query(query), np.asarray(view.store.vectors), 5)
    assert [hit.frame.frame_id for hit in hits] == [int(view.store.frame_ids[row]) for row, _ in exact]
    assert [hit.similarity for hit in hits] == pytest.approx([cosine for _, cosine in exact], abs=1e-5)


def test_the_second_of_the_video(validation_library: Library) -> None:
    hit = validation_library.view().search_text("riding a bicycle in the city", 1)[0]
    assert hit.frame.timestamp is not None
    assert hit.frame.duration is not None
    assert 0 <= hit.frame.timestamp <= hit.frame.duration
    assert hit.frame.interval is not None
    assert hit.frame.interval[0] <= hit.frame.timestamp <= hit.frame.interval[1]


def test_stored_frames_give_the_vectors_that_were_stored(validation_library: Library) -> None:
    """Vectors made in one pass, from pixels in memory, agree with those made from the JPEG (DESIGN: 0.999)."""
    settings = Settings(
        library=validation_library.paths.root.parent / "one_pass", threads=2, duplicate_threshold=0
    )
    other = Library(settings, lambda name: load_encoder(name, threads=2))
    other.add_roots([sample_media() / "images"])
    other.update("starter")
    one_pass, two_steps = other.view().store.vectors, validation_library.view().store.vectors
    cosines = np.sum(np.asarray(one_pass) * np.asarray(two_steps[: len(one_pass)]), axis=1)
    assert cosines.min() >= 0.97
    assert np.median(cosines) >= 0.99
