"""Every model of the zoo: what the registry, the package and its description say."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import yaml

import care_zoo
from care_runtime import package, store, tiff
from care_runtime.axes import canonical
from care_runtime.engine import Engine
from care_runtime.restore import Restorer
from care_runtime.spec import Spec
from care_runtime.verify import verify
from care_training import evaluate
from care_training.pairs import Pair

ENTRIES = store.names()
models = pytest.mark.parametrize("name", ENTRIES)


@models
def test_the_registry_has_the_hash_of_the_package(name, tmp_path):
    digest = package.pack(care_zoo.MODELS / name, tmp_path / "package.zip")
    assert digest == ENTRIES[name].sha256
    assert store.locate(str(tmp_path / "package.zip")).spec == store.locate(name).spec


# Four networks, or all planes of two views, take half a minute whole and in tiles.
HEAVY = ("project_flywing", *(n for n in ENTRIES if n.startswith("isotropic")))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in ENTRIES],
)
def test_the_test_tensors_and_the_tiles(name):
    found = store.locate(name)
    result = verify(found, Engine(found.onnx, "cpu"))
    assert result.passed
    straight = {name for name in result.tiled if name not in result.curved}
    assert all(result.tiled[name] == 0.0 for name in straight)


@models
def test_every_file_has_the_hash_that_the_description_says(name):
    found = store.locate(name)
    files = [found.spec.weights.onnx, found.spec.input.test, found.spec.input.sample]
    files += [tensor.test for tensor in found.spec.outputs]
    for file in files:
        assert file.sha256
        assert found.path(file).is_file()
    assert found.spec.care.version == ENTRIES[name].version


@models
def test_the_package_says_what_the_reviewed_source_says(name):
    source = yaml.safe_load((care_zoo.SPECS / f"{name}.yaml").read_text("utf-8"))
    reviewed, found = Spec.from_dict(source), store.locate(name).spec
    assert found.name == reviewed.name == name
    assert found.description == reviewed.description
    assert found.care.normalization == reviewed.care.normalization
    assert found.care.outputs == reviewed.care.outputs
    assert {**reviewed.about, **found.about} == found.about


@models
def test_the_graph_loads_in_old_runtimes_and_in_fiji(name):
    model = onnx.load(str(store.locate(name).onnx))
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert not model.functions


@models
def test_the_card_says_where_the_data_came_from(name):
    card = (care_zoo.MODELS / name / "README.md").read_text("utf-8")
    first = card.splitlines()[2]
    assert any(word in first for word in ("**real**", "semi-synthetic", "synthetic"))
    for word in ("Licence of the data", "| input |", "| network |", "## Limits"):
        assert word in card


@models
def test_the_sample_is_improved(name):
    found = store.locate(name)
    letters = found.spec.input.letters.replace("B", "")
    low = tiff.read(found.path(found.spec.input.sample))
    truth = tiff.read(care_zoo.MODELS / name / "sample_truth.tif")
    restored = Restorer(found.spec, Engine(found.onnx, "cpu"))(low)
    flat = "Z" in letters and "Z" not in found.spec.outputs[0].letters
    images = [
        canonical(image.pixels, image.axes)[0, 0]
        for image in (low, truth, restored.images[restored.main])
    ]
    if "Z" not in letters or flat:
        images[1:] = [image[:, 0] for image in images[1:]]
    pair = Pair(name, images[0] if "Z" in letters else images[0][:, 0], images[1])
    before, after = (
        np.mean([s.psnr for s in evaluate.scores(image, pair)])
        for image in (evaluate.comparable(pair), images[2])
    )
    assert after > before + (5 if name.startswith("denoise") else 1)
    if np.issubdtype(low.pixels.dtype, np.integer):
        assert restored.image.dtype == low.pixels.dtype
