#!/usr/bin/env python3
"""Tacit beside ezkl: same machine, same ONNX models, same records, one run. See README.md.

Every step is a process of its own, timed and weighed by wait4. Linux counts the memory of the process that forks
towards the peak of the one forked, so a bare interpreter starts each of them; what it weighs itself is the floor under
which no peak can be read, and is printed.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"mlp-30-32-16-2": [30, 32, 16, 2], "digits-64-64-32-10": [64, 64, 32, 10]}
LARGE = {"large-784-512-512-10": [784, 512, 512, 10]}
RECORDS = 32  # to calibrate on; the first one is proved
REPEATS = 3
NEEDED = ("ezkl", "numpy", "onnx")


# What runs in processes of its own: `compare.py --worker STEP ARGUMENT...`


def make_model(folder, seed, *widths):
    """Random weights and records: MODEL.onnx, records.npy and record.npy for Tacit, *.json for ezkl."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder, widths = Path(folder), [int(width) for width in widths]
    random = np.random.default_rng(int(seed))
    nodes, constants, value = [], [], "input"
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        weight = (random.standard_normal((fan_out, fan_in)) * np.sqrt(2 / fan_in)).astype(np.float32)
        bias = (random.standard_normal(fan_out) * 0.1).astype(np.float32)
        layers.append((weight, bias))
        constants += [numpy_helper.from_array(weight, f"w{i}"), numpy_helper.from_array(bias, f"b{i}")]
        last = i == len(widths) - 2
        out = "output" if last else f"h{i}"
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [out], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"r{i}"]))
        value = f"r{i}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, widths[0]])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, widths[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")

    records = np.round(random.random((RECORDS, widths[0])), 2)
    np.save(folder / "records.npy", records)
    np.save(folder / "record.npy", records[:1])
    (folder / "records.json").write_text(json.dumps({"input_data": [records.reshape(-1).tolist()]}))
    (folder / "record.json").write_text(json.dumps({"input_data": [records[0].tolist()]}))

    activation = records[0]
    for i, (weight, bias) in enumerate(layers):
        activation = weight.astype(np.float64) @ activation + bias
        if i < len(layers) - 1:
            activation = np.maximum(activation, 0)
    (folder / "float.json").write_text(json.dumps(activation.tolist()))


def ezkl_start():
    import ezkl  # noqa: F401


def ezkl_compile(folder, input_visibility, param_visibility):
    import ezkl

    os.chdir(folder)
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = input_visibility
    arguments.param_visibility = param_visibility
    arguments.output_visibility = "public"
    check(ezkl.gen_settings("model.onnx", "settings.json", py_run_args=arguments))
    check(ezkl.calibrate_settings("records.json", "model.onnx", "settings.json", "resources"))
    check(ezkl.compile_circuit("model.onnx", "model.compiled", "settings.json"))


def ezkl_srs(path, logrows):
    import ezkl

    ezkl.gen_srs(path, int(logrows))


def ezkl_setup(folder, srs):
    import ezkl

    os.chdir(folder)
    check(ezkl.setup("model.compiled", "vk.key", "pk.key", srs))


def ezkl_witness(folder):
    import ezkl

    os.chdir(folder)
    check(ezkl.gen_witness("record.json", "model.compiled", "witness.json"))


def ezkl_prove(folder, srs):
    import ezkl

    os.chdir(folder)
    check(ezkl.prove("witness.json", "model.compiled", "pk.key", "ezkl.proof", srs))


def ezkl_verify(folder, srs):
    import ezkl

    os.chdir(folder)
    check(ezkl.verify("ezkl.proof", "settings.json", "vk.key", srs))


def check(answer):
    if not answer:
        sys.exit("ezkl answered no")


WORKERS = {
    f.__name__: f
    for f in (make_model, ezkl_start, ezkl_compile, ezkl_srs, ezkl_setup, ezkl_witness, ezkl_prove, ezkl_verify)
}


# The measurement


class Failed(Exception):
    pass


class Cost:
    """Wall seconds and peak resident bytes of one process, or of several run one after the other."""

    def __init__(self, seconds, peak):
        self.seconds, self.peak = seconds, peak

    def __add__(self, other):
        return Cost(self.seconds + other.seconds, max(self.peak, other.peak))


# Starts one command, and writes its wall seconds, peak memory in the kernel's unit and wait status.
LAUNCH = """
import os, resource, signal, sys, time
report, timeout, memory, command = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
late = []
start = time.perf_counter()
child = os.fork()
if child == 0:
    try:
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        os.execv(command[0], command)
    finally:
        os._exit(127)
def stop(*_):
    late.append(1)
    os.kill(child, signal.SIGKILL)
signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, timeout)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
signal.setitimer(signal.ITIMER_REAL, 0)
with open(report, "w") as file:
    print(seconds, usage.ru_maxrss, status, len(late), file=file)
"""


