"""Arrays that a caller gives for the result, and what is not taken as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny import noise, one_line

import care_runtime
from care_runtime import canvas
from care_runtime.errors import AxesError, FileError, ImageError, OptionError
from care_runtime.mixed import Mixed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.restore import Restorer

    Make = Callable[..., Restorer]


def test_an_image_is_not_restored_into_itself(restorer: Make, tmp_path: Path) -> None:
    run, image = restorer("unet2d"), noise("YX", Y=60, X=61)
    np.save(tmp_path / "i.npy", image)
    reading, writing = (np.load(tmp_path / "i.npy", mmap_mode=m) for m in ("r", "r+"))
    pairs = [(image, image), (image, image[::-1]), (reading, writing)]
    for source, out in pairs:
        with pytest.raises(OptionError, match="shares its pixels") as error:
            run(source, "YX", tile=16, out=out)
        one_line(error.value)
        with pytest.raises(OptionError, match="shares its pixels"):
            run(source, "YX", tile=16, out={"mean": out})


def test_channels_of_one_array_are_apart(restorer: Make) -> None:
    run, both = restorer("unet2d"), np.zeros((60, 61, 2), np.uint16)
    both[..., 0] = noise("YX", Y=60, X=61)
    expected = run(both[..., 0].copy(), "YX").image
    run(both[..., 0], "YX", tile=16, out=both[..., 1])
    np.testing.assert_array_equal(both[..., 1], expected)


def test_an_array_of_the_other_byte_order_is_filled(restorer: Make) -> None:
    run, image = restorer("unet2d"), noise("YX", Y=40, X=41)
    expected = run(image, "YX").image
    for pixels, kind in ((image, ">u2"), (image.astype(">u2"), "<u2")):
        out = np.zeros(image.shape, kind)
        run(pixels, "YX", out=out)
        np.testing.assert_array_equal(out, expected)


class Shut:
    """An array of another library, of a file that was opened to be read."""

    shape, dtype = (40, 41), np.dtype(np.uint16)

    def __getitem__(self, part: Any) -> Any:
        return np.zeros(self.shape, self.dtype)[part]

    def __setitem__(self, part: Any, values: Any) -> None:
        msg = "read only"
        raise ValueError(msg)


def test_arrays_that_may_not_be_written(restorer: Make) -> None:
    run, image = restorer("unet2d"), noise("YX", Y=40, X=41)
    out = np.zeros(image.shape, np.uint16)
    out.flags.writeable = False
    with pytest.raises(OptionError, match="read only") as error:
        run(image, "YX", out=out)
    one_line(error.value)
    with pytest.raises(FileError, match="open it for writing") as failed:
        run(image, "YX", out=Shut())
    one_line(failed.value)


def test_what_is_no_array_is_not_written_into(restorer: Make) -> None:
    image, two = noise("YX", Y=40, X=41), Mixed(((0, restorer("unet2d")),))
    for run in (restorer("unet2d"), two):
        for out in ([1, 2], {"mean": "out.tif"}, 7):
            with pytest.raises(OptionError, match="to write 'mean' into") as error:
                run(image, "YX", out=out)
            one_line(error.value)


def test_two_images_do_not_go_into_one_array(restorer: Make) -> None:
    run, image = restorer("laplace"), noise("YX", Y=40, X=41)
    both = np.zeros((2, 40, 41), np.float32)
    for first, second in ((both[0], both[0]), (both[0], both[0][:])):
        with pytest.raises(OptionError, match="'mean' and 'scale' share one") as error:
            run(image, "YX", out={"mean": first, "scale": second})
        one_line(error.value)
    assert not both.any()
    found = run(image, "YX", out={"mean": both[0], "scale": both[1]})
    np.testing.assert_array_equal(found.outputs["scale"], both[1])


def test_channels_are_not_squeezed_into_a_smaller_type(restorer: Make) -> None:
    run = Mixed(((0, restorer("unet2d")), (1, restorer("unet2d"))))
    image = noise("CYX", C=2, Y=40, X=41)
    for wrong in (np.zeros(image.shape, np.uint8), np.zeros((2, 40, 40), np.uint16)):
        with pytest.raises(OptionError, match="type uint16") as error:
            run(image, "CYX", out=wrong)
        one_line(error.value)
    with pytest.raises(OptionError, match="'other'"):
        run(image, "CYX", out={"other": np.zeros(image.shape)})
    out = np.zeros(image.shape, np.uint16)
    np.testing.assert_array_equal(run(image, "CYX", out=out).image, out)
    np.testing.assert_array_equal(run(image, "CYX").image, out)


def test_models_of_several_sizes_are_refused_before_they_run(restorer: Make) -> None:
    run = Mixed(((0, restorer("unet2d")), (1, restorer("projection"))))
    seen: list[Any] = []
    with pytest.raises(OptionError, match="images of one size") as error:
        run(noise("CYX", C=2, Y=40, X=41), "CYX", progress=lambda *a: seen.append(a))
    one_line(error.value)
    assert not seen


@pytest.mark.parametrize("axes", [("Y", "X"), 2, b"YX"])
def test_axes_are_letters(restorer: Make, axes: Any) -> None:
    with pytest.raises(AxesError, match="one text") as error:
        restorer("unet2d")(noise("YX", Y=8, X=8), axes)
    one_line(error.value)


def test_a_dask_array_that_nobody_counted(restorer: Make) -> None:
    da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")
    pixels = da.from_array(noise("YX", Y=40, X=41))
    with pytest.raises(ImageError, match="compute_chunk_sizes") as error:
        restorer("unet2d")(pixels[pixels[:, 0] > 0], "YX")
    one_line(error.value)


def test_files_may_be_named_by_text(tmp_path: Path) -> None:
    image = care_runtime.Image(noise("YX", Y=8, X=9), "YX")
    care_runtime.write(str(tmp_path / "a.tif"), image)
    found = care_runtime.read(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(found.pixels, image.pixels)


@pytest.mark.parametrize(
    "shape",
    [(1, 3, 4, 5), (2, 7, 300, 11), (3, 40, 2), (1, 2, 2, 5), (2, 1, 1)],
)
def test_blocks_are_all_of_a_tile_once(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    for size in (1, 3, 64, 1000, 1 << 17):
        monkeypatch.setattr(canvas, "BLOCK", size)
        seen = np.zeros(shape, int)
        for part in canvas.blocks(shape):
            seen[part] += 1
            assert seen[part].size <= max(size, 1)
        assert (seen == 1).all()
