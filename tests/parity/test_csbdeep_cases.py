"""Configurations that laboratories have and the oracle has not.

`make_csbdeep_cases.py` made them with CSBDeep 0.8.2: axes in other orders, factors that
are no integers, projections and upsampling with scales, weights written by Keras 2.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import care_runtime
from care_runtime.errors import SpecError
from care_runtime.verify import difference
from care_training import csbdeep

CASES = sorted(p for p in (Path(__file__).parent / "csbdeep_cases").iterdir())


@pytest.fixture(scope="module", params=CASES, ids=lambda folder: folder.name)
def imported(request, tmp_path_factory):
    facts = json.loads((request.param / "case.json").read_text())
    model = csbdeep.read(request.param, facts["class"])
    folder = tmp_path_factory.mktemp("package") / "model"
    package = csbdeep.convert(model, folder, factor=facts["factor"])
    return (
        request.param,
        facts["axes"],
        care_runtime.load(package, device="cpu", engine="onnxruntime"),
    )


@pytest.mark.parametrize("tile", ["whole", 12])
def test_csbdeep_computes_the_same(imported, tile):
    folder, axes, restorer = imported
    image = np.load(folder / "input.npy")
    found = restorer(image, axes, tile=tile, dtype="float32").outputs
    outputs = [o for o in ("mean", "scale") if (folder / f"{o}.npy").exists()]
    assert outputs == list(found)
    for output in outputs:
        stored = np.load(folder / f"{output}.npy")
        assert found[output].shape == stored.shape
        assert difference(found[output], stored) < 3e-5, output


def test_the_axes_tell_how_many_dimensions_there_are(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(CASES[0].parent / "care3d_XZY_1to2", folder)
    config = json.loads((folder / "config.json").read_text())
    del config["n_dim"]
    (folder / "config.json").write_text(json.dumps(config))
    assert csbdeep.read(folder).network.form.space == "zyx"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("proj_kern", [3, 3]),
        ("proj_kern", [3, 3, 0]),
        ("proj_pool", None),
        ("proj_n_depth", None),
        ("proj_n_filt", 0),
        ("unet_n_depth", "2"),
        ("unet_n_depth", 1_000_000_000),
        ("unet_n_first", -1),
        ("n_channel_in", 1.5),
    ],
)
def test_sizes_that_are_none_are_named(tmp_path, key, value):
    folder = tmp_path / "model"
    shutil.copytree(CASES[0].parent / "project_YXZ_prob", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    with pytest.raises(SpecError, match=key) as error:
        csbdeep.read(folder, "ProjectionCARE")
    assert "\n" not in str(error.value)


def test_a_projection_may_tell_its_surface(tmp_path):
    folder = CASES[0].parent / "project_YXZ_prob"
    facts = json.loads((folder / "case.json").read_text())
    model = csbdeep.read(folder, facts["class"], height="argmax")
    package = csbdeep.convert(model, tmp_path / "package")
    image = np.load(folder / "input.npy")
    restorer = care_runtime.load(package, device="cpu")
    found = restorer(image, facts["axes"], dtype="float32").outputs
    assert list(found) == ["mean", "scale", "height"]
    planes = image.shape[facts["axes"].index("Z")]
    assert set(np.unique(found["height"])) <= set(range(planes))
    for output in ("mean", "scale"):
        assert difference(found[output], np.load(folder / f"{output}.npy")) < 3e-5