class Runner:
    def __init__(self, folder, timeout, memory):
        self.folder, self.timeout, self.memory = folder, timeout, memory

    def run(self, command, data_home="data"):
        """The cost of a command and its standard output."""
        home, report = self.folder / "home", self.folder / "report"
        home.mkdir(exist_ok=True)
        environment = dict(os.environ, HOME=str(home), XDG_DATA_HOME=str(home / data_home))
        command = [str(part) for part in command]
        launch = [sys.executable, "-I", "-S", "-c", LAUNCH, str(report), str(self.timeout), str(self.memory)]
        done = subprocess.run(
            [*launch, *command], stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=True
        )
        seconds, peak, status, late = report.read_text().split()
        code = os.waitstatus_to_exitcode(int(status))
        if code != 0:
            lines = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace").splitlines()
            telling = [line for line in lines if any(word in line.lower() for word in ("error", "fail", "panicked"))]
            said = " / ".join(telling[:3] or lines[-3:])[:600]
            step = command[3] if "--worker" in command else " ".join(["tacit", *command[1:2]])
            why = "longer than --timeout" if int(late) else f"signal {-code}" if code < 0 else f"exit code {code}"
            raise Failed(f"{step} failed after {float(seconds):.1f} s ({why}): {said}")
        return Cost(float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024)), done.stdout

    def worker(self, step, *arguments):
        return self.run([sys.executable, Path(__file__).resolve(), "--worker", step, *arguments])[0]


def size(*paths):
    return sum(path.stat().st_size for path in paths if path.exists())


def error_of(answer, folder):
    return max(abs(a - b) for a, b in zip(answer, json.loads((folder / "float.json").read_text()), strict=True))


def measure_tacit(runner, tacit, folder, rows):
    """Fills `rows` step by step, so that those before a failure can be shown."""
    model, card = folder / "model.tacit", folder / "card"
    rows["compile"], _ = runner.run(
        [tacit, "quantize", folder / "model.onnx", "--data", folder / "records.npy", "-o", model]
    )
    rows["setup"], _ = runner.run([tacit, "commit", model, "-o", card, "--name", "compare"])
    proofs = [folder / f"tacit-{i}.proof" for i in range(REPEATS)]
    prove = [tacit, "prove", "inference", "--model", model, "--opening", card / "opening.secret"]
    prove += ["--input", folder / "record.npy", "--row", "0", "-o"]
    # The first proof and the first verification with a card check its certificate, and are counted apart.
    rows["first prove"], _ = runner.run([*prove, folder / "tacit-first.proof"], "owner")
    rows["prove"] = [runner.run([*prove, proof], "owner")[0] for proof in proofs]
    rows["first verify"], _ = runner.run([tacit, "verify", proofs[0], "--card", card / "card.json"], "reader")
    rows["verify"] = [
        runner.run([tacit, "verify", proof, "--card", card / "card.json"], "reader")[0] for proof in proofs
    ]
    public = [card / "card.json", card / "card.points"]
    rows["proof"] = sorted(size(proof) for proof in proofs)
    rows["verifier keeps"] = size(*public)
    rows["prover keeps"] = size(model, card / "opening.secret", card / "owner.key", *public)
    _, answer = runner.run([tacit, "predict", model, "--input", folder / "record.npy", "--row", "0", "--json"])
    rows["error"] = error_of([float(output) for output in json.loads(answer)["records"][0]["outputs"]], folder)
    rows["start"] = [runner.run([tacit, "--version"])[0] for _ in range(REPEATS)]


def measure_ezkl(runner, folder, setups, visibility, rows):
    rows["compile"] = runner.worker("ezkl_compile", folder, *visibility)
    settings = json.loads((folder / "settings.json").read_text())
    logrows = settings["run_args"]["logrows"]
    rows["logrows"] = logrows
    srs = runner.folder / f"k{logrows}.srs"
    if logrows not in setups:
        setups[logrows] = runner.worker("ezkl_srs", srs, logrows)
    rows["srs"] = setups[logrows]
    rows["setup"] = runner.worker("ezkl_setup", folder, srs)
    rows["prove"] = [
        runner.worker("ezkl_witness", folder) + runner.worker("ezkl_prove", folder, srs) for _ in range(REPEATS)
    ]
    rows["verify"] = [runner.worker("ezkl_verify", folder, srs) for _ in range(REPEATS)]
    proof = json.loads((folder / "ezkl.proof").read_text())
    rows["proof"] = [len(proof["hex_proof"].removeprefix("0x")) // 2]
    rows["verifier keeps"] = size(folder / "vk.key", folder / "settings.json")
    rows["prover keeps"] = size(folder / "pk.key", folder / "model.compiled", folder / "settings.json")
    rows["srs bytes"] = size(srs)
    outputs = proof["pretty_public_inputs"]["rescaled_outputs"][0]
    rows["error"] = error_of([float(output) for output in outputs], folder)
    rows["start"] = [runner.worker("ezkl_start") for _ in range(REPEATS)]


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def amount(value):
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value} B"


