import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
import yaml

import care_runtime
from care_runtime import package as package_
from care_runtime.engine import Engine
from care_runtime.errors import ExportError, FileError
from care_runtime.spec import Spec
from care_training import export, fit
from care_training.describe import describe
from care_training.export import Contents, check_parity
from care_training.sample import Sample
from care_training.unet import UNet, UNetConfig
from tests.training.conftest import make_pair


def trained(config):
    """A network whose biases are not zero, as after training."""
    torch.manual_seed(0)
    network = UNet(config)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0, 0.1)
    return network


def exported(config, folder, shape):
    network = trained(config)
    spec = describe(network.form, name="test model", description="A test.")
    pairs = [make_pair("x", shape, seed) for seed in range(config.channels_in)]
    low = np.concatenate([pair.low for pair in pairs])
    truth = np.concatenate([pair.high for pair in pairs])
    contents = Contents(Sample(low, truth[: config.channels_out]), "# Card")
    return network, export.export(network, spec, lambda _: contents, folder)


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    """A network of planes, and its package: made once for those that only read it."""
    config, shape = CONFIGS["2d"]
    return exported(config, tmp_path_factory.mktemp("planes") / "package", shape)


CONFIGS = {
    "2d": (UNetConfig(depth=1, kernel=3, filters=4), (65, 70)),
    "2d deep": (UNetConfig(depth=2, kernel=5, filters=2), (130, 128)),
    "3d": (UNetConfig(dims=3, depth=1, kernel=3, filters=2), (21, 33, 34)),
    "3 to 1": (UNetConfig(channels_in=3, depth=1, kernel=3, filters=2), (64, 64)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_package_does_what_the_network_does(name, planes, tmp_path):
    config, shape = CONFIGS[name]
    network, package = (
        planes if name == "2d" else exported(config, tmp_path / "package", shape)
    )
    model = onnx.load(str(package.onnx))
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    restorer = care_runtime.load(package, device="cpu")
    axes = "CZYX"[-len(shape) :] if config.channels_in == 1 else "CYX"
    image = np.random.default_rng(0).uniform(0, 1, (*shape,)).astype(np.float32)
    if config.channels_in > 1:
        image = np.stack([image] * config.channels_in)
    grid = config.multiple
    image = image[
        tuple(slice(0, n // grid * grid) if n > 3 else slice(None) for n in image.shape)
    ]
    found = restorer(image, axes, normalize="none").image
    batch = torch.from_numpy(image)[None]
    with torch.no_grad():
        expected = network(batch if config.channels_in > 1 else batch[None])[0]
    expected = expected if config.channels_in > 1 else expected[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_the_package_is_complete(planes):
    _, package = planes
    files = {path.name for path in package.folder.iterdir()}
    assert files == {
        "README.md",
        "cover.png",
        "model.onnx",
        "rdf.yaml",
        "sample.tif",
        "sample_truth.tif",
        "test_input.npy",
        "test_output.npy",
    }
    values = yaml.safe_load((package.folder / "rdf.yaml").read_text("utf-8"))
    assert Spec.from_dict(values) == package.spec
    assert package.spec.care.tiling.halo == {"y": 8, "x": 8}
    assert package.spec.care.training["network"]["filters"] == 4
    embedded = {p.key: p.value for p in onnx.load(str(package.onnx)).metadata_props}
    assert "sha256" not in embedded["care_spec"]
    assert Spec.from_dict(json.loads(embedded["care_spec"])).name == "test model"


def test_exporting_twice_gives_the_same_bytes(planes, tmp_path):
    config, shape = CONFIGS["2d"]
    _, again = exported(config, tmp_path / "again", shape)
    digests = [
        package_.pack(package.folder, tmp_path / f"{number}.zip")
        for number, package in enumerate((planes[1], again))
    ]
    assert digests[0] == digests[1]


def test_a_graph_that_differs_is_refused(planes):
    network, package = deepcopy(planes[0]), planes[1]
    torch.nn.init.normal_(network.head.weight)
    engine = Engine(package.onnx, "cpu")
    x = np.ones((1, 1, 16, 16), np.float32)
    with pytest.raises(ExportError, match="differs from torch"):
        check_parity(network, engine, x, package.spec)


def test_a_halo_that_is_too_small_is_refused(tmp_path, monkeypatch):
    from care_training import halo

    monkeypatch.setattr(halo, "measure", lambda *_: {"y": 0, "x": 0})
    with pytest.raises(ExportError, match="tiled against whole"):
        exported(CONFIGS["2d deep"][0], tmp_path / "package", (130, 128))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_package_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(FileError, match="no model package"):
        exported(CONFIGS["2d"][0], tmp_path / "mine", (64, 64))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_training_goes_on_from_a_package(tmp_path, fresh, dims):
    config = replace(CONFIGS["2d"][0], depth=2, dims=dims, kernel=3)
    torch.manual_seed(0)
    network = UNet(config) if fresh else trained(config)
    spec = describe(network.form, name="test model", description="A test.")
    shape = (64, 64) if dims == 2 else (16, 32, 32)
    contents = Contents(Sample(make_pair("x", shape, 0).low), "# Card")
    package = export.export(network, spec, lambda _: contents, tmp_path / "package")
    again = fit.network(config, seed=3, init=package)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, msg=name)
