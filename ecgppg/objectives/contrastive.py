"""Contrastive terms: rows that belong together attract each other and are told apart from all others.

Shapes: N rows of this rank, M of all ranks, P length of a projection. Every function returns this rank's share of the
loss, whose mean over ranks is the loss of the whole batch (see `objectives.gather`); on one rank it is the loss.

Logits are float32 also under autocast: at temperature 0.1 a bfloat16 logit is off by several hundredths.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from ecgppg.objectives.gather import Gather, OneProcess

SHORTEST = 1e-6
"""A projection shorter than this is not stretched to unit length: the gradient of that grows without end."""


def nt_xent(
    a_NP: Tensor,
    b_NP: Tensor,
    temperature: float | Tensor,
    group_a_N: Tensor | None = None,
    group_b_N: Tensor | None = None,
    gather: Gather | None = None,
) -> Tensor:
    """Normalised temperature-scaled cross entropy over pairs, both ways [1]_.

    The mean, over the rows of both sides, of the cross entropy of finding a row's other half among all rows of both.

    Parameters
    ----------
    a_NP, b_NP : Tensor
        Projections; row i of both belong together. A zero vector is like nothing.
    temperature : float or scalar Tensor
        Divides the cosine similarities.
    group_a_N, group_b_N : Tensor, int64, optional
        Rows of equal group are never each other's negatives. `group_b_N` is `group_a_N` unless given. A row left with
        its other half alone adds nothing.
    gather : Gather, optional
        Brings the rows of all ranks together; the rows here are all there are unless given.

    Returns
    -------
    Tensor, float32, scalar
        0 where there are no rows.

    References
    ----------
    .. [1] Chen, Kornblith, Norouzi, Hinton (2020). A simple framework for contrastive learning of visual
       representations. ICML.
    """
    gather = gather or OneProcess()
    with torch.autocast(device_type=a_NP.device.type, enabled=False):
        own_N2P = torch.cat([unit(a_NP), unit(b_NP)], dim=1)
        all_M2P, start = gather.rows(own_N2P)
        N, M, P = len(own_N2P), len(all_M2P), a_NP.shape[1]
        if M == 0:
            return own_N2P.sum()
        at_N = torch.arange(start, start + N, device=own_N2P.device)
        itself_Q, other_Q = torch.cat([at_N, at_N + M]), torch.cat([at_N + M, at_N])
        excluded_QK = torch.zeros(2 * N, 2 * M, dtype=torch.bool, device=own_N2P.device)
        if group_a_N is not None:
            own_N2 = torch.stack([group_a_N, group_a_N if group_b_N is None else group_b_N], dim=1)
            all_M2, _ = gather.rows(own_N2)
            excluded_QK = own_N2.T.reshape(-1)[:, None] == all_M2.T.reshape(-1)[None, :]
        excluded_QK.scatter_(1, itself_Q[:, None], True)
        query_QP, key_KP = torch.cat(own_N2P.split(P, dim=1)), torch.cat(all_M2P.split(P, dim=1))
        total = _info_nce(query_QP, key_KP, other_Q, excluded_QK, temperature)
        return total * gather.n_ranks / (2 * M)


def cross_modal(
    ecg_NP: Tensor,
    ppg_NP: Tensor,
    temperature: float | Tensor,
    group_N: Tensor | None = None,
    gather: Gather | None = None,
) -> Tensor:
    """Symmetric InfoNCE between two modalities [2]_.

    The mean, over rows and both directions, of the cross entropy of finding a window's PPG among all PPG by its ECG,
    and its ECG among all ECG by its PPG. Two windows' ECG are not compared.

    Parameters
    ----------
    ecg_NP, ppg_NP : Tensor
        Projections of the two channels of a window, each made without the other; only of windows that have both.
    temperature, group_N, gather
        As for `nt_xent`.

    Returns
    -------
    Tensor, float32, scalar
        0 where there are no rows.

    References
    ----------
    .. [2] Radford et al. (2021). Learning transferable visual models from natural language supervision. ICML.
    """
    gather = gather or OneProcess()
    with torch.autocast(device_type=ecg_NP.device.type, enabled=False):
        own_N2P = torch.cat([unit(ecg_NP), unit(ppg_NP)], dim=1)
        all_M2P, start = gather.rows(own_N2P)
        N, M, P = len(own_N2P), len(all_M2P), ecg_NP.shape[1]
        if M == 0:
            return own_N2P.sum()
        other_N = torch.arange(start, start + N, device=own_N2P.device)
        excluded_NM = torch.zeros(N, M, dtype=torch.bool, device=own_N2P.device)
        if group_N is not None:
            excluded_NM = group_N[:, None] == gather.rows(group_N)[0][None, :]
        (own_ecg, own_ppg), (all_ecg, all_ppg) = own_N2P.split(P, dim=1), all_M2P.split(P, dim=1)
        forth = _info_nce(own_ecg, all_ppg, other_N, excluded_NM, temperature)
        back = _info_nce(own_ppg, all_ecg, other_N, excluded_NM, temperature)
        return (forth + back) * gather.n_ranks / (2 * M)


def unit(x_NP: Tensor) -> Tensor:
    """Rows at unit length, float32; a zero row stays zero."""
    return normalize(x_NP.float(), dim=1, eps=SHORTEST)


def _info_nce(
    query_QP: Tensor, key_KP: Tensor, other_Q: Tensor, excluded_QK: Tensor, temperature: float | Tensor
) -> Tensor:
    """Sum over queries of the cross entropy of key `other_Q` among the keys that are not excluded; itself never is."""
    logits_QK = query_QP @ key_KP.T / temperature
    excluded_QK = excluded_QK.scatter(1, other_Q[:, None], False)
    return cross_entropy(logits_QK.masked_fill(excluded_QK, float("-inf")), other_Q, reduction="sum")
