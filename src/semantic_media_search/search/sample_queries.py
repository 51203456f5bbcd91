"""Searches as people type them: what a library's recall is measured with before anyone has searched it."""

from itertools import product

_SUBJECTS = (
    "a dog", "two children", "a woman in a red dress", "an old man", "a black cat", "a bicycle", "a birthday cake",
    "a group of friends", "a blue car", "a football player", "a horse", "a boat",
)  # fmt: skip
_PLACES = (
    "on the beach", "in the snow", "in the kitchen", "at night", "in front of a house", "in the mountains",
    "on a city street", "in the garden", "at a party", "near the water",
)  # fmt: skip
_PHRASES = (
    "sunset over the sea", "red hoodie dog", "a skyline at night", "food on a table", "flowers", "someone laughing",
    "people dancing at a wedding", "screenshot of a receipt", "handwritten note", "a train station", "fireworks",
    "a close-up of a face", "ski slope", "crowd at a concert", "baby sleeping", "an airplane in the sky",
    "green fields", "empty room", "a bird on a branch", "a waterfall in a forest", "a cup of coffee", "a rocket launch",
    "playing the guitar", "someone jumping", "a yellow taxi", "a bridge over a river", "christmas tree", "a map",
    "a laptop on a desk", "autumn leaves", "running in a race", "fish under water", "a castle", "a selfie",
    "an elephant", "a swimming pool", "reading a book", "street market with fruit", "a tent at a campsite", "rain",
)  # fmt: skip

SAMPLE_QUERIES: tuple[str, ...] = (
    *_PHRASES,
    *(f"{subject} {place}" for subject, place in product(_SUBJECTS, _PLACES)),
)
"""160 queries: objects, people, scenes, colours and actions, alone and together."""
