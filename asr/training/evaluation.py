"""Greedy errors of a model on dev data while it is being trained."""

from collections.abc import Callable

import torch
from torch import nn

from asr.batching.dataset import SpeechDataset
from asr.batching.loader import load_batches
from asr.batching.sampler import BucketSampler
from asr.decoding.greedy import greedy_search
from asr.scoring.wer import Report, Scored, Unit, score
from asr.training import distributed


def evaluate(
    model: nn.Module,
    dev: SpeechDataset,
    decode: Callable[[list[int]], str],
    *,
    unit: Unit = "word",
    batch_seconds: float,
    max_utterances: int,
    workers: int,
    device: torch.device,
) -> Report:
    """Decode dev greedily, each process its share, and score it.

    Args:
        model: (feats, feat_lens) -> (log_probs, log_prob_lens); put into evaluation mode and back.
        dev: the utterances, without augmentation; their texts are what `decode` should give.
        decode: ids of units to text, or to phones.
        unit: what stands between two spaces of it.
        batch_seconds, max_utterances: size of a batch.
        workers: reader processes.
        device: where the model is.
    """
    sampler = BucketSampler(
        [utterance.duration for utterance in dev.utterances],
        batch_seconds=batch_seconds,
        max_utterances=max_utterances,
        seed=0,
        shortest_first=1,
    )
    batches = sampler.batches(0)[distributed.rank() :: distributed.world()]
    was_training = model.training
    model.eval()
    hyps: dict[str, str] = {}
    with torch.inference_mode():
        for batch in load_batches(dev, batches, 0, workers):
            if not len(batch):
                continue
            log_probs, lens = model(batch.feats.to(device), batch.feat_lens)
            paths = greedy_search(log_probs, lens)
            hyps.update(zip(batch.utt_ids, (decode(path.ids) for path in paths), strict=True))
    model.train(was_training)
    for part in distributed.gather(hyps):
        assert isinstance(part, dict)
        hyps |= part
    return score(
        [
            Scored(utt_id=u.utt_id, speaker=u.speaker, ref=u.text, hyp=hyps.get(u.utt_id), seconds=u.duration)
            for u in dev.utterances
        ],
        unit,
    )
