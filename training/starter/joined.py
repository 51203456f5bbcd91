"""The maps of the pictures and the classifier as one layer on the backbone's features, made to be run in int8."""

import torch
from heads import IMAGE_HIDDEN, WIDTH, Several
from torch import nn
from torch.nn import functional


class JoinedMaps(nn.Module):
    """Backbone features [B, 1280] -> the classifier's logits [B, 1000] and what `Several` gives, [B, 384].

    All that is linear in the features is one matrix, on the features as they are: those lie between 0 and 6,
    so that one step of eight bits suits them all (divided by their spread, a few reach 29).
    """

    def __init__(self, classifier: nn.Linear, maps: Several) -> None:
        super().__init__()
        heads = list(maps.heads)
        weights, biases = [classifier.weight], [classifier.bias]
        for layers in ([head.straight for head in heads], [head.hidden for head in heads]):
            for head, layer in zip(heads, layers, strict=True):
                weights.append(layer.weight / head.spread)
                biases.append(layer.bias - weights[-1] @ head.mean)
        self.widths = [len(classifier.bias), len(heads) * WIDTH, len(heads) * IMAGE_HIDDEN]
        self.first = nn.Linear(classifier.in_features, sum(self.widths))
        self.first.load_state_dict({"weight": torch.cat(weights), "bias": torch.cat(biases)})
        self.outs = nn.ModuleList([head.out for head in heads])
        self.projection = maps.projection

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, straight, hidden = self.first(features).split(self.widths, dim=1)
        parts = zip(
            straight.split(WIDTH, dim=1),
            functional.relu(hidden).split(IMAGE_HIDDEN, dim=1),
            self.outs,
            strict=True,
        )
        units = [functional.normalize(line + out(bent), dim=1) for line, bent, out in parts]
        joined = torch.cat(units, dim=1) / len(units) ** 0.5
        return logits, functional.normalize(self.projection(joined), dim=1)
