"""What is learned: a map of the pictures, a map of the texts, and how much the two count for a query."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

WIDTH = 384
FEATURES = 1280
IMAGE_HIDDEN = 768
TEXT_HIDDEN = 512
GATE_HIDDEN = 64
LEAST_WEIGHT = 0.09  # of the trained half, for a query that names a class
MOST_WEIGHT = 0.85  # for one that does not
DOUBT = 2.5  # logits: how much surer than even the gate must be that a text names no class


class ImageHead(nn.Module):
    """Backbone features [B, 1280] -> unit vectors [B, 384]: a linear map and one hidden layer beside it."""

    def __init__(self, dropout: float = 0.0, hidden_dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.dropout = nn.Dropout(dropout)
        self.straight = nn.Linear(FEATURES, WIDTH)
        self.hidden = nn.Linear(FEATURES, IMAGE_HIDDEN)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.out = nn.Linear(IMAGE_HIDDEN, WIDTH)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.dropout((features - self.mean) / self.spread)
        bent = self.out(self.hidden_dropout(functional.relu(self.hidden(x))))
        return functional.normalize(self.straight(x) + bent, dim=1)


class TextHead(nn.Module):
    """MiniLM's unit vectors [B, 384] -> unit vectors [B, 384]: as `ImageHead`, and at first the identity."""

    def __init__(self, hidden_dropout: float = 0.0) -> None:
        super().__init__()
        self.straight = nn.Linear(WIDTH, WIDTH, bias=False)
        self.hidden = nn.Linear(WIDTH, TEXT_HIDDEN)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.out = nn.Linear(TEXT_HIDDEN, WIDTH)
        nn.init.eye_(self.straight.weight)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        bent = self.out(self.hidden_dropout(functional.relu(self.hidden(vectors))))
        return functional.normalize(self.straight(vectors) + bent, dim=1)


class Several(nn.Module):
    """Heads trained apart, as one: their unit vectors side by side, projected to unit vectors [B, 384].

    The product of two such vectors is nearly the mean of the heads' products: see `several`.
    """

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.projection = nn.Linear(WIDTH * len(heads), WIDTH, bias=False)

    def side_by_side(self, inputs: torch.Tensor) -> torch.Tensor:
        """What is projected: unit vectors [B, 384 * heads]."""
        return torch.cat([head(inputs) for head in self.heads], dim=1) / len(self.heads) ** 0.5

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.projection(self.side_by_side(inputs)), dim=1)


@torch.no_grad()
def several(
    pairs: Sequence[tuple[nn.Module, nn.Module]], features: torch.Tensor, vectors: torch.Tensor
) -> tuple[Several, Several]:
    """Join (image head, text head) pairs. Both sides are projected alike, to the directions in which the
    pictures' [N, 1280] and the texts' [T, 384] joint vectors have most of their length (principal components
    without centring).
    """
    images, texts = Several([image for image, _ in pairs]), Several([text for _, text in pairs])
    length = torch.zeros(())
    for side, inputs in ((images.eval(), features), (texts.eval(), vectors)):
        rows = side.side_by_side(inputs)
        length = length + rows.T @ rows / len(rows)
    directions = torch.linalg.eigh(length).eigenvectors[:, -WIDTH:]
    for side in (images, texts):
        side.projection.weight.copy_(directions.T)
    return images, texts


class Gate(nn.Module):
    """MiniLM's unit vectors [B, 384] -> the weight of the trained half [B, 1], `LEAST_` to `MOST_WEIGHT`.

    Sees the vector and its highest cosine to a class text.
    """

    def __init__(self, classes: torch.Tensor, hidden_dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("classes", classes, persistent=False)
        self.hidden = nn.Linear(WIDTH + 1, GATE_HIDDEN)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.out = nn.Linear(GATE_HIDDEN, 1)

    def logit(self, vectors: torch.Tensor) -> torch.Tensor:
        """How sure it is that a text names no class, [B, 1]."""
        nearest = functional.linear(vectors, self.classes).max(1, keepdim=True).values
        # About as wide as the inputs of a layer are expected to be: coordinates of unit vectors are 0.05.
        x = torch.cat([20 * vectors, 10 * (nearest - 0.5)], dim=1)
        return self.out(self.hidden_dropout(functional.relu(self.hidden(x))))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return LEAST_WEIGHT + (MOST_WEIGHT - LEAST_WEIGHT) * (self.logit(vectors) - DOUBT).sigmoid()
