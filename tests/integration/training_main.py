"""What `torchrun` runs in a test: a planted pattern, trained by as many processes as there are; the leader says how.

torchrun --nproc-per-node 2 -m tests.integration.training_main <negatives>
"""

import json
import sys

import torch

from model_server.training.execution import Execution
from model_server.training.loop import Progress
from model_server.training.run import TrainingJob, train_model
from model_server.training.team import joined_team
from tests.support.model import HashEncoder, planted_dataset, tiny_options


def main(negatives: int) -> None:
    """Train and print one line of JSON."""
    torch.set_num_threads(1)
    options = tiny_options(
        epochs=3, batch_sequences=32, negatives=negatives, dropout=0.0, id_dropout=0.0, kind_dropout=0.0
    )
    dataset = planted_dataset()
    heard: list[Progress] = []
    with joined_team(torch.device("cpu")) as (team, device):
        job = TrainingJob(dataset, dataset.interactions, 0, 14, Execution(team=team))
        model = train_model(job, HashEncoder(), options, device, heard.append)
    if team.leads:
        weights = model.network.item_ids.weight
        losses = [progress.loss for progress in heard]
        found = {"processes": team.size, "losses": losses, "weights": weights.flatten().tolist(), **model.metrics}
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
