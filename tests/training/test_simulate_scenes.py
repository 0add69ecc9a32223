import numpy as np
import pytest
from scipy import ndimage
from scipy.optimize import curve_fit

from care_runtime.errors import TrainingError
from care_training.simulate import (
    Optics,
    Tissue,
    blur,
    epithelium,
    height_map,
    insulin_granules,
    liver,
    microtubules,
    project,
    stained_nuclei,
)
from care_training.simulate.nucleus import _body
from care_training.simulate.packing import pack
from care_training.simulate.tubules import splat

VOXEL = (0.5, 0.5, 0.5)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def tissue():
    return stained_nuclei((48, 80, 96), rng(), voxel_size=VOXEL)


@pytest.fixture(scope="module")
def wing():
    return epithelium((40, 128, 160), rng())


def whole(labels):
    """Number the objects that no border cuts."""
    cut = np.concatenate(
        [np.unique(np.take(labels, [0, -1], axis)) for axis in range(labels.ndim)]
    )
    return np.setdiff1d(np.unique(labels), np.append(cut, 0))


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: stained_nuclei((12, 40, 40), r).density,
        lambda r: stained_nuclei((40, 40), r, voxel_size=(0.3, 0.3)).labels,
        lambda r: stained_nuclei((20, 64, 64), r, layout="blastoderm").density,
        lambda r: epithelium((20, 40, 40), r).density,
        lambda r: microtubules((64, 64), r),
        lambda r: insulin_granules((64, 64), r),
    ],
)
def test_a_seed_makes_the_scene(draw):
    one, same, other = draw(rng(7)), draw(rng(7)), draw(rng(8))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.min() >= 0
    assert np.isfinite(one).all()


def test_nuclei_are_as_large_as_said(tissue):
    inner = whole(tissue.labels)
    volumes = np.bincount(tissue.labels.ravel())[inner] * np.prod(VOXEL)
    diameters = (6 * volumes / np.pi) ** (1 / 3)
    assert len(inner) > 20
    assert 5 < np.median(diameters) < 10
    assert (np.abs(diameters - 7.5) < 3.5).mean() > 0.9


def test_nuclei_are_whole_dense_and_bright(tissue):
    assert tissue.labels.shape == tissue.density.shape
    present = np.unique(tissue.labels)
    np.testing.assert_array_equal(present, np.arange(len(present)))
    pieces = [
        ndimage.label(tissue.labels == i, np.ones((3, 3, 3)))[1] for i in present[1:40]
    ]
    assert np.mean(np.array(pieces) == 1) > 0.97
    inside = tissue.labels > 0
    assert 0.15 < inside.mean() < 0.4
    assert not tissue.density[~inside].any()
    assert tissue.density[inside].mean() == pytest.approx(1, abs=0.15)


def test_nuclei_are_drawn_whole_and_smooth():
    line = np.linspace(-2.4, 2.4, 49, dtype=np.float32)
    offsets = list(np.meshgrid(line, line, line, indexing="ij", sparse=True))
    far = np.sqrt(sum(o * o for o in offsets))
    ball = (far < 0.35)[20:29, 20:29, 20:29]
    for seed in range(40):
        body = _body(3, rng(seed), 0.15, None)
        inside = body.distance(offsets) < 1
        assert far[inside].max() <= body.reach < 2.4
        assert 4 < inside.sum() * (line[1] - line[0]) ** 3 < 5  # a ball has 4.2
        # No spike stands out, which opening would take away.
        spikes = inside & ~ndimage.binary_opening(inside, ball)
        assert spikes.sum() < 0.05 * inside.sum()


def test_chromatin_is_alike_over_half_a_micrometre():
    scene = stained_nuclei((300, 300), rng(), voxel_size=(0.05, 0.05), contrast=0.35)
    inside = ndimage.binary_erosion(scene.labels > 0, iterations=10)
    texture = np.log(np.where(inside, scene.density, 1))
    texture -= ndimage.gaussian_filter(texture, 12)

    def correlation(lag):
        both = inside[:, lag:] & inside[:, : 300 - lag]
        pairs = texture[:, lag:][both], texture[:, : 300 - lag][both]
        return np.corrcoef(*pairs)[0, 1]

    assert correlation(2) > 0.7
    assert correlation(5) == pytest.approx(0.5, abs=0.2)
    assert correlation(20) < 0.2


