"""Whether the stored vectors are those of their frames, by a sample: see decision 0405."""

from math import ceil

import numpy as np

from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.errors import MediaError
from semantic_media_search.ingest.catalog import Catalog
from semantic_media_search.ingest.duplicates import NOISE, fingerprint, hash_distance, perceptual_hash
from semantic_media_search.media.decode import load_image
from semantic_media_search.media.standardise import is_coarse
from semantic_media_search.records import F32, U8, Instant

SAMPLE = 16
_CANDIDATES = 8 * SAMPLE
_ALIKE = 0.6
"""A frame encoded again has a cosine of 0.92 or more to its own vector (photographs, default settings)."""
_SHARE = 0.25
_SURELY_OWN = 16
_BITS_APART, _BITS_SHARE = 8, 0.25
"""A picture is another where at least so many bits differ, and more than this share of those that tell anything."""
_LEAST_SIDE = 32
"""Of smaller pictures JPEG leaves too little, as it does of any at a low quality (see `is_coarse`)."""


def rows_of_other_frames(catalog: Catalog, store: EmbeddingStore, encoder: Encoder) -> list[int]:
    """The frames of a sample whose vectors are not theirs; none where that may be chance. Always the same sample."""
    frame_ids, pictures = _sample(catalog, store)
    if len(frame_ids) < 2:
        return []
    again = encoder.encode_pixels(pictures)
    stored: F32 = np.asarray(store.vectors[store.rows_of(frame_ids)])
    cosines = again @ stored.T
    own = np.diag(cosines).copy()
    np.fill_diagonal(cosines, -1)
    # More like another's vector than like its own: where frames were stored very small or coarse, their own are
    # not very like either, but still the likest.
    foreign = (own < _ALIKE) & (own < cosines.max(axis=1))
    if np.count_nonzero(foreign) < max(2, ceil(_SHARE * len(own))):
        return []
    return [frame_id for frame_id, lost in zip(frame_ids, foreign, strict=True) if lost]


def shows(instant: Instant, pixels: U8) -> bool:
    """Whether a stored picture, uint8 RGB [H, W, 3], is that of the frame, by the hash that was taken before.

    JPEG changes no more than a bit or two of those that noise does not decide (decision 0405). What is nearly of one
    colour may have been of one colour before, which has a hash of another kind: that tells nothing.
    """
    seen = fingerprint(pixels, 2 * NOISE)
    decided = ~seen.by_chance & (2**64 - 1)
    apart = hash_distance(instant.phash & decided, seen.phash & decided)
    return apart < _BITS_APART or apart <= _BITS_SHARE * decided.bit_count()


def _sample(catalog: Catalog, store: EmbeddingStore) -> tuple[list[int], list[U8]]:
    """Up to SAMPLE live frames that can be judged, and their pictures; what cannot be read is for others to tell."""
    chance = np.random.default_rng(store.rows)
    rows = chance.choice(store.rows, min(_CANDIDATES, store.rows), replace=False)
    chosen = np.asarray(store.frame_ids)[rows].tolist()
    frame_ids: list[int] = []
    pictures: list[U8] = []
    instants = catalog.instants(chosen)
    for frame in catalog.frames(chosen):
        if len(frame_ids) == SAMPLE:
            break
        if min(frame.width, frame.height) < _LEAST_SIDE:
            continue
        try:
            if is_coarse(frame.frame_path):
                continue
            pixels = load_image(frame.frame_path)
        except (OSError, MediaError):
            continue
        # Else it may be the picture that is another's, not the vector.
        if hash_distance(instants[frame.frame_id].phash, perceptual_hash(pixels)) <= _SURELY_OWN:
            frame_ids.append(frame.frame_id)
            pictures.append(pixels)
    return sorted(frame_ids), [pictures[at] for at in np.argsort(frame_ids)]
