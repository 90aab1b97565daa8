"""A running studio and the browser's window onto it, for tests that click."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import unicodedata
import warnings
from pathlib import Path

PATIENCE = 240.0
"""Seconds for what takes a few on a machine with nothing else to do."""

FIND = (
    "[...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility() && "
    "[e.innerText.trim(), e.getAttribute('aria-label')].includes(arguments[1])) || null"
)
"""Script that finds what is shown and has a text or label; what is drawn anew is found and used in one go."""

REACH = "b.scrollIntoView({block: 'center'});"


def chromium():
    """Start Debian's Chromium without a screen, and return its window."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        still = ("background-networking", "component-update", "sync", "quic", "dev-shm-usage")
        for flag in ("headless=new", "no-sandbox", "no-first-run", "window-size=1000,900",
                     *(f"disable-{service}" for service in still)):  # fmt: skip
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


class Studio:
    """Hold a running studio and the browser's window onto it."""

    def __init__(self, window, folder, *args):
        self.window, self.folder = window, folder
        # a server that believes to be under test would take another port
        env = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        env["PYTHONPATH"] = str(Path(__file__).parents[1])
        command = [
            sys.executable,
            "-c",
            "from kansym.cli import main; main()",
            "studio",
            "--no-browser",
            *args,
        ]
        with open(folder / "stderr", "w") as heard:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, stderr=heard
            )
        self.address = self.process.stdout.readline().strip()

    def open(self):
        self.window.get(self.address)
        self.see(lambda: self.all("[role=tab]"))

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def all(self, css):
        # what has been drawn anew stays hidden beside the new for a moment
        return self.window.find_elements("css selector", f"{css}:not(.past *)")

    def text(self):
        # asked in one go: an element that is looked up first may be drawn anew before it is read
        return self.window.execute_script("return document.body.innerText")

    def texts(self, css):
        """Return what is written in all that is shown of a kind, read in one go."""
        shown = "[...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
        found = self.window.execute_script(f"return {shown}.map(e => e.innerText)", css)
        # a formula's letters are those of mathematics, one on each line
        return [" ".join(unicodedata.normalize("NFKC", text).split()) for text in found]

    def marks(self, kind="svg text"):
        """Return the texts of what the charts that are shown have of a kind, read in one go."""
        shown = "[...document.querySelectorAll('.chart')].filter(e => e.checkVisibility())"
        inside = "flatMap(c => [...c.querySelectorAll(arguments[0])].map(e => e.textContent))"
        return self.window.execute_script(f"return {shown}.{inside}", kind)

    def strokes(self):
        """Return how many strokes the charts that are shown have: all dots may be one path."""
        shown = "[...document.querySelectorAll('.chart')].filter(e => e.checkVisibility())"
        paths = "flatMap(c => [...c.querySelectorAll('svg path')].map(e => e.getAttribute('d') || ''))"
        return self.window.execute_script(f"return {shown}.{paths}.join(' ').split('M').length - 1")

    def see(self, what):
        """Wait until something is there, and return it; what is drawn again meanwhile is looked up again."""
        from selenium.common.exceptions import WebDriverException

        end, found = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            try:
                found = what() if callable(what) else what in self.text()
            except (WebDriverException, IndexError, AttributeError):  # of None, while it is drawn anew
                found = None
            if found:
                return found
            time.sleep(0.1)
        said = (self.folder / "stderr").read_text()[-3000:]
        raise AssertionError(f"not seen: {what}\n{self.text()[:900]}\n{said}")

    def find(self, css, word):
        """Return what is shown and has this text or label, looked for in one go; None where there is none."""
        return self.window.execute_script(f"return {FIND}", css, word)

    def button(self, word):
        return self.find("button", word)

    def press(self, word):
        """Press a button as soon as there is one that can be pressed."""
        pressed = f"const b = {FIND}; if (!b || b.disabled) return false; {REACH} b.click(); return true;"
        self.see(lambda: self.window.execute_script(pressed, "button", word))

    def keys(self, word, *keys):
        """Send keys to a button."""
        self.see(lambda: [self.button(word).send_keys(*keys)])

    def click(self, find):
        """Click what is found, once it is there; what is drawn again in between is looked up again."""

        def clicked():
            found = find()
            if found:
                found.click()
            return bool(found)

        self.see(clicked)

    def named(self, label):
        return self.see(lambda: self.find(f'[aria-label="{label}"]', label))

    def value(self, label):
        """Return what stands in the field of a name."""
        value = f"const e = {FIND}; return e ? [e.value] : null;"
        return self.see(lambda: self.window.execute_script(value, f'[aria-label="{label}"]', label))[0]

    def choose(self, label, word):
        """Choose the option with this text in the field of a name."""
        chosen = (
            f"const s = {FIND}, o = s && [...s.options].find(o => o.text === arguments[2]);"
            f"if (!o) return false; {REACH.replace('b.', 's.')} s.value = o.value;"
            "s.dispatchEvent(new Event('change')); return true;"
        )
        self.see(lambda: self.window.execute_script(chosen, f'[aria-label="{label}"]', label, word))

    def bring(self, path):
        """Drop a file where tables are brought."""

        def brought():
            self.window.find_element("css selector", "input[type=file]").send_keys(str(path))
            return True

        self.see(brought)

    def write(self, label, text):
        from selenium.webdriver.common.keys import Keys

        def written():
            # as a person does: emptied first, it would tell of the emptiness
            self.named(label).send_keys(Keys.CONTROL, "a", Keys.NULL, text or Keys.DELETE, "\t")
            return True

        self.see(written)

    def formula(self):
        return self.see(lambda: self.texts(".formula"))[0]

    def picture(self, name):
        """Take a picture for the docs; it is kept where KANSYM_PICTURES names a folder."""
        self.window.execute_script("window.scrollTo(0, 0)")
        place = Path(os.environ.get("KANSYM_PICTURES", self.folder)) / f"studio-{name}.png"
        time.sleep(0.5)
        self.window.save_screenshot(str(place))
        assert 2_000 < place.stat().st_size < 100_000

    def severe(self):
        return [
            e
            for e in self.window.get_log("browser")
            if e["level"] == "SEVERE" and "favicon" not in e["message"]
        ]


def axe(window):
    """Return what axe-core finds on the page, once it is at rest: contrast, labels, roles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from axe_selenium_python import Axe
    checker = Axe(window)
    for _ in range(20):  # a colour on its way from one look to another has a contrast of its own
        checker.inject()
        found = checker.run()["violations"]
        if not found:
            break
        time.sleep(0.5)
    return [(v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found]


def narrow(window):
    """Return the page's width in pixels on a phone 390 pixels wide, once it is laid out."""
    size = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for _ in range(20):
            time.sleep(0.3)
            width = window.execute_script("return document.documentElement.scrollWidth")
            if width <= 390:
                break
        return width
    finally:
        window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
