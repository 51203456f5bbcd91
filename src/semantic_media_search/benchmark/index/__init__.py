"""`media-search benchmark index`: the index beside others, and by itself under every load it has to bear."""
