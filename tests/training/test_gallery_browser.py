"""Gallery in a browser: opened from disk, and restoring images there.

Needs Chromium, the Python package playwright, and ONNX Runtime Web from npm: its folder
``dist`` in ``CARE_WEB_ASSETS``, else npm fetches it.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile

import care_runtime
import care_zoo
from care_runtime import package
from care_training import gallery
from care_training.gallery import web
from care_training.report import page as document

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing")

pytestmark = [pytest.mark.slow, pytest.mark.network]

NAME = "denoise_widefield"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MINUTES = 8 * 60_000

ARGUMENTS = [
    "--no-sandbox",  # root has none
    # A GPU in software, where there is no other.
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
]


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    given = os.environ.get("CARE_WEB_ASSETS")
    if given:
        return Path(given)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(
        [npm, "pack", f"{web.PACKAGE}@{web.VERSION}"], cwd=folder, check=True
    )
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package/dist"


@pytest.fixture(scope="module")
def written(tmp_path_factory, assets):
    folder = tmp_path_factory.mktemp("gallery")
    model = package.read_folder(care_zoo.MODELS / NAME)
    gallery.write([model], folder, web_assets=assets)
    return folder


@pytest.fixture(scope="module")
def browser():
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        options = {"executable_path": found, "args": ARGUMENTS}
        launched = playwright.chromium.launch(**options)
        yield launched
        launched.close()


class Opened:
    """A page, and all that it asked for and complained of."""

    def __init__(self, browser, address, **options):
        self.page = browser.new_page(**options)
        self.asked, self.wrong = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self.heard)
        self.page.goto(address)

    def heard(self, message):
        if message.type == "error":
            self.wrong.append(message.text)

    def close(self, origin="file:"):
        self.page.close()
        assert self.wrong == []
        assert not [
            url for url in self.asked if not url.startswith((origin, "blob:", "data:"))
        ]

    def restore(self, path, kind="auto", engine="wasm"):
        """Restore an image in the page, and read what it gives to download."""
        page = self.page
        page.select_option(".try [name=engine]", engine)
        page.select_option(".try [name=type]", kind)
        page.set_input_files(".try input[type=file]", path)
        page.wait_for_selector(
            ".try .result:not([hidden]), .said.wrong", timeout=MINUTES
        )
        assert "did not work" not in page.text_content(".said"), page.text_content(
            ".said"
        )
        with page.expect_download() as expected:
            page.click(".download")
        return tifffile.imread(expected.value.path())


@pytest.fixture
def opened(browser, written):
    found = Opened(browser, f"{(written / 'index.html').as_uri()}#{NAME}")
    yield found
    found.close()


def frame(size):
    """Draw an image in which one grey value is far less than 1e-3 of the range."""
    y, x = np.mgrid[:size, :size] / 9
    rng = np.random.default_rng(size)
    scene = 40 * (1 + np.sin(x + np.sin(y / 3)) * np.cos(y / 2)) ** 2 + 20
    return (100 + 50 * rng.poisson(scene)).astype(np.uint16)


def close(found, expected):
    span = float(np.ptp(expected.astype(float)))
    return np.abs(found.astype(float) - expected.astype(float)).max() / span


def test_filters_and_permalinks(browser, written):
    opened = Opened(browser, (written / "index.html").as_uri())
    page = opened.page
    assert page.is_visible(".grid > li")
    assert not page.is_visible(f"#{NAME}")
    page.fill("[type=search]", "nothing like it")
    assert not page.is_visible(".grid > li")
    assert page.text_content(".filters output") == "0 of 1 models"
    page.fill("[type=search]", "widefield TUBULIN")
    page.select_option("[name=axes]", "2-D")
    page.click(f"a[href='#{NAME}']")
    assert page.is_visible(f"#{NAME}")
    assert not page.is_visible(".grid")
    assert page.title().startswith(NAME)
    page.go_back()
    assert page.is_visible(".grid")
    opened.close()


def test_tables_fit_a_phone(browser, tmp_path):
    models = [package.read_folder(care_zoo.MODELS / "project_flywing")]
    gallery.write(models, tmp_path)
    rows = [("maximum projection, smoothed (1)", *["16.96"] * 4)] * 2
    report = document.page("Report", [document.table(("method", *"abcd"), rows)])
    (tmp_path / "report.html").write_text(report, "utf-8")
    for name in ("index.html#project_flywing", "report.html"):
        screen = {"width": 390, "height": 800}
        opened = Opened(browser, f"{tmp_path.as_uri()}/{name}", viewport=screen)
        wide = opened.page.evaluate(
            """() => [...document.querySelectorAll(".scroll")]
              .filter((box) => box.offsetWidth)
              .map((box) => box.scrollWidth - box.clientWidth)"""
        )
        assert wide
        assert max(wide) == 0
        opened.close()


def test_the_slider_works_by_mouse_and_keyboard(opened):
    page = opened.page
    handle = page.locator(".compare .handle").first
    stage = page.locator(".compare .stage").first

    def value():
        return int(handle.get_attribute("aria-valuenow"))

    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60, steps=5)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"], box["y"] + 60)
    assert value() == 25
    where = handle.bounding_box()
    middle = where["x"] + where["width"] / 2
    assert middle == pytest.approx(box["x"] + box["width"] / 4, abs=3)
    handle.focus()
    for key, expected in (
        ("ArrowRight", 27),
        ("ArrowLeft", 25),
        ("PageUp", 35),
        ("End", 100),
        ("ArrowRight", 100),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert value() == expected
    page.check("input[value=truth]")
    assert page.is_visible("img.truth")
    assert not page.is_visible("img.restored")


@pytest.mark.parametrize("kind", ["auto", "float32"])
def test_restores_as_care_run_does(opened, tmp_path, kind):
    path = tmp_path / "image.tif"
    image = frame(512)
    tifffile.imwrite(path, image, compression="zlib")
    found = opened.restore(path, kind)
    restorer = care_runtime.load(NAME, device="cpu", engine="onnxruntime")
    expected = restorer(image, "YX", dtype=kind).image
    assert found.dtype == expected.dtype
    assert close(found, expected) < 1e-3


def test_restores_on_a_gpu_as_care_run_does(opened, tmp_path):
    asked = "navigator.gpu?.requestAdapter().then((adapter) => adapter !== null)"
    if not opened.page.evaluate(asked):
        pytest.skip("Chromium finds no GPU, nor makes one")
    path, image = tmp_path / "image.tif", frame(72)
    tifffile.imwrite(path, image)
    found = opened.restore(path, "float32", "webgpu")
    assert "(WebGPU)" in opened.page.text_content(".said")
    restorer = care_runtime.load(NAME, device="cpu", engine="onnxruntime")
    assert close(found, restorer(image, "YX", dtype="float32").image) < 1e-3


def test_a_large_image_does_not_freeze_the_page(opened, tmp_path):
    path = tmp_path / "large.tif"
    image = frame(2048)
    tifffile.imwrite(path, image)
    opened.page.evaluate(
        """() => {
          self.longest = 0;
          let last = performance.now();
          setInterval(() => {
            const now = performance.now();
            self.longest = Math.max(self.longest, now - last);
            last = now;
          }, 20);
        }"""
    )
    found = opened.restore(path, "float32")
    longest = opened.page.evaluate("self.longest")
    assert longest < 500, f"the page stood still for {longest:.0f} ms"
    restorer = care_runtime.load(NAME, device="cpu", engine="onnxruntime")
    assert close(found, restorer(image, "YX", dtype="float32").image) < 1e-3


def test_a_restoration_can_be_cancelled_and_errors_are_told(opened, tmp_path):
    page = opened.page
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, frame(1024))
    page.set_input_files(".try input[type=file]", path)
    page.click(".cancel")
    assert page.text_content(".said") == "Cancelled."
    assert not page.is_visible(".work")
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no image at all, but long enough")
    page.set_input_files(".try input[type=file]", bad)
    page.wait_for_selector(".said.wrong")
    assert "this is no TIFF or PNG file" in page.text_content(".said")
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, frame(64))
    assert opened.restore(small).shape == (64, 64)


class Isolated(SimpleHTTPRequestHandler):
    """Serves with the headers that allow threads."""

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *values):
        pass


def test_takes_threads_where_it_is_served_so(browser, written, tmp_path):
    handler = functools.partial(Isolated, directory=str(written))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        origin = f"http://127.0.0.1:{server.server_port}/"
        opened = Opened(browser, f"{origin}#{NAME}")
        assert opened.page.evaluate("crossOriginIsolated")
        image = frame(512)
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, image)
        found = opened.restore(path)
        said = opened.page.text_content(".said")
        opened.close(origin)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    if (os.cpu_count() or 1) > 1:
        assert "threads)" in said
    restorer = care_runtime.load(NAME, device="cpu", engine="onnxruntime")
    assert close(found, restorer(image, "YX").image) < 1e-3
