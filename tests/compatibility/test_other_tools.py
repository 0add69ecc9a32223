"""What this project exports, in other people's environments.

Each tool gets a virtual environment of its own, from the internet: run with
``python -m pytest tests/compatibility -m "slow and network"``.
"""

import re
import subprocess
import sys
import venv
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import care_runtime
import care_zoo
from care_runtime import package as package_
from care_runtime.care import Resample
from care_runtime.engine import Engine
from care_training import describe, export, networks
from care_training.ensemble import EnsembleConfig
from care_training.isotropic import IsotropicConfig
from care_training.projection import ProjectionConfig
from care_training.sample import Sample
from care_training.unet import UNetConfig

pytestmark = [pytest.mark.slow, pytest.mark.network]

PLANE = UNetConfig(depth=1, kernel=3, filters=4, probabilistic=True)
STACK = UNetConfig(dims=3, depth=1, kernel=3, filters=4)
KINDS = {
    "plane": (PLANE, (1, 96, 96), None),
    "channels": (
        UNetConfig(depth=1, kernel=5, filters=4, channels_in=3),
        (3, 96, 96),
        None,
    ),
    "stack": (STACK, (1, 32, 64, 64), None),
    "projection": (
        ProjectionConfig(PLANE, depth=1, filters=4, height="argmax"),
        (1, 9, 96, 96),
        None,
    ),
    "isotropic": (
        IsotropicConfig(PLANE),
        (1, 16, 64, 64),
        Resample("z", 3, "after", cubic=True),
    ),
    "upsampling": (STACK, (1, 16, 64, 64), Resample("z", 3, "before")),
    "ensemble": (EnsembleConfig(PLANE, 3), (1, 96, 96), None),
}

IN_ONNX_RUNTIME = """
import sys
from pathlib import Path
import numpy as np, onnxruntime
folder, version = Path(sys.argv[1]), sys.argv[2]
assert onnxruntime.__version__.startswith(version), onnxruntime.__version__
for file in sorted(folder.glob("*.onnx")):
    cpu = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(file), providers=cpu)
    name = session.get_inputs()[0].name
    answers = session.run(None, {name: np.load(folder / "normalized.npy")})
    for output, answer in zip(session.get_outputs(), answers):
        wanted = np.load(folder / f"wanted_{output.name}.npy")
        far = np.abs(answer - wanted).max() / max(np.ptp(wanted), 1e-3)
        print(file.name, output.name, far)
        assert far < 1e-4
"""


@pytest.fixture(scope="module", params=KINDS)
def package(request, tmp_path_factory):
    """A package of every kind, with random weights."""
    config, shape, resample = KINDS[request.param]
    network = networks.build(config, 0)
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases are not zero after training
            torch.nn.init.normal_(parameter, 0, 0.1)
    spec = describe.describe(
        network.form, name="some model", description="A test.", resample=resample
    )
    low = np.random.default_rng(0).poisson(30, shape).astype(np.uint16)
    contents = export.Contents(Sample(low), "# Card")
    folder = tmp_path_factory.mktemp("package") / request.param
    return export.export(network, spec, lambda _: contents, folder)


