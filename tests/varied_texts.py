"""Texts as people and accidents write them: 1,000 of them, the same on every run."""

import random

_LINES = (
    "a the red blue dog cat bicycle sunset over mountain's she'll don't I've you're he'd we'm runner naïve",
    "café crème brûlée Ångström façade Zürich Straße ΑΘΗΝΑ Москва kraków İstanbul ʻOkina photo of PNG 4K",
    "f/2.8 10:30 U.S.A. e-mail well-known hot-air-balloon #sunset @home 100% $9.99 3.14159 2026-11-23 C++",
)
WORDS = [word for line in _LINES for word in line.split()]
SCRIPTS = (
    "東京の夜景", "红色的自行车", "서울의 봄", "กรุงเทพมหานคร", "नमस्ते दुनिया", "שלום עולם", "مرحبا بالعالم",
    "Привет, мир", "Γειά σου Κόσμε", "ሰላም ለዓለም", "ꯃꯅꯤꯄꯨꯔꯤ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "ｆｕｌｌ　ｗｉｄｔｈ", "ﬁne ﬂow",
    "e\u0301 a\u0308 n\u0303",
)  # fmt: skip
EMOJI = ("😀", "🐕", "👩‍👩‍👧‍👦", "🇫🇷", "👍🏽", "❤️", "🏳️‍🌈", "☕", "✈", "🪐", "™", "©", "½", "①", "٣", "Ⅷ")
ODD = (*"\0\x01\x07\t\x1f\x85\u00a0\u200b\u200d\u2028\u202e\ufeff\ufffd", "\r\n")
PUNCTUATION = "!?.,;:-–—_()[]{}<>/\\|\"'`´‘’“”«»…~^*+=&%$#@§°¿¡"
WHOLE = (
    "", " ", "   ", "\n", ".", "'", "'s", "'S", "<|endoftext|>", "<|startoftext|>a<|endoftext|>",
    "</w>", "a</w>", "&amp; &lt;b&gt;", "<b>bold</b>", "it's", "IT'S 'RE'VE'LL", "''''''", "0123456789",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a photo of a cat", "A PHOTO OF A CAT", "a  photo\tof\na cat",
    "ΣΊΣΥΦΟΣ", "ǅ ǈ", "ẞ", "…", "1,000,000.50",
)  # fmt: skip


def ordinary_texts(count: int = 400) -> list[str]:
    """Words, capitals, accents, numbers and punctuation, of 1 to 200 words."""
    rng = random.Random(11)
    texts = []
    for index in range(count):
        words = rng.choices(WORDS, k=200 if index % 20 == 0 else rng.randint(1, 25))
        words = [rng.choice((str, str.upper, str.title, str.lower))(word) for word in words]
        words = [word + rng.choice(PUNCTUATION) if rng.random() < 0.2 else word for word in words]
        texts.append(" ".join(words))
    return texts


def varied_texts() -> list[str]:
    """1,000 texts: ordinary ones, other scripts, emoji, control characters, noise from all of Unicode."""
    rng = random.Random(12)
    texts = [*WHOLE, *SCRIPTS, *EMOJI, *ODD, *ordinary_texts()]
    pieces = [*SCRIPTS, *EMOJI, *ODD, *WORDS, *PUNCTUATION]
    texts += ["".join(rng.choices(pieces, k=rng.randint(2, 40))) for _ in range(150)]
    texts += [" ".join(rng.choices(pieces, k=rng.randint(2, 40))) for _ in range(150)]
    distinct = dict.fromkeys(texts)
    while len(distinct) < 1000:
        points = [rng.randrange(rng.choice((0x250, 0x3000, 0x110000))) for _ in range(30)]
        distinct["".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)] = None
    return list(distinct)
