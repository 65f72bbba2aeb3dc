"""References and hypotheses of two files, brought together by utterance id."""

from collections.abc import Sequence

from asr.errors import AsrError
from asr.scoring.formats import Transcript, speaker_of
from asr.scoring.wer import Scored


def pair(refs: Sequence[Transcript], hyps: Sequence[Transcript]) -> list[Scored]:
    """One record for each id that occurs: the references in their order, then hypotheses without reference.

    The speaker and the length come from the reference, else from the hypothesis; a speaker that neither
    names is read from the utterance id (see `speaker_of`).

    Raises:
        AsrError: there are ids on both sides and none in common, so these are not two views of one test set.
    """
    ref_of = {ref.utt_id: ref for ref in refs}
    hyp_of = {hyp.utt_id: hyp for hyp in hyps}
    if ref_of and hyp_of and not ref_of.keys() & hyp_of.keys():
        raise AsrError(
            "no utterance id occurs in both the references and the hypotheses "
            f"({refs[0].utt_id} is the first reference, {hyps[0].utt_id} the first hypothesis); "
            "check that the two belong together"
        )
    return [_scored(utt_id, ref_of.get(utt_id), hyp_of.get(utt_id)) for utt_id in {**ref_of, **hyp_of}]


def _scored(utt_id: str, ref: Transcript | None, hyp: Transcript | None) -> Scored:
    known = [transcript for transcript in (ref, hyp) if transcript is not None]
    speakers = [transcript.speaker for transcript in known if transcript.speaker]
    lengths = [transcript.seconds for transcript in known if transcript.seconds is not None]
    return Scored(
        utt_id=utt_id,
        speaker=speakers[0] if speakers else speaker_of(utt_id),
        ref=ref.text if ref else None,
        hyp=hyp.text if hyp else None,
        seconds=lengths[0] if lengths else None,
    )
