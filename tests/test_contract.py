"""The plan's names, signatures and defaults: others build on them, so they do not change by accident."""

import importlib
import inspect

import pytest

PACKAGE = "semantic_media_search"

SIGNATURES = {
    "ingest.image_ingest:ingest_images": ["root_dir", "frames_dir", "metadata_writer"],
    "ingest.video_ingest:ingest_videos": ["root_dir", "frames_dir", "metadata_writer", "fps"],
    "ingest.metadata_store:MetadataWriter": ["path"],
    "ingest.metadata_store:MetadataWriter.add_record": ["self", "record"],
    "ingest.metadata_store:MetadataWriter.close": ["self"],
    "ingest.metadata_store:load_metadata": ["path"],
    "embeddings.clip_encoder:encode_images": ["image_paths"],
    "embeddings.clip_encoder:encode_texts": ["queries"],
    "embeddings:load_encoder": ["name_or_path"],
    "index.hnsw:HNSWIndex": ["dim", "m", "ef_construction", "seed"],
    "index.hnsw:HNSWIndex.build": ["self", "embeddings", "threads"],
    "index.hnsw:HNSWIndex.add": ["self", "embeddings", "threads"],
    "index.hnsw:HNSWIndex.mark_deleted": ["self", "node_ids"],
    "index.hnsw:HNSWIndex.restore": ["self", "node_ids"],
    "index.hnsw:HNSWIndex.search": ["self", "query_vec", "k", "ef", "allowed"],
    "index.hnsw:HNSWIndex.search_batch": ["self", "queries", "k", "ef", "threads", "allowed"],
    "index.hnsw:HNSWIndex.save": ["self", "path"],
    "index.hnsw:HNSWIndex.load": ["path", "embeddings"],
    "search.brute_force:brute_force_search": ["query_embedding", "embeddings", "k"],
    "search.retriever:ImageRetriever": ["encoder", "index", "emb_store", "metadata"],
    "search.retriever:ImageRetriever.search_text": ["self", "query", "k"],
    "api.server:create_app": [],
}

DEFAULTS = {
    ("ingest.video_ingest:ingest_videos", "fps"): 1.0,
    ("search.retriever:ImageRetriever.search_text", "k"): 20,
    ("index.hnsw:HNSWIndex", "m"): 16,
    ("index.hnsw:HNSWIndex", "ef_construction"): 200,
    ("index.hnsw:HNSWIndex", "seed"): 0,
    ("index.hnsw:HNSWIndex.search", "ef"): 50,
    ("index.hnsw:HNSWIndex.search_batch", "ef"): 50,
}


def _find(place: str) -> object:
    module, _, names = place.partition(":")
    found: object = importlib.import_module(f"{PACKAGE}.{module}")
    for name in names.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("place", SIGNATURES)
def test_the_plans_signatures(place: str) -> None:
    parameters = list(inspect.signature(_find(place)).parameters.values())  # type: ignore[arg-type]
    assert [parameter.name for parameter in parameters][: len(SIGNATURES[place])] == SIGNATURES[place]
    further = parameters[len(SIGNATURES[place]) :]
    assert all(
        parameter.default is not inspect.Parameter.empty or parameter.kind is inspect.Parameter.VAR_KEYWORD
        for parameter in further
    )


@pytest.mark.parametrize(("place", "name"), DEFAULTS)
def test_the_plans_defaults(place: str, name: str) -> None:
    assert inspect.signature(_find(place)).parameters[name].default == DEFAULTS[place, name]  # type: ignore[arg-type]


def test_the_plans_configuration() -> None:
    config = importlib.import_module(f"{PACKAGE}.config")
    assert config.CLIP_MODEL_NAME == "openai/clip-vit-base-patch32"
    assert config.EMBEDDING_DIM == 512
    settings = config.Settings()
    assert (settings.m, settings.ef_construction, settings.fps, settings.max_side) == (16, 200, 1.0, 512)
    assert settings.library.as_posix() == "data/processed"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_the_server_module_has_the_plans_app() -> None:
    server = importlib.import_module(f"{PACKAGE}.api.server")
    paths = {*server.app.openapi()["paths"], server.app.url_path_for("_page")}
    assert {"/search", "/health", "/frame/{frame_id}", "/"} <= paths
