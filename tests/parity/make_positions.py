#!/usr/bin/env python3
"""Positions of vision transformers for other grids, resampled by timm, for `--init`.

Contract. Element k, row-major over [1, prefix + patches, 8], of the positions before is
((37 k) mod 101) / 101 - 0.5 in f32. Writes golden/positions.json: per case the grids, the tokens in
front of the patches, and what timm makes of them as it loads such a checkpoint. A square grid is
timm's own guess; the other one is given to it.
"""
import json
import pathlib

import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

WIDTH, PATCH = 8, 4


def tiny(grid, prefix):
    return VisionTransformer(img_size=tuple(PATCH * side for side in grid), patch_size=PATCH,
                             embed_dim=WIDTH, depth=1, num_heads=2, num_classes=3,
                             class_token=bool(prefix), global_pool="token" if prefix else "avg")


def case(old, new, prefix):
    source, target = tiny(old, prefix), tiny(new, prefix)
    k = torch.arange(source.pos_embed.numel())
    positions = (k * 37 % 101 / 101.0 - 0.5).reshape(source.pos_embed.shape)
    if old[0] == old[1]:
        state = source.state_dict() | {"pos_embed": positions}
        after = checkpoint_filter_fn(state, target)["pos_embed"]
    else:
        after = resample_abs_pos_embed(positions, list(new), list(old), prefix)
    assert after.shape == target.pos_embed.shape and after.shape != positions.shape
    return {"from": old, "to": new, "prefix": prefix,
            "positions": [float(f"{v:.8g}") for v in after.flatten().tolist()]}


def main():
    cases = [case((7, 7), (4, 4), 1), case((7, 7), (10, 6), 1), case((6, 8), (5, 9), 0)]
    rows = ",\n ".join(json.dumps(c) for c in cases)
    path = pathlib.Path(__file__).parent / "golden" / "positions.json"
    path.write_text(f'{{"timm": "{timm.__version__}", "cases": [\n {rows}\n]}}\n')
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
