import contextlib
import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from care_training.mixture import Mixture, disagreement, quadrature


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def integrate(means, scales, nodes=8, step=0.25, far=60.0):
    """Disagreement in float64: small pieces around each mean, on each one's scale."""
    means, scales = (
        np.asarray(means, float)[:, None],
        np.asarray(scales, float)[:, None],
    )
    reach = np.arange(0, far + step / 2, step)
    edges = np.unique(np.concatenate([means + scales * reach, means - scales * reach]))
    x, weights = np.polynomial.legendre.leggauss(nodes)
    width = np.diff(edges)[:, None]
    z = (edges[:-1, None] + width * (x + 1) / 2).ravel()
    logs = -np.abs(z - means) / scales - np.log(2 * scales)
    top = logs.max(axis=0)
    mixture = top + np.log(np.exp(logs - top).mean(axis=0))
    divergence = (np.exp(logs) * (logs - mixture)) @ (width * weights / 2).ravel()
    return divergence.sum() / (len(means) * np.log(len(means)))


def draw(seed, members, sets=200):
    """Means over 0.01 to 10 scales, scales over 0.01 to 3: (M, sets) each, float32."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.uniform(np.log(0.01), np.log(3), (members, sets)))
    spread = np.exp(rng.uniform(np.log(0.01), np.log(10), sets))
    spread[::2] *= np.median(scales, axis=0)[::2]
    scales[:, ::5] = scales[0, ::5]
    means = spread * rng.normal(size=(members, sets))
    return means.astype(np.float32), scales.astype(np.float32)


def found(means, scales):
    tensors = (torch.as_tensor(np.asarray(a, np.float32)) for a in (means, scales))
    return disagreement(*tensors).numpy()


def test_the_reference_is_right():
    assert integrate([0, 0, 0], [2, 2, 2]) == pytest.approx(0, abs=1e-12)
    assert integrate([0, 1000], [1, 1]) == pytest.approx(1, abs=1e-9)
    means, scales = draw(0, 5, 20)
    for mu, b in zip(means.T, scales.T, strict=True):
        fine = integrate(mu, b, nodes=12, step=0.1, far=80)
        assert integrate(mu, b) == pytest.approx(fine, abs=1e-10)


@pytest.mark.parametrize(
    ("members", "most", "median"),
    [(2, 0.012, 1e-3), (3, 0.008, 1e-3), (5, 0.005, 1e-3), (8, 0.005, 1e-3)],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_disagreement_is_the_integral(members, most, median, seed):
    means, scales = draw(seed, members)
    pairs = zip(means.T, scales.T, strict=True)
    expected = [integrate(mu, b) for mu, b in pairs]
    off = np.abs(found(means, scales) - expected)
    assert off.max() < most
    assert np.median(off) < median


@pytest.mark.parametrize("members", [1, 2, 5, 8])
@pytest.mark.parametrize("mean", [0.0, -100.0, 0.3])
@pytest.mark.parametrize("scale", [1e-3, 0.7, 10.0])
def test_members_that_say_the_same_do_not_disagree(members, mean, scale):
    assert found([[mean]] * members, [[scale]] * members) < 1e-5


@pytest.mark.parametrize("members", [2, 5, 8])
@pytest.mark.parametrize("scale", [1e-3, 0.3, 10.0])
def test_members_far_apart_disagree_wholly(members, scale):
    means = 50 * scale * np.arange(members)[:, None]
    assert found(means, np.full_like(means, scale)) > 0.999


def test_the_order_of_members_does_not_matter():
    means, scales = draw(3, 5)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(
        found(means, scales), found(means[order], scales[order])
    )


@pytest.mark.parametrize(("factor", "shift"), [(7.0, 3.0), (0.1, -1.0), (-2.0, 5.0)])
def test_units_do_not_matter(factor, shift):
    means, scales = (a.astype(float) for a in draw(4, 5))
    moved = found(factor * means + shift, abs(factor) * scales)
    # The nodes are symmetric, so only the rounding of the moved means differs.
    np.testing.assert_allclose(found(means, scales), moved, atol=1e-4)


def test_extreme_members_are_finite_and_right():
    rng = np.random.default_rng(5)
    means = rng.uniform(-100, 100, (5, 4000))
    scales = np.exp(rng.uniform(np.log(1e-3), np.log(10), (5, 4000)))
    means[:, ::3] = np.round(means[:, ::3] / 60) * 60  # some means are equal
    d = found(means, scales)
    assert np.isfinite(d).all()
    assert d.min() >= 0
    assert d.max() <= 1
    for i in range(60):
        mu, b = means[:, i].astype(np.float32), scales[:, i].astype(np.float32)
        assert d[i] == pytest.approx(integrate(mu, b), abs=0.005)


def test_mean_and_standard_deviation_are_those_of_draws():
    rng = np.random.default_rng(6)
    mu, b = [-1.0, 0.5, 3.0], [0.2, 1.0, 2.0]
    draws = np.concatenate(
        [rng.laplace(m, s, 400_000) for m, s in zip(mu, b, strict=True)]
    )
    full = [[torch.full((1, 1, 2, 3), v) for v in values] for values in (mu, b)]
    mean, std, _ = Mixture()(*full)
    np.testing.assert_allclose(mean, draws.mean(), atol=0.02)
    np.testing.assert_allclose(std, draws.std(), rtol=0.01)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 2, 3, 4, 5)])
def test_every_pixel_and_channel_stands_alone(shape):
    means, scales = (torch.randn(4, *shape), torch.rand(4, *shape) + 0.01)
    together = Mixture()(list(means), list(scales))
    assert [y.shape for y in together] == [shape] * 3
    for c in range(shape[1]):
        alone = Mixture()(list(means[:, :, c : c + 1]), list(scales[:, :, c : c + 1]))
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a, b[:, c : c + 1], atol=1e-6, rtol=1e-6)


def test_the_probe_shows_all_members():
    means, scales = torch.randn(2, 1, 1, 4, 4), torch.rand(2, 1, 1, 4, 4)
    shown = Mixture().probe()(list(means), list(scales))
    torch.testing.assert_close(torch.stack(shown), torch.cat([means, scales]))


def test_nodes_lie_within_and_weights_add_to_one():
    nodes, weights = np.transpose(quadrature(8, 1.7))
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()
    assert 0 < nodes.min() < nodes.max() < 1
    np.testing.assert_allclose(nodes + nodes[::-1], 1)
    # The mean of an exponential variable is 1, though its tail is all at one end.
    assert weights @ -np.log1p(-nodes) == pytest.approx(1, abs=2e-3)


class Given(torch.nn.Module):
    """Members from the channels of one tensor: (B, 2 M, Y, X)."""

    def __init__(self):
        super().__init__()
        self.mixture = Mixture()

    def forward(self, x):
        parts = [x[:, i : i + 1] for i in range(x.shape[1])]
        half = len(parts) // 2
        return self.mixture(parts[:half], parts[half:])


def test_the_graph_is_plain_and_gives_the_same():
    dynamic = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    quiet = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(quiet),
        contextlib.redirect_stderr(quiet),
    ):
        warnings.simplefilter("ignore")
        model = torch.onnx.export(
            Given().eval(),
            (torch.rand(2, 6, 4, 4) + 1,),
            dynamo=True,
            opset_version=17,
            dynamic_shapes=(dynamic,),
            verbose=False,
        ).model_proto
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import} == {"": 17}
    assert not {"Loop", "Scan", "If"} & {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    means, scales = draw(7, 3, 2 * 5 * 7)
    x = np.concatenate([means, scales]).reshape(6, 2, 5, 7).swapaxes(0, 1)
    found = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(x)})
    for a, b in zip(found, Given()(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)