def median(costs):
    times = [cost.seconds for cost in costs]
    return f"{seconds(statistics.median(times))} ({seconds(min(times))} to {seconds(max(times))})"


def peak(costs):
    return amount(max(cost.peak for cost in costs))


ROWS = [
    ("quantise / compile", "compile", lambda cost: seconds(cost.seconds)),
    ("universal setup (SRS)", "srs", lambda cost: seconds(cost.seconds)),
    ("commit with certificate / setup of keys", "setup", lambda cost: seconds(cost.seconds)),
    ("first prove (checks the certificate)", "first prove", lambda cost: seconds(cost.seconds)),
    ("prove, median", "prove", median),
    ("first verify (checks the certificate)", "first verify", lambda cost: seconds(cost.seconds)),
    ("verify, median", "verify", median),
    ("start-up within each of these, median", "start", median),
    ("proof", "proof", lambda sizes: " to ".join(str(count) for count in sorted({sizes[0], sizes[-1]})) + " B"),
    ("card / verifying key and settings", "verifier keeps", amount),
    ("prover's model and secrets / proving key", "prover keeps", amount),
    ("SRS, beside both", "srs bytes", amount),
    ("peak memory, commit / setup", "setup", lambda cost: amount(cost.peak)),
    ("peak memory, prove", "prove", peak),
    ("peak memory, verify", "verify", peak),
    ("largest error against floats, this record", "error", lambda error: f"{error:.6f}"),
    ("circuit's rows", "logrows", lambda logrows: f"2^{logrows}"),
]


def table(name, widths, columns):
    weights = sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(widths, widths[1:]))
    lines = [[f"{name} ({weights} weights)", *columns]]
    for label, key, show in ROWS:
        lines.append([label, *(show(rows[key]) if key in rows else "-" for rows in columns.values())])
    spans = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * span for span in spans])
    return "\n".join("| " + " | ".join(cell.ljust(span) for cell, span in zip(line, spans)) + " |" for line in lines)


def load():
    return "load " + " ".join(f"{average:.2f}" for average in os.getloadavg())


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measure Tacit beside ezkl on this machine and print a table.")
    parser.add_argument("--tacit", type=Path, default=ROOT / "target/release/tacit", help="the command to measure")
    parser.add_argument("--large", action="store_true", help="also 784-512-512-10: tens of gigabytes for ezkl")
    parser.add_argument("--only", choices=[*MODELS, *LARGE], help="this model alone")
    parser.add_argument("--ezkl-input", choices=["hashed", "private"], default="hashed")
    parser.add_argument("--ezkl-params", choices=["fixed", "private", "hashed"], default="fixed")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one step (default 1800)")
    parser.add_argument("--memory", type=float, default=0, help="limit of one step's address space in GiB (default none)")
    return parser.parse_args()


def main():
    options = parse_arguments()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"compare.py: {', '.join(missing)} not installed for {Path(sys.executable).name}; "
            "make a virtual environment and `pip install -r benches/compare-ezkl/requirements.txt` into it"
        )
    tacit = shutil.which(options.tacit.resolve())
    if tacit is None:
        sys.exit(f"compare.py: no command at {options.tacit}; `cargo build --release -p tacit-cli`, or name one by --tacit")
    models = {options.only: (MODELS | LARGE)[options.only]} if options.only else MODELS | (LARGE if options.large else {})
    peer = f"ezkl {version('ezkl')}"
    visibility = (options.ezkl_input, options.ezkl_params)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="compare-ezkl-") as folder:
        folder = Path(folder)
        runner = Runner(folder, options.timeout, int(options.memory * 2**30))
        setups = {}
        try:
            ours = runner.run([tacit, "--version"])[1].decode().strip()
            runner.worker("ezkl_start")
            floor, _ = runner.run([shutil.which("true")])
        except Failed as error:
            sys.exit(f"compare.py: {error}")
        print(f"{ours} beside {peer} (input {visibility[0]}, weights {visibility[1]}, answer public)")
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {load()}"
        print(f"{machine}; peaks cannot be read below {amount(floor.peak)}", flush=True)
        for seed, (name, widths) in enumerate((MODELS | LARGE).items()):
            if name not in models:
                continue
            place = folder / name
            place.mkdir()
            columns = {ours: {}, peer: {}}
            runner.worker("make_model", place, seed, *widths)
            for measure, *given in (
                (measure_tacit, runner, tacit, place, columns[ours]),
                (measure_ezkl, runner, place, setups, visibility, columns[peer]),
            ):
                try:
                    measure(*given)
                except Failed as error:
                    failures += 1
                    print(f"\n{name}: {error}", flush=True)
            print("\n" + table(name, widths, columns))
            print(load(), flush=True)
            shutil.rmtree(place)
    if failures:
        sys.exit(f"compare.py: {failures} failed")


def version(package):
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        WORKERS[sys.argv[2]](*sys.argv[3:])
    else:
        main()