def test_a_blastoderm_is_one_layer_on_a_sphere():
    scene = stained_nuclei(
        (48, 128, 128), rng(1), voxel_size=VOXEL, layout="blastoderm"
    )
    places = np.array(
        ndimage.center_of_mass(scene.labels > 0, scene.labels, whole(scene.labels))
    )
    z, y, x = 0.5 * places.T
    # A sphere: y^2 + x^2 + z^2 is linear in the three and a constant.
    terms = np.column_stack([z, y, x, np.ones_like(z)])
    fit = np.linalg.lstsq(terms, z**2 + y**2 + x**2, rcond=None)[0]
    radii = np.linalg.norm(np.column_stack([z, y, x]) - fit[:3] / 2, axis=1)
    assert len(z) > 20
    assert radii.std() < 2
    # Side by side: most columns of voxels meet one nucleus, none several.
    columns = [np.unique(c[c > 0]).size for c in scene.labels.reshape(48, -1).T]
    assert np.mean(np.array(columns) == 1) > 0.5
    assert np.mean(np.array(columns) > 1) < 0.1


def test_nuclei_have_layouts():
    with pytest.raises(TrainingError, match="in 2-D"):
        stained_nuclei((32, 32), rng(), layout="blastoderm")


def test_packed_balls_hardly_overlap():
    centres, radii = pack((40, 40, 40), np.full(200, 3.0), rng(), contact=0.9)
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert len(centres) == len(radii) > 50
    assert apart.min() >= 0.9 * 6


def test_the_sheet_stays_within_the_stack(wing):
    assert wing.height.shape == wing.projection.shape == wing.labels.shape
    assert 0 < wing.height.min() < wing.height.max() < 39
    assert np.abs(np.diff(wing.height, axis=1)).max() < 1
    assert np.ptp(height_map((50, 256, 256), rng(), voxel_size=(1, 0.3, 0.3))) > 15


def test_cells_are_as_large_as_said(wing):
    areas = np.bincount(wing.labels.ravel())[whole(wing.labels)] * 0.32**2
    across = np.sqrt(4 * areas / np.pi)
    assert 3 < np.percentile(across, 5) < np.percentile(across, 95) < 6.5
    assert across.mean() == pytest.approx(4.5, rel=0.1)
    assert all(ndimage.label(wing.labels == i)[1] == 1 for i in whole(wing.labels)[:20])


def test_membranes_lie_between_cells_and_are_as_wide_as_said():
    sheet = epithelium((9, 200, 200), rng(), Tissue(voxel_size=(1, 0.05, 0.05)))
    edges = np.zeros(sheet.labels.shape, bool)
    edges[:, 1:] |= np.diff(sheet.labels, axis=1) != 0
    edges[1:] |= np.diff(sheet.labels, axis=0) != 0
    away = 0.05 * ndimage.distance_transform_edt(~edges)
    profile = [
        sheet.projection[(away >= d - 0.026) & (away < d + 0.026)].mean()
        for d in np.arange(0.05, 0.45, 0.05)
    ]
    (_, sigma), _ = curve_fit(
        lambda d, height, s: height * np.exp(-0.5 * (d / s) ** 2),
        np.arange(0.05, 0.45, 0.05) - 0.025,
        profile,
        (1, 0.1),
    )
    assert 2.355 * sigma == pytest.approx(0.3, rel=0.2)
    # At the border there may be a membrane just outside of the field.
    inner = (slice(20, -20),) * 2
    assert sheet.projection[inner][away[inner] > 0.6].max() < 0.01


def test_the_sheet_summed_over_planes_is_the_ideal_projection():
    only = epithelium((30, 64, 64), rng(), Tissue(lateral=0, haze=0, debris=0))
    np.testing.assert_allclose(only.density.sum(0), only.projection, atol=1e-5)
    planes = np.arange(30)[:, None, None]
    bright = only.projection > 0.5
    centre = (planes * only.density).sum(0)[bright] / only.projection[bright]
    np.testing.assert_allclose(centre, only.height[bright], atol=0.05)


def test_projected_along_the_height_the_stack_is_the_ideal_projection(wing):
    psf = Optics("spinning_disk", 1.3, 1.406, 0.51, 0.488).psf((1, 0.32, 0.32))
    stack = blur(wing.density, psf)
    ideal = blur(wing.projection, psf.sum(0))
    found = project(stack, wing.height)
    assert np.corrcoef(found.ravel(), ideal.ravel())[0, 1] > 0.93
    worse = np.corrcoef(stack.max(0).ravel(), ideal.ravel())[0, 1]
    assert worse < np.corrcoef(found.ravel(), ideal.ravel())[0, 1]


