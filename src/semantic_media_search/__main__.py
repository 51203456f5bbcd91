"""`python -m semantic_media_search` is `media-search`."""

import sys

from semantic_media_search.cli import main

sys.exit(main())
