"""Train the half that learns from captions, on cached features (`features.py`) and text vectors (`texts.py`).

Both sides are linear: image features 1280 -> 384 and text vectors 384 -> 384, trained by a contrast with all
other pairs of a batch, of captioned and labelled photographs together. Photographs that share the very same
text count as right answers of one another. Prints the dev figures; writes `head.npz`.

Run: python training/starter/train.py PHOTOS CACHE
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from dataset import Dataset
from judge import judge
from torch import nn
from torch.nn import functional

WIDTH = 384


class Head(nn.Module):
    """`image`: standardised features [B, 1280] -> unit [B, 384]; `text`: MiniLM vectors -> unit [B, 384]."""

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.dropout = nn.Dropout(dropout)
        self.image_map = nn.Linear(mean.shape[0], WIDTH)
        self.text_map = nn.Linear(WIDTH, WIDTH, bias=False)
        nn.init.eye_(self.text_map.weight)
        self.log_scale = nn.Parameter(torch.tensor(3.0))

    def image(self, features: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.image_map(self.dropout((features - self.mean) / self.spread)), dim=1)

    def text(self, vectors: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.text_map(vectors), dim=1)

    def folded(self) -> dict[str, np.ndarray]:
        """The same maps without the standardisation: image [384, 1280] and bias, text [384, 384]."""
        weight = self.image_map.weight / self.spread
        bias = self.image_map.bias - weight @ self.mean
        arrays = {"image": weight, "bias": bias, "text": self.text_map.weight}
        return {key: value.detach().numpy() for key, value in arrays.items()}


def train(
    data: Dataset, *, seed: int, epochs: int, dropout: float, decay: float, rate: float, labelled: int
) -> Head:
    """Train one head. `labelled` of each batch's pairs are labelled photographs, beside 512 captioned."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(data.features)
    vectors = torch.from_numpy(data.vectors)
    known = features[np.concatenate([data.captioned, data.labelled])]
    head = Head(known.mean(0), known.std(0) + 1e-3, dropout)
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=decay)
    steps = epochs * len(data.captioned) // 512
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        rows = np.concatenate(
            [
                rng.choice(data.captioned, min(512, len(data.captioned)), replace=False),
                rng.choice(data.labelled, min(labelled, len(data.labelled)), replace=False),
            ]
        )
        texts = np.array([rng.choice(data.texts_of[row]) for row in rows])
        image, text = head.image(features[rows]), head.text(vectors[texts])
        logits = head.log_scale.exp() * image @ text.T
        same = torch.from_numpy(data.group[texts][:, None] == data.group[texts][None, :]).float()
        target = same / same.sum(1, keepdim=True)
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return head.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--labelled", type=int, default=256)
    args = parser.parse_args()
    data = Dataset.read(args.photos, args.cache)
    head = train(
        data,
        seed=args.seed,
        epochs=args.epochs,
        dropout=args.dropout,
        decay=args.decay,
        rate=args.rate,
        labelled=args.labelled,
    )
    arrays = head.folded()
    for line in judge(data, arrays):
        print(line)
    np.savez(args.cache / "head.npz", **arrays)


if __name__ == "__main__":
    main()
