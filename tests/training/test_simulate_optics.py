import numpy as np
import pytest

from care_runtime.errors import TrainingError
from care_training.simulate import OPTICS, Optics, blur, brightness

KINDS = ["widefield", "confocal", "spinning_disk", "two_photon", "light_sheet"]


def optics(kind, **changed):
    given = {"na": 1.05, "index": 1.406, "emission": 0.6, "excitation": 0.5}
    return Optics(kind, **given | changed)


def fwhm(profile, step):
    """Twice the distance from the middle to half the height, in um."""
    half = profile[len(profile) // 2 :] / profile.max()
    below = int(np.argmax(half < 0.5))
    part = (half[below - 1] - 0.5) / (half[below - 1] - half[below])
    return 2 * step * (below - 1 + part)


def widths(microscope, step=0.05, shape=(101, 31, 31)):
    psf = microscope.psf((step,) * 3, shape)
    middle = [n // 2 for n in psf.shape]
    axial, lateral = psf[:, middle[1], middle[2]], psf[middle[0], middle[1]]
    return fwhm(axial, step), fwhm(lateral, step)


@pytest.mark.parametrize("kind", KINDS)
def test_a_psf_is_normalized_symmetric_and_centred(kind):
    psf = optics(kind).psf((0.4, 0.12, 0.1))
    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert psf.min() >= 0
    assert all(n % 2 for n in psf.shape)
    for axis in range(3):
        np.testing.assert_allclose(psf, np.flip(psf, axis), atol=1e-8)
    assert np.unravel_index(psf.argmax(), psf.shape) == tuple(n // 2 for n in psf.shape)


@pytest.mark.parametrize(("na", "index"), [(0.8, 1.33), (1.05, 1.406), (1.3, 1.406)])
def test_widefield_widths_follow_the_aperture(na, index):
    axial, lateral = widths(optics("widefield", na=na, index=index), 0.04)
    assert lateral == pytest.approx(0.51 * 0.6 / na, rel=0.05)
    assert axial == pytest.approx(
        0.88 * 0.6 / (index - np.sqrt(index**2 - na**2)), rel=0.1
    )


def test_a_pinhole_sharpens_and_an_open_one_leaves_the_excitation():
    wide = widths(optics("widefield"))
    small = widths(optics("confocal", pinhole=0.2))
    usual = widths(optics("confocal"))
    disk = widths(optics("spinning_disk"))
    assert all(a < b < c for a, b, c in zip(small, usual, wide, strict=True))
    assert all(a < b < c for a, b, c in zip(usual, disk, wide, strict=True))
    excitation = widths(optics("widefield", emission=0.5))
    open_hole = widths(optics("confocal", pinhole=10.0))
    np.testing.assert_allclose(open_hole, excitation, rtol=0.05)


def test_optical_sections_lose_light_out_of_focus_and_widefield_does_not():
    share = {
        kind: (planes := optics(kind).psf((0.2, 0.1, 0.1)).sum((1, 2)))[0]
        / planes.max()
        for kind in KINDS
    }
    assert share["widefield"] > 0.9
    assert share["confocal"] < share["spinning_disk"] < 0.1
    assert share["two_photon"] < 0.1


def test_two_photons_are_the_square_of_the_excitation():
    square = optics("widefield", emission=0.95).psf((0.2, 0.1, 0.1), (9, 31, 31)) ** 2
    psf = optics("two_photon", excitation=0.95).psf((0.2, 0.1, 0.1), (9, 31, 31))
    np.testing.assert_allclose(psf, square / square.sum(), atol=0.02 * psf.max())


def test_a_thin_light_sheet_sets_the_axial_width():
    assert widths(optics("light_sheet", na=0.3, index=1.33, sheet=1.5))[
        0
    ] == pytest.approx(1.5, rel=0.05)
    assert widths(optics("light_sheet", sheet=50.0))[0] == pytest.approx(
        widths(optics("widefield"))[0], rel=0.01
    )


def test_tirf_is_widefield_near_the_glass_and_has_no_stack():
    tirf = Optics("tirf", na=1.46, emission=0.52).psf((0.1, 0.1), (21, 21))
    wide = Optics("widefield", na=1.46, emission=0.52).psf((0.1, 0.1), (21, 21))
    assert tirf.sum() == pytest.approx(1, abs=1e-5)
    assert 0.7 * wide.max() < tirf.max() < wide.max()
    with pytest.raises(TrainingError, match="no stack"):
        Optics("tirf").psf((0.2, 0.1, 0.1))


def test_coarse_pixels_are_sums_of_fine_ones():
    fine = optics("widefield").psf((0.1, 0.1), (99, 99))
    coarse = optics("widefield").psf((0.3, 0.3), (33, 33))
    summed = fine.reshape(33, 3, 33, 3).sum((1, 3))
    np.testing.assert_allclose(coarse, summed, atol=0.01 * coarse.max())


def test_a_default_psf_holds_its_light():
    psf = optics("confocal").psf((0.2, 0.1, 0.1))
    larger = optics("confocal").psf((0.2, 0.1, 0.1), [n + 20 for n in psf.shape])
    assert larger[10:-10, 10:-10, 10:-10].sum() > 0.97


@pytest.mark.parametrize("name", OPTICS)
def test_the_microscopes_of_the_paper(name):
    size = (0.08, 0.08) if OPTICS[name].kind == "tirf" else (0.5, 0.2, 0.2)
    assert OPTICS[name].psf(size).sum() == pytest.approx(1, abs=1e-5)
    hole = OPTICS[name].pinhole * 1.22 * OPTICS[name].emission / OPTICS[name].na
    if OPTICS[name].kind == "spinning_disk":
        magnification = {"planaria": 30, "flywing": 63}.get(name, 60)
        assert hole == pytest.approx(50 / magnification, rel=0.05)


def test_wrong_optics_are_refused():
    with pytest.raises(TrainingError, match="found 'sted'"):
        Optics("sted")
    with pytest.raises(TrainingError, match="below the refractive index"):
        Optics(na=1.6)
    with pytest.raises(TrainingError, match="2 odd numbers"):
        Optics().psf((0.1, 0.1), (8, 9))


@pytest.mark.parametrize("shape", [(30, 41), (9, 20, 31)])
def test_blur_keeps_light_and_places(shape):
    psf = optics("confocal").psf((0.4, 0.1, 0.1)[-len(shape) :])
    np.testing.assert_allclose(blur(np.ones(shape), psf), 1, atol=1e-4)
    point = np.zeros(shape)
    middle = tuple(n // 2 for n in shape)
    point[middle] = 1
    image = blur(point, psf)
    assert image.shape == shape
    assert image.min() >= 0
    assert image.sum() == pytest.approx(1, abs=0.01)
    assert np.unravel_index(image.argmax(), shape) == middle


def test_blur_mirrors_at_the_border():
    scene = np.random.default_rng(0).random((12, 15))
    psf = optics("widefield").psf((0.2, 0.2), (5, 7))
    from scipy import ndimage

    expected = ndimage.convolve(scene, psf, mode="reflect")
    np.testing.assert_allclose(blur(scene, psf), expected, rtol=1e-4)


def test_brightness_is_relative_to_a_percentile():
    image = brightness(np.arange(1001.0), percentile=50)
    assert image[500] == pytest.approx(1)
    assert not brightness(np.zeros(5)).any()


@pytest.mark.parametrize(("na", "index"), [(0.8, 1.33), (1.3, 1.406), (1.4, 1.515)])
def test_as_psfmodels(na, index):
    """Against the Gibson-Lanni model of a library that is not installed here (GPL)."""
    psfmodels = pytest.importorskip("psfmodels")
    given = {"NA": na, "wvl": 0.6, "ns": index, "ni": index, "ni0": index}
    theirs = psfmodels.make_psf(21, 41, dz=0.2, dxy=0.1, model="scalar", **given)
    ours = Optics("widefield", na, index, 0.6).psf((0.2, 0.1, 0.1), (21, 41, 41))
    theirs = theirs / theirs.sum()
    np.testing.assert_allclose(ours, theirs, atol=0.05 * theirs.max())
