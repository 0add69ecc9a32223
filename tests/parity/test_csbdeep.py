"""What CSBDeep on TensorFlow computes, computed here from the same weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import care_runtime
from care_runtime.errors import FileError, OptionError, SpecError
from care_runtime.verify import difference
from care_training import csbdeep

ORACLE = Path(__file__).parents[3] / "shared" / "oracle" / "csbdeep"
MODELS = {
    "care2d": ("CARE", None),
    "care2d_3to1": ("CARE", None),
    "care3d": ("CARE", None),
    "prob2d_2ch": ("CARE", None),
    "upsampling": ("UpsamplingCARE", 4.0),
    "isotropic": ("IsotropicCARE", 4.0),
    "project": ("ProjectionCARE", None),
}

pytestmark = pytest.mark.skipif(
    not ORACLE.is_dir(), reason="the oracle is not part of the project"
)


@pytest.fixture(scope="module", params=MODELS)
def imported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / request.param
    kind, factor = MODELS[request.param]
    model = csbdeep.read(ORACLE / request.param, kind)
    package = csbdeep.convert(model, folder, factor=factor)
    facts = json.loads((ORACLE / request.param / "oracle.json").read_text())
    image = np.load(ORACLE / request.param / "input.npy")
    restorer = care_runtime.load(package, device="cpu")
    return request.param, restorer, image, facts


@pytest.mark.parametrize("tile", ["whole", 24, {"y": 37, "x": 20}])
def test_every_run_of_the_oracle(imported, tile):
    name, restorer, image, facts = imported
    for run in facts["runs"]:
        raw = run == "raw"
        # The oracle fed its raw run the image divided by 300.
        pixels = (image / 300).astype(np.float32) if raw else image
        found = restorer(
            pixels,
            facts["input_axes"],
            normalize="none" if raw else "auto",
            tile=tile,
            dtype="float32",
        ).outputs
        for path in (ORACLE / name).glob(f"{run}.*.npy"):
            output = path.stem.partition(".")[2]
            assert difference(found[output], np.load(path)) < 1e-5, path.name


def test_the_number_of_parameters(imported):
    name, _, _, facts = imported
    from care_training.unet import count_parameters

    model = csbdeep.read(ORACLE / name, MODELS[name][0])
    assert count_parameters(model.network) == facts["params"]


def test_other_percentiles_are_kept(tmp_path):
    model = csbdeep.read(ORACLE / "care2d")
    package = csbdeep.convert(model, tmp_path / "package", (1, 99))
    assert package.spec.care.normalization.percentiles == (1.0, 99.0)


def test_weights_of_another_config_are_refused(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copyfile(ORACLE / "care2d" / "config.json", folder / "config.json")
    shutil.copyfile(ORACLE / "care3d" / "weights_best.h5", folder / "weights_best.h5")
    with pytest.raises(SpecError, match=r"has a kernel of shape"):
        csbdeep.read(folder)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileError, match=r"config\.json"):
        csbdeep.read(tmp_path)
    shutil.copyfile(ORACLE / "care2d" / "config.json", tmp_path / "config.json")
    with pytest.raises(FileError, match=r"weights_best\.h5"):
        csbdeep.read(tmp_path)
    (tmp_path / "weights_best.h5").write_text("no HDF5")
    with pytest.raises(FileError, match="cannot read"):
        csbdeep.read(tmp_path)


def test_only_a_projection_has_a_surface():
    with pytest.raises(OptionError, match="no surface"):
        csbdeep.read(ORACLE / "care2d", height="argmax")


@pytest.mark.parametrize(
    ("name", "kind", "factor", "error", "words"),
    [
        ("project", "IsotropicCARE", 4.0, SpecError, "that of a projection"),
        ("care2d", "ProjectionCARE", None, SpecError, "not that of a projection"),
        ("care3d", "UpsamplingCARE", None, OptionError, "needs a --factor"),
        ("care3d", "UpsamplingCARE", 0.0, OptionError, "1 or more, found 0"),
        ("care2d", "CARE", 2.0, OptionError, "has no --factor"),
        ("care2d", "StarDist", None, OptionError, "UpsamplingCARE"),
    ],
)
def test_a_class_that_does_not_fit_is_refused(
    name, kind, factor, error, words, tmp_path
):
    with pytest.raises(error, match=words):
        csbdeep.convert(csbdeep.read(ORACLE / name, kind), tmp_path, factor=factor)


@pytest.mark.parametrize("percentiles", [(99.0, 2.0), (np.nan, 99.0), (-1.0, 200.0)])
def test_percentiles_that_mean_nothing_are_refused(percentiles, tmp_path):
    model = csbdeep.read(ORACLE / "care2d")
    with pytest.raises(OptionError, match="rise between 0 and 100"):
        csbdeep.convert(model, tmp_path, percentiles)


def test_a_network_that_cannot_be_is_the_fault_of_its_file(tmp_path):
    config = json.loads((ORACLE / "care2d" / "config.json").read_text("utf-8"))
    config["unet_kern_size"] = 4
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(SpecError, match=r"config\.json.*found 4"):
        csbdeep.read(tmp_path)
