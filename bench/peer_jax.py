#!/usr/bin/env python3
"""A vision transformer of the comparison in JAX: whole training steps (forward, loss, backward, AdamW)
on random images, one jit-compiled function, float32. Takes the arguments of peer.py that concern it
and answers --serve as peer.py does:

    peer_jax.py --model vit-cifar [--attention none|dia-lstm] [--batch 128] [--image 32]
                [--classes 10] [--threads 2] [--warmup 3] [--steps 5] [--serve]
"""
import argparse
import json
import os
import sys
import time

SIZES = {"vit-cifar": (4, 192, 9, 12, 384, False),  # patch, width, depth, heads, hidden, qkv bias
         "vit-tiny-patch16-224": (16, 192, 12, 3, 768, True)}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", required=True, choices=SIZES)
    parser.add_argument("--attention", default="none", choices=["none", "dia-lstm"])
    parser.add_argument("--optimizer", default="adamw", choices=["adamw"])
    for name, value in (("batch", 128), ("image", 32), ("classes", 10), ("threads", 2),
                        ("warmup", 3), ("steps", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--serve", action="store_true")
    return parser.parse_args()


ARGUMENTS = read_arguments()
# XLA has a thread for each processor that it may use.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:ARGUMENTS.threads])
try:
    import jax
except ImportError:
    sys.exit("peer_jax: JAX is not installed for this Python (pip install jax)")
import jax.numpy as jnp  # noqa: E402


def make_parameters(key):
    patch, width, depth, heads, hidden, bias = SIZES[ARGUMENTS.model]
    keys = iter(jax.random.split(key, 8 * depth + 16))

    def linear(inputs, outputs, with_bias=True):
        layer = {"w": 0.02 * jax.random.normal(next(keys), (inputs, outputs))}
        return {**layer, "b": jnp.zeros(outputs)} if with_bias else layer

    def norm():
        return {"w": jnp.ones(width), "b": jnp.zeros(width)}

    def block():
        return {"norm1": norm(), "qkv": linear(width, 3 * width, bias),
                "proj": linear(width, width), "norm2": norm(), "fc1": linear(width, hidden),
                "fc2": linear(hidden, width)}

    def side():
        return {"down": linear(width, width // 4), "up": linear(width // 4, 4 * width)}

    tokens = (ARGUMENTS.image // patch) ** 2 + 1
    parameters = {"patches": linear(3 * patch * patch, width), "cls": jnp.zeros((1, 1, width)),
                  "positions": 0.02 * jax.random.normal(next(keys), (1, tokens, width)),
                  "blocks": [block() for _ in range(depth)], "norm": norm(),
                  "head": linear(width, ARGUMENTS.classes)}
    if ARGUMENTS.attention == "dia-lstm":
        parameters["cell"] = {"x": side(), "h": side()}
    return parameters


def linear(p, x):
    return x @ p["w"] + p["b"] if "b" in p else x @ p["w"]


def norm(p, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-6) * p["w"] + p["b"]


def attend(p, x):
    images, tokens, width = x.shape
    heads = SIZES[ARGUMENTS.model][3]
    q, k, v = jnp.moveaxis(linear(p["qkv"], x).reshape(images, tokens, 3, heads, -1), 2, 0)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // heads) ** -0.5
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, -1), v)
    return linear(p["proj"], mixed.reshape(images, tokens, width))


def cell_step(p, pooled, state):
    h, c = state
    gates = sum(linear(p[side]["up"], jax.nn.relu(linear(p[side]["down"], value)))
                for side, value in (("x", pooled), ("h", h)))
    i, f, g, o = jnp.split(gates, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jax.nn.sigmoid(c), c


def loss_of(p, images, labels):
    patch, width = SIZES[ARGUMENTS.model][:2]
    side = ARGUMENTS.image // patch
    x = images.reshape(-1, side, patch, side, patch, 3).transpose(0, 1, 3, 2, 4, 5)
    x = linear(p["patches"], x.reshape(len(images), side * side, -1))
    x = jnp.concatenate([jnp.broadcast_to(p["cls"], (len(images), 1, width)), x], 1)
    x = x + p["positions"]
    state = (jnp.zeros((len(images), width)),) * 2
    for block in p["blocks"]:
        x = x + attend(block, norm(block["norm1"], x))
        branch = linear(block["fc1"], norm(block["norm2"], x))
        branch = linear(block["fc2"], jax.nn.gelu(branch, approximate=False))
        if "cell" in p:
            state = cell_step(p["cell"], branch.mean(1), state)
            branch = branch * state[0][:, None]
        x = x + branch
    logits = jax.nn.log_softmax(linear(p["head"], norm(p["norm"], x)[:, 0]))
    return -jnp.take_along_axis(logits, labels[:, None], 1).mean()


def train_step(parameters, means, squares, count, images, labels):
    loss, gradients = jax.value_and_grad(loss_of)(parameters, images, labels)
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
    one, two = 1 - 0.9 ** count, 1 - 0.999 ** count
    parameters = jax.tree.map(
        lambda p, m, v: p - 1e-6 * (0.05 * p + m / one / (jnp.sqrt(v / two) + 1e-8)),
        parameters, means, squares)
    return parameters, means, squares, count + 1, loss


def main():
    key = jax.random.key(0)
    parameters = make_parameters(key)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), 1.0)
    images = jax.random.normal(key, (ARGUMENTS.batch, ARGUMENTS.image, ARGUMENTS.image, 3))
    labels = jnp.arange(ARGUMENTS.batch) % ARGUMENTS.classes
    size = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    run = jax.jit(train_step, donate_argnums=(0, 1, 2))

    def timed(steps):
        nonlocal state
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            *state, loss = run(*state, images, labels)
            float(loss)  # waits for the step
            seconds.append(time.perf_counter() - start)
        return sorted(seconds)

    def answer():
        seconds = timed(ARGUMENTS.steps)
        median = 0.5 * (seconds[(len(seconds) - 1) // 2] + seconds[len(seconds) // 2])
        return {"images_per_second": ARGUMENTS.batch / median,
                "step_ms": {"median": 1e3 * median, "min": 1e3 * seconds[0],
                            "max": 1e3 * seconds[-1]}}

    warmup = timed(ARGUMENTS.warmup)
    if not ARGUMENTS.serve:
        print(json.dumps(answer()))
        return
    with open("/proc/self/maps") as maps:
        malloc = "tcmalloc" if "tcmalloc" in maps.read() else "libc"
    print(json.dumps({"ready": True, "version": f"jax {jax.__version__}", "malloc": malloc,
                      "parameters": size, "warmup_ms": 1e3 * warmup[0]}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(answer()), flush=True)


if __name__ == "__main__":
    main()
