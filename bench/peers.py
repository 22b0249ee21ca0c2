"""The processes of a peer that compare.py starts: one for each mode of a case, kept alive."""
import json
import os
import pathlib
import subprocess
import tempfile

LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
TCMALLOC = ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")
F32_MODES = ("nchw", "nhwc", "compile")
MODES = (*F32_MODES, "bf16", "jax")


def find_tcmalloc():
    """The path of tcmalloc in the usual library folders, or None."""
    for name in TCMALLOC:
        for folder in map(pathlib.Path, LIBRARY_FOLDERS):
            for path in (folder / name, *folder.glob(f"*-linux-gnu/{name}")):
                if path.exists():
                    return str(path)
    return None


def environment(threads, preload):
    """Of a peer's process; `preload` names its malloc or is None for that of libc."""
    values = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    values.pop("LD_PRELOAD", None)
    if preload:
        values["LD_PRELOAD"] = preload
    return values


class Peer:
    """A peer in one mode, warmed up and waiting."""

    def __init__(self, name, mode, command, env):
        self.name, self.mode = name, mode
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command + ["--serve"], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, env=env)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"{self.name}: {words[-1]}")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()["images_per_second"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()


def fastest(peers):
    """By their warm-up, of which a compiled one's first step counts only if it was the only one."""
    return min(peers, key=lambda peer: peer.about["warmup_ms"])


def choice_of(mode, peers):
    """The name of a mode and the arguments that select it: `compile` takes the faster layout of the
    eager modes that were started before, `bf16` all that the fastest f32 mode has."""
    if mode == "jax":
        return "jax", []
    if mode in ("nchw", "nhwc"):
        return mode, ["--layout", mode]
    eager = [peer for peer in peers if peer.mode in ("nchw", "nhwc")]
    layout = fastest(eager).mode if eager else "nhwc"
    if mode == "compile":
        return f"compile {layout}", ["--layout", layout, "--compile"]
    best = fastest(peers) if peers else None
    if best is not None and best.mode == "compile":
        return f"bf16 {best.name}", ["--layout", best.name.split()[1], "--compile", "--bf16"]
    return f"bf16 {layout}", ["--layout", layout, "--bf16"]
