"""Train what is learned (`heads.py`) on cached features and text vectors; on a CPU, seeded.

Pairs of maps, each from a seed of its own, are trained by a contrast with all other pairs of a batch, of
captioned and labelled photographs together, and then joined. Photographs that share the very same text count
as right answers of one another. Half of the batches are of random parts, mirrored half of the time. The
weights kept are a running mean (Polyak & Juditsky 1992). The gate learns to tell texts that name a class from
captions and labels.
"""

import copy
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from dataset import Dataset, Rows
from heads import Gate, ImageHead, TextHead, several
from judge import judge
from torch import nn
from torch.nn import functional

SEED = 0  # of the first pair of maps
HEADS = 3  # pairs of maps
CAPTIONED = 768  # pairs of a batch
LABELLED = 128
EPOCHS = 54
RATE = 2e-3  # the highest
DECAY = 0.1
MIXED = 0.4  # share of the texts to which another of the same photograph is added
CROPPED = 0.5  # share of the batches made of random parts
KEPT = 0.98  # of the running mean, a step
HOTTEST = 60.0  # what the cosines are multiplied with, at most
GATE_STEPS = 300
GATE_BATCH = 2048
GATE_RATE = 3e-3
GATE_DECAY = 0.3


def train_maps(photos: Path, cache: Path, seed: int) -> tuple[ImageHead, TextHead]:
    """A map of the pictures and one of the texts. In a process of its own: takes and gives what can be sent."""
    torch.set_num_threads(1)  # sums in another order would make other weights
    data = Dataset.read(photos, cache)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    views = torch.from_numpy(data.features), torch.from_numpy(data.cropped)
    vectors, group = torch.from_numpy(data.vectors), torch.from_numpy(data.group)
    image_head, text_head = ImageHead(dropout=0.4, hidden_dropout=0.5), TextHead(hidden_dropout=0.2)
    known = views[0][np.concatenate([data.captioned, data.labelled])]
    image_head.mean.copy_(known.mean(0))
    image_head.spread.copy_(known.std(0) + 1e-3)
    log_scale = nn.Parameter(torch.tensor(3.0))
    learned = nn.ModuleList([image_head, text_head])
    kept = copy.deepcopy(learned).eval()
    optimiser = torch.optim.AdamW([*learned.parameters(), log_scale], lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * len(data.captioned) // CAPTIONED
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        rows = np.concatenate([_some(rng, data.captioned, CAPTIONED), _some(rng, data.labelled, LABELLED)])
        texts, others = (np.array([rng.choice(data.texts_of[row]) for row in rows]) for _ in range(2))
        mixed = torch.from_numpy((rng.random(len(rows)) < MIXED).astype(np.float32))[:, None]
        told = functional.normalize(vectors[texts] + mixed * vectors[others], dim=1)
        image = image_head(views[int(rng.random() < CROPPED)][rows])
        logits = log_scale.exp().clamp(max=HOTTEST) * image @ text_head(told).T
        same = (group[texts][:, None] == group[texts][None, :]).float()
        target = same / same.sum(1, keepdim=True)
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        # Early means would hold on to where the maps began.
        _follow(kept, learned, min(KEPT, (1 + step) / (10 + step)))
    return kept[0], kept[1]


def train_gate(data: Dataset, seed: int = SEED) -> Gate:
    """Texts that name a class against the captions and labels to train on; each kind counts alike.

    The class queries that are judged with are left out, although the classes are known beforehand.
    """
    torch.manual_seed(seed)
    captions, labels = data.texts(data.captioned), data.texts(data.labelled)
    judged = [text for _, text, _ in data.class_queries] + list(data.texts(data.dev))
    names = np.setdiff1d(np.setdiff1d(data.class_names, labels), judged)
    kinds = [np.setdiff1d(captions, judged), np.setdiff1d(labels, names), names]
    texts = np.concatenate(kinds)
    target = torch.cat([torch.full((len(kind),), float(kind is not names)) for kind in kinds])[:, None]
    share = torch.cat([torch.full((len(kind),), 1 / len(kind)) for kind in kinds])
    gate = Gate(torch.from_numpy(data.classes), hidden_dropout=0.3)
    optimiser = torch.optim.AdamW(gate.parameters(), lr=GATE_RATE, weight_decay=GATE_DECAY)
    vectors = torch.from_numpy(data.vectors[texts])
    for _ in range(GATE_STEPS):
        drawn = torch.multinomial(share, GATE_BATCH, replacement=True)
        loss = functional.binary_cross_entropy_with_logits(gate.logit(vectors[drawn]), target[drawn])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return gate.eval()


def train(photos: Path, cache: Path) -> list[str]:
    """Train all, write `heads.pt`, and give the dev figures."""
    seeds = range(SEED, SEED + HEADS)
    with ProcessPoolExecutor(
        min(HEADS, os.cpu_count() or 1), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        pairs = list(pool.map(train_maps, [photos] * HEADS, [cache] * HEADS, seeds))
    torch.set_num_threads(1)
    data = Dataset.read(photos, cache)
    rows = np.concatenate([data.captioned, data.labelled])
    images, texts = several(
        pairs, torch.from_numpy(data.features[rows]), torch.from_numpy(data.vectors[data.texts(rows)])
    )
    gate = train_gate(data)
    states = {"image": images.state_dict(), "text": texts.state_dict(), "gate": gate.state_dict()}
    torch.save(states, cache / "heads.pt")
    return list(judge(data, images, texts, gate))


def _some(rng: np.random.Generator, rows: Rows, count: int) -> Rows:
    return rng.choice(rows, min(count, len(rows)), replace=False)


@torch.no_grad()
def _follow(kept: nn.Module, learned: nn.Module, share: float) -> None:
    """Move the running mean towards the weights as they are now."""
    for mean, value in zip(kept.parameters(), learned.parameters(), strict=True):
        mean.lerp_(value, 1 - share)
    for mean, value in zip(kept.buffers(), learned.buffers(), strict=True):
        mean.copy_(value)
