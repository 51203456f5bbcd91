"""Make the starter model from its public ingredients and a folder of photographs, end to end and seeded.

Run: python training/starter/make.py WHEELS WORDNET PHOTOS CACHE MODEL_FOLDER
"""

import argparse
import logging
from pathlib import Path

from export import export
from features import cache_features
from texts import cache_texts
from train import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("wheels", "wordnet", "photos", "cache", "folder"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    say = logging.getLogger("starter").info
    say("features of the photographs")
    cache_features(args.wheels, args.photos, args.cache)
    say("vectors of the texts")
    cache_texts(args.wheels, args.wordnet, args.photos, args.cache)
    say("training")
    for line in train(args.photos, args.cache):
        say(line)
    say("writing the model")
    export(args.wheels, args.photos, args.cache, args.folder)


if __name__ == "__main__":
    main()