def python_with(folder: Path, *packages: str) -> Path:
    """Make an environment that holds these packages."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    if not python.exists():
        python = folder / "Scripts" / "python.exe"
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


@pytest.fixture(scope="module")
def old_onnxruntime(tmp_path_factory):
    if sys.version_info >= (3, 12):
        pytest.skip("ONNX Runtime 1.15 is for Python 3.11 and older")
    folder = tmp_path_factory.mktemp("onnxruntime")
    return python_with(folder, "onnxruntime==1.15.1", "numpy<2")


@pytest.fixture(scope="module")
def new_onnxruntime(tmp_path_factory):
    return python_with(tmp_path_factory.mktemp("newest"), "onnxruntime", "numpy")


@pytest.fixture(scope="module")
def bioimageio(tmp_path_factory):
    # Newer versions of pydantic break bioimageio.spec 0.5.12.
    wanted = ("bioimageio.core==0.11.0", "pydantic<2.14", "onnxruntime")
    return python_with(tmp_path_factory.mktemp("bioimageio"), *wanted)


def expected(package) -> None:
    """Write what the network reads and gives back, as this environment computes it."""
    image = np.load(package.folder / "test_input.npy")
    axes = tuple(range(2, image.ndim))
    low, high = np.percentile(image, (2, 99.8), axis=axes, keepdims=True)
    image = ((image - low) / (high - low)).astype(np.float32)
    np.save(package.folder / "normalized.npy", image)
    engine = Engine(package.onnx, "cpu")
    for name, answer in zip(engine.outputs, engine(image), strict=True):
        np.save(package.folder / f"wanted_{name}.npy", answer)


@pytest.mark.parametrize(
    ("environment", "version"), [("old_onnxruntime", "1.15"), ("new_onnxruntime", "1.")]
)
def test_onnx_runtime_of_every_age(package, environment, version, request):
    python = request.getfixturevalue(environment)
    expected(package)
    command = [python, "-c", IN_ONNX_RUNTIME, package.folder, version]
    subprocess.run(command, check=True)


def test_bioimageio_core(package, bioimageio):
    command = [bioimageio.parent / "bioimageio", "test", package.folder / "rdf.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


# the zoo's own packages, and what their cards say

ZOO = sorted(path.parent for path in care_zoo.MODELS.glob("*/rdf.yaml"))
CARD = re.compile(r"agrees with `care-run` to (\S+) of high - low")

IN_BIOIMAGEIO = """
import sys
import numpy as np
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model, get_member_id
from bioimageio.spec import load_model_description
package, out = sys.argv[1:]
model = load_model_description(f"{package}/rdf.yaml", perform_io_checks=False)
image = {get_member_id(model.inputs[0]): np.load(f"{package}/test_input.npy")}
sample = create_sample_for_model(model=model, inputs=image, sample_id="test")
with create_prediction_pipeline(model) as pipeline:
    found = pipeline.predict_sample_without_blocking(
        sample, skip_input_padding=True, skip_output_cropping=True
    )
for name, tensor in found.members.items():
    np.save(f"{out}/{name}.npy", tensor.data.values)
"""


@pytest.mark.parametrize("folder", ZOO, ids=lambda folder: folder.name)
def test_bioimageio_core_passes_the_zoo(folder, bioimageio):
    command = [bioimageio.parent / "bioimageio", "test", folder / "rdf.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.parametrize("folder", ZOO, ids=lambda folder: folder.name)
def test_bioimageio_core_computes_what_the_card_says(folder, bioimageio, tmp_path):
    subprocess.run([bioimageio, "-c", IN_BIOIMAGEIO, folder, tmp_path], check=True)
    package = package_.read_folder(folder)
    care = package.spec.care
    image = np.load(folder / "test_input.npy").astype(np.float64)
    wish = {} if care.resample is None else {"factor": 1.0}
    with warnings.catch_warnings():
        # A test input is what the network reads: it is stretched already.
        warnings.simplefilter("ignore", care_runtime.FactorWarning)
        # The cards tell of ONNX Runtime on both sides.
        run = care_runtime.load(package, device="cpu", engine="onnxruntime")
        restored = run(
            image.astype(np.float32),
            package.spec.input.letters.replace("B", "S"),
            **wish,
        )
    # Some channels are normalized by themselves.
    over = tuple(
        i
        for i, letter in enumerate(package.spec.input.letters)
        if letter in f"B{care.normalization.axes}"
    )
    low, high = np.percentile(
        image, care.normalization.percentiles, axis=over, keepdims=True
    )
    told = CARD.search((folder / "README.md").read_text("utf-8"))
    assert told, "the card says how near bioimageio.core comes"
    for name, output in care.outputs.items():
        found = np.load(tmp_path / f"{name}.npy").astype(np.float64).squeeze()
        wanted = np.asarray(restored.outputs[name], np.float64)
        if output.undo == "affine":
            wanted = wanted - low
        if output.undo != "none":
            wanted = wanted / (high - low)
        far = np.abs(found - wanted.squeeze()).max()
        assert far < 2 * float(told[1]), name
