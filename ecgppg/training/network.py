"""Everything with weights, as one module whose forward pass ends in the loss."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgppg.config.settings import Settings
from ecgppg.models.attached import attached_zero
from ecgppg.objectives.beats import beat_loss
from ecgppg.objectives.contrastive import cross_modal, nt_xent
from ecgppg.objectives.gather import Gather
from ecgppg.training.inputs import StepInputs


@dataclass(frozen=True)
class Outcome:
    """What the network made of a batch.

    Attributes
    ----------
    loss : Tensor
        Weighted sum of the terms: this rank's share of the batch's (see `objectives.gather`).
    terms : dict
        Of each term of positive weight, by the name of its setting: its loss, and the rows of this rank in it.
    embedding_BD, a_BP, b_BP : Tensor
        Embedding of the first views, projections of both; empty where no term asked for them. Where no term compares
        projections, these are the embeddings less their mean.
    ecg_JP, ppg_JP : Tensor
        Projections of the two channels alone, of windows that have both; empty where no term asked for them.
    """

    loss: Tensor
    terms: dict[str, tuple[Tensor, int]]
    embedding_BD: Tensor
    a_BP: Tensor
    b_BP: Tensor
    ecg_JP: Tensor
    ppg_JP: Tensor


class ObjectiveNetwork(nn.Module):
    """The model and its objective. May be wrapped in DistributedDataParallel as it is.

    Parameters
    ----------
    model : ModuleDict
        `encoder`, `projector`, and `temperature` and `beat_head` where the settings ask for them.
    settings : Settings
        Weights and temperature.
    """

    def __init__(self, model: nn.ModuleDict, settings: Settings) -> None:
        super().__init__()
        self.model, self.settings = model, settings

    def forward(self, inputs: StepInputs, gather: Gather) -> Outcome:
        """Loss of a batch.

        Parameters
        ----------
        inputs : StepInputs
        gather : Gather
            Brings the rows of all ranks together.
        """
        model, wants = self.model, self.settings
        # Nothing in the network mixes rows, so all go through at once.
        if len(inputs.z_RCT):
            e_RD = model["encoder"](inputs.z_RCT, inputs.present_RC)
        else:
            e_RD = inputs.z_RCT.new_zeros(0, wants.embedding_dim) + attached_zero(model["encoder"])
        p_RP = model["projector"](e_RD if wants.compares else e_RD[:0])
        # A projector that no term teaches says nothing of the encoder: the embeddings stand in for its projections.
        seen_RP = p_RP if wants.compares else _centred(e_RD)
        a_BP, b_BP, partner_KP, ecg_JP, ppg_JP = seen_RP.split(inputs.sections)
        temperature = model["temperature"]() if "temperature" in model else wants.temperature
        terms: dict[str, tuple[Tensor, int]] = {}
        if wants.objective_views > 0:
            loss = nt_xent(a_BP, b_BP, temperature, inputs.group_B, gather=gather)
            terms["objective_views"] = loss, len(a_BP)
        if wants.objective_near > 0:
            anchor_KP, group_K = a_BP[inputs.anchor_K], inputs.group_B[inputs.anchor_K]
            loss = nt_xent(anchor_KP, partner_KP, temperature, group_K, inputs.group_K, gather)
            terms["objective_near"] = loss, len(partner_KP)
        if wants.objective_ecg_ppg > 0:
            loss = cross_modal(ecg_JP, ppg_JP, temperature, inputs.group_B[inputs.both_J], gather)
            terms["objective_ecg_ppg"] = loss, len(ecg_JP)
        if wants.objective_beats > 0:
            predicted_FS = model["beat_head"](e_RD[: len(inputs.target_FS)])
            loss = beat_loss(predicted_FS, inputs.target_FS, inputs.known_FS, gather)
            terms["objective_beats"] = loss, int(inputs.known_FS.any(1).sum())
        total = torch.stack([wants.objective_weights[name] * loss for name, (loss, _) in terms.items()]).sum()
        # Projector and temperature belong to the loss also where no term has a row: see `attached_zero`.
        total = total + p_RP[:0].sum() + 0.0 * temperature
        return Outcome(total, terms, e_RD[: inputs.sections[0]].float(), a_BP, b_BP, ecg_JP, ppg_JP)


def _centred(e_RD: Tensor) -> Tensor:
    """Embeddings less their mean, as they are: nothing is learnt through them."""
    e_RD = e_RD.detach().float()
    return e_RD - e_RD.mean(0) if len(e_RD) else e_RD
