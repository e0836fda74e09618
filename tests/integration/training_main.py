"""What `torchrun` runs in a test: a planted pattern, trained by as many processes as there are, in two ways.

torchrun --nproc-per-node 2 -m tests.integration.training_main
"""

import json
import sys
from typing import Any

import torch

from model_server.model.members import each_of
from model_server.training.execution import Execution
from model_server.training.loop import Progress
from model_server.training.run import TrainingJob, train_model
from model_server.training.team import Team, joined_team
from tests.support.model import HashEncoder, planted_dataset, tiny_options


def outcome(team: Team, device: torch.device, negatives: int) -> dict[str, Any]:
    """Losses by step and the tables' weights of two members; 0 negatives: all items are compared with."""
    options = tiny_options(
        members=2, epochs=2, batch_sequences=32, negatives=negatives, dropout=0.0, id_dropout=0.0, kind_dropout=0.0
    )
    dataset = planted_dataset()
    heard: list[Progress] = []
    job = TrainingJob(dataset, dataset.interactions, 0, 14, Execution(team=team))
    model = train_model(job, HashEncoder(), options, device, heard.append)
    weights = torch.cat([member.item_ids.weight.flatten() for member in each_of(model.network)]).tolist()
    return {"losses": [progress.loss for progress in heard], "weights": weights}


def main() -> None:
    """Train twice; the leader prints one line of JSON."""
    torch.set_num_threads(1)
    with joined_team(torch.device("cpu")) as (team, device):
        found = {"processes": team.size, "full": outcome(team, device, 0), "sampled": outcome(team, device, 30)}
    if team.leads:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
