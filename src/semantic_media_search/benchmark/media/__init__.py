"""`media-search benchmark media`, `pipeline` and `ingest`: from files to vectors, by stage and beside others."""
