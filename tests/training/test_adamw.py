"""The optimizer against torch's own."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from nexus_engine.model.cpu.grown_linear import LinearBlock
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.training.steps.adamw import AdamW


def test_it_steps_as_torch_does_bit_by_bit():
    torch.manual_seed(0)
    ours = [
        nn.Parameter(torch.randn(5, 3)),
        nn.Parameter(torch.randn(7)),
        nn.Parameter(torch.ones(2)),
    ]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    groups = [(0, 2, 1e-2), (2, 3, 1e-3)]
    our_optimizer = AdamW(
        [{"params": ours[a:b], "lr": lr, "weight_decay": 0.1} for a, b, lr in groups]
    )
    torch_optimizer = torch.optim.AdamW(
        [{"params": theirs[a:b], "lr": lr} for a, b, lr in groups], weight_decay=0.1, fused=True
    )
    for step in range(20):
        our_optimizer.zero_grad()
        torch_optimizer.zero_grad()
        for our, their in zip(ours[: 2 if step % 2 else 3], theirs, strict=False):
            our.grad = torch.randn_like(our)
            their.grad = our.grad.clone()
        our_optimizer.step()
        torch_optimizer.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    for our, their in zip(ours, theirs, strict=True):
        assert our_optimizer.state[our].keys() == torch_optimizer.state[their].keys()


def test_a_copy_of_the_weights_follows_each_step():
    """The fused kernel leaves version counters alone: `--tune full` trained on stale copies."""
    site = DendriteLinear(6, 4)
    nn.init.normal_(site.weight)
    nn.init.normal_(site.bias)
    block = LinearBlock((site,), torch.float32)
    optimizer = AdamW([{"params": [site.weight, site.bias], "lr": 0.1, "weight_decay": 0.0}])
    for _ in range(3):
        before = site.weight.detach().clone()
        site.weight.grad, site.bias.grad = torch.ones_like(site.weight), torch.ones_like(site.bias)
        optimizer.step()
        block.refresh()
        assert not torch.equal(site.weight, before)
        assert torch.equal(block.weight[:, :6], site.weight)
        assert torch.equal(block.bias, site.bias)


def test_a_rate_that_is_a_tensor_stays_the_same_object():
    """A step in chunks between two replays of a CUDA graph sets the rate that the graph reads."""
    rate = torch.tensor(0.0)
    number, tensor = (
        {"params": [nn.Parameter(torch.ones(2))], "lr": lr, "base_lr": 1e-2, "weight_decay": 0.0}
        for lr in (0.0, rate)
    )
    optimizer = AdamW([number, tensor])
    for factor in (1.0, 0.25):
        optimizer.scale_rates(factor)
        assert tensor["lr"] is rate
        assert float(rate) == pytest.approx(number["lr"]) == 1e-2 * factor
    for group in (number, tensor):
        group["params"][0].grad = torch.ones(2)
    optimizer.step()
    assert torch.allclose(number["params"][0], tensor["params"][0])


def test_it_does_not_import_the_compiler():
    code = (
        "import sys, torch; from nexus_engine.training.steps.adamw import AdamW;"
        "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2);"
        "AdamW([{'params': [p], 'lr': 0.1, 'weight_decay': 0.0}]).step();"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
