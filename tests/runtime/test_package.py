"""Package: a folder or zip whose files are what its description says."""

from __future__ import annotations

import stat
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
from tiny import noise, one_line

import care_runtime
from care_runtime import package as package_
from care_runtime import zips
from care_runtime.errors import FileError, SpecError
from care_runtime.tensor import File

if TYPE_CHECKING:
    from pathlib import Path


def test_folder_description_and_zip_are_one(package: Path, tmp_path: Path) -> None:
    digest = package_.pack(package, tmp_path / "unet2d.zip")
    image, results = noise("YX", Y=20, X=21), []
    for place in (package, package / "rdf.yaml", tmp_path / "unet2d.zip"):
        found = package_.read(place, tmp_path / "cache")
        run = care_runtime.load(found, device="cpu")
        assert run.provenance["model"] == "unet2d"
        assert run.provenance["model sha256"] == package_.sha256(package / "model.onnx")
        results.append(run(image, "YX").image)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    unpacked = tmp_path / "cache" / "unpacked"
    assert [p.name for p in unpacked.iterdir()] == [digest]


def test_packing_is_deterministic(package: Path, tmp_path: Path) -> None:
    first = package_.pack(package, tmp_path / "first.zip")
    text = (package / "rdf.yaml").read_bytes()
    (package / "rdf.yaml").unlink()
    (package / "rdf.yaml").write_bytes(text)  # later, and last in its folder
    (package / "rdf.yaml").chmod(0o600)
    assert package_.pack(package, tmp_path / "second.zip") == first
    (package / "README.md").write_text("more")
    assert package_.pack(package, tmp_path / "third.zip") != first


@pytest.mark.parametrize("name", ["model.onnx", "test_input.npy", "test_output.npy"])
def test_a_changed_byte_is_seen(package: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((package / name).read_bytes())
    content[len(content) // 2] ^= 1
    (package / name).write_bytes(content)
    found = package_.read(package, tmp_path)
    with pytest.raises(FileError, match=f"{name} .*sha256") as error:
        found.path(tiny.hashed(package / name).__class__(name, "00"))
    spec = found.spec
    assert spec.weights
    files = [spec.weights.onnx, spec.input.test, spec.outputs[0].test]
    (file,) = [file for file in files if file and file.source == name]
    with pytest.raises(FileError, match=f"{name} .*sha256") as error:
        found.path(file)
    one_line(error.value)


def test_a_missing_file(package: Path, tmp_path: Path) -> None:
    (package / "model.onnx").unlink()
    with pytest.raises(FileError, match=r"'model\.onnx'") as error:
        care_runtime.load(package_.read(package, tmp_path))
    one_line(error.value)


def test_a_description_without_weights(package: Path, tmp_path: Path) -> None:
    tiny.write_description(package, tiny.spec("unet2d").to_dict())
    with pytest.raises(SpecError, match="expected weights") as error:
        care_runtime.load(package_.read(package, tmp_path))
    one_line(error.value)


@pytest.mark.parametrize("source", ["../secret", "/etc/hostname", "link"])
def test_a_file_outside_is_refused(package: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (package / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(FileError, match="inside the package") as error:
        package_.read(package, tmp_path).path(File(source))
    one_line(error.value)


def write_zip(path: Path, name: str, *, link: bool = False) -> Path:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o777) << 16
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("rdf.yaml", "name: bad")
        zipped.writestr(entry, "/etc/hostname")
    return path


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("../evil", False),
        ("a/../../evil", False),
        ("..\\evil", False),
        ("/evil", False),
        ("C:\\evil", False),
        ("link", True),
    ],
)
def test_zips_that_lead_out_are_refused(tmp_path: Path, name: str, link: bool) -> None:
    archive = write_zip(tmp_path / "bad.zip", name, link=link)
    with pytest.raises(FileError, match="leads out") as error:
        package_.read(archive, tmp_path / "cache")
    one_line(error.value)
    assert list((tmp_path / "cache" / "unpacked").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_zip_that_is_too_large(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "LARGEST", 1000)
    package_.pack(package, tmp_path / "large.zip")
    with pytest.raises(FileError, match="1000") as error:
        package_.read(tmp_path / "large.zip", tmp_path / "cache")
    one_line(error.value)


def test_a_damaged_zip(package: Path, tmp_path: Path) -> None:
    archive = tmp_path / "damaged.zip"
    package_.pack(package, archive)
    content = bytearray(archive.read_bytes())
    content[300] ^= 255
    archive.write_bytes(content)
    with pytest.raises(FileError, match=r"damaged\.zip") as error:
        package_.read(archive, tmp_path / "cache")
    one_line(error.value)
    assert list((tmp_path / "cache" / "unpacked").iterdir()) == []


def test_a_zip_unpacked_by_several_at_once(package: Path, tmp_path: Path) -> None:
    archive, errors = tmp_path / "unet2d.zip", []
    package_.pack(package, archive)

    def work() -> None:
        try:
            _ = package_.read(archive, tmp_path / "cache").onnx
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(list((tmp_path / "cache" / "unpacked").iterdir())) == 1


@pytest.mark.parametrize("name", ["rdf.yaml", "bioimageio.yaml", "model.yaml"])
def test_names_of_a_description(package: Path, tmp_path: Path, name: str) -> None:
    (package / "rdf.yaml").rename(package / name)
    assert package_.read(package, tmp_path).spec.name == "unet2d"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("rdf.yaml", b"a: [1", SpecError),
        ("rdf.yaml", b"- a\n- b", SpecError),
        ("rdf.yaml", b"", SpecError),
        ("rdf.yaml", b"\xff\xfe\x00", SpecError),
        ("model.onnx", b"onnx", FileError),
        ("model.zip", b"no zip", FileError),
    ],
)
def test_files_that_are_no_package(
    tmp_path: Path, name: str, content: bytes, kind: Any
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match="expected") as error:
        package_.read(tmp_path / name, tmp_path / "cache")
    assert name in one_line(error.value)


def test_a_folder_that_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"rdf\.yaml") as error:
        package_.read(tmp_path, tmp_path)
    one_line(error.value)


def test_a_zip_that_lacks_its_end(package: Path, tmp_path: Path) -> None:
    archive = tmp_path / "unet2d.zip"
    zips.pack(package, archive)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(FileError, match="damaged or incomplete") as error:
        package_.read(archive, tmp_path / "cache")
    assert str(archive) in one_line(error.value)