def test_projection_is_linear_between_planes():
    stack = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    height = np.array([[0, 0.5, 1.25], [4, 3.75, 9]])
    np.testing.assert_allclose(project(stack, height), np.minimum(height, 4))
    np.testing.assert_allclose(project(stack[:1], height), 0)


def test_haze_and_debris_lie_off_the_sheet(wing):
    planes = np.arange(40)[:, None, None]
    far = np.abs(planes - wing.height) > 3
    assert wing.density[far].mean() > 0.01
    clean = epithelium((40, 128, 160), rng(), Tissue(lateral=0, haze=0, debris=0))
    assert clean.density[far].max() < 1e-4


def test_points_keep_their_weight_and_place():
    places, weights = rng().uniform(2, 30, (2, 50)), rng(1).random(50)
    image = splat(places, weights, (34, 40))
    assert image.sum() == pytest.approx(weights.sum(), rel=1e-5)
    expected = (places * weights).sum(1) / weights.sum()
    np.testing.assert_allclose(ndimage.center_of_mass(image), expected, rtol=1e-5)
    outside = splat(np.array([[-0.5, 50], [3, 3]]), np.ones(2), (34, 40))
    assert outside.sum() == pytest.approx(0.5)


def test_tubules_are_as_long_and_as_thin_as_said():
    fields = [
        microtubules((256, 256), rng(i), asters=0, bundles=0).mean() / 0.08
        for i in range(8)
    ]
    assert np.mean(fields) == pytest.approx(1.5, rel=0.2)
    one = microtubules((256, 256), rng(), asters=0, bundles=0, length=0.1)
    # Straight through a pixel is 1; two filaments rarely share one here.
    assert np.percentile(one[one > 0.3], 90) < 1.6


def test_tubules_bend_as_their_persistence_length_says():
    straight = microtubules((400, 400), rng(), persistence=1e6, length=0.3)
    bent = microtubules((400, 400), rng(), persistence=2.0, length=0.3)

    def lines(image):
        # A straight filament is a peak in a projection at its own angle.
        return max(
            ndimage.rotate(image, angle, order=1, reshape=False).sum(0).max()
            for angle in range(0, 180, 6)
        )

    assert lines(straight) > 1.5 * lines(bent)


def test_granules_are_as_many_and_as_large_as_said():
    counts, areas = [], []
    for seed in range(4):
        field = insulin_granules((256, 256), rng(seed), count=0.1, clustered=0)
        labels, count = ndimage.label(field > 0)
        counts.append(count / (256 * 0.08) ** 2)
        areas += list(np.bincount(labels.ravel())[1:] * 0.08**2)
    assert np.mean(counts) == pytest.approx(0.1, rel=0.3)
    # A ball of 0.3 um touches pixels to half a pixel beyond its rim.
    assert np.sqrt(4 * np.median(areas) / np.pi) == pytest.approx(0.3 + 0.08, abs=0.06)


def test_clustered_granules_are_closer():
    def variance(clustered):
        fields = (
            insulin_granules((256, 256), rng(i), clustered=clustered, count=1.0)
            for i in range(6)
        )
        blocks = [f.reshape(8, 32, 8, 32).sum((1, 3)).ravel() for f in fields]
        return np.var(blocks) / np.mean(blocks)

    assert variance(1.0) > 1.5 * variance(0.0)


def test_borders_of_cells_are_as_near_as_they_are(monkeypatch):
    monkeypatch.setattr(
        liver, "perlin_noise", lambda shape, *_, **__: np.full(shape, 0.5)
    )
    shape, size = (20, 31, 44), np.array([0.3, 0.3, 0.4])
    centres = rng().random((9, 3)) * size * shape
    two, three = liver._borders(shape, rng(), size, centres, 25.0)
    places = np.stack(np.indices(shape), -1) * size
    apart = np.sort(np.linalg.norm(places[..., None, :] - centres, axis=-1), axis=-1)
    np.testing.assert_allclose(two, (apart[..., 1] - apart[..., 0]) / 2, atol=1e-5)
    np.testing.assert_allclose(three, (apart[..., 2] - apart[..., 0]) / 2, atol=1e-5)
