"""A real Chromium, driven over its DevTools protocol through a pipe: no driver and no library between.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60  # seconds for one answer; a loaded machine needs some
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32}
NAMED = {"table", "region", "navigation"}

BEYOND = """[...document.querySelectorAll('body *:not(.unseen, .unseen *, .skip)')].filter(each =>
    !each.parentElement.closest('.scroll, .sideways, pre') && each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => each.outerHTML.slice(0, 80))"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
AXE = resources.files("axe_playwright_python") / "axe.min.js"  # https://github.com/dequelabs/axe-core (MPL-2.0)
AUDIT = """async (rules) => {
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  const readable = (each) => {
    const style = getComputedStyle(each);
    const ink = each instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [luminance(parse(ink)), luminance(ground(each))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) >= (parseFloat(style.fontSize) >= 24 ? 3 : 4.5);
  };
  const found = await axe.run({runOnly: rules, elementRef: true, preload: false});
  const lines = (found) => found.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${rule.help}: ${node.html.slice(0, 120)} (${node.failureSummary.replace(/\\s+/g, " ")})`));
  const left = (rule) => rule.nodes.filter(node => rule.id !== "color-contrast" || !readable(node.element));
  const unsure = found.incomplete.map(rule => ({...rule, nodes: left(rule)}));
  return [...lines(found.violations), ...lines(unsure)];
}"""


class Chromium:
    """One browser with one page."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._rest = b""
        self._number = 0
        self._scripts = True
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def show(
        self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> None:
        """Open a file, wait until it is loaded, and forget what was seen of the one before."""
        self._scripts = script
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._wait_for("Page.loadEventFired")
        self._settle()

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key, down and up, to whatever has the focus."""
        text = {"Enter": "\r", "Space": " "}.get(key)
        common = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        common["modifiers"] = 8 if shift else 0
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text: str) -> None:
        """As if typed into what has the focus."""
        self.call("Input.insertText", text=text)

    def tree(self) -> list[dict[str, Any]]:
        """The nodes that a screen reader is told of: `role`, `name`."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            {"role": node.get("role", {}).get("value"), "name": node.get("name", {}).get("value", "")}
            for node in nodes
            if not node["ignored"]
        ]

    def nameless(self) -> list[dict[str, Any]]:
        """Nodes that get along without a name in the eyes of `faults`, and should have one here."""
        return [node for node in self.tree() if node["role"] in NAMED and not node["name"].strip()]

    def faults(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA and good practice, a line for each element; folds are opened.

        Where it cannot tell the contrast (charts, single signs), that is measured from the nearest opaque background.
        """
        self.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
        self.ask(f"{AXE.read_text(encoding='utf-8')}; 0")
        return self.ask(f"({AUDIT})({RULES})")

    def beyond(self) -> list[str]:
        """What reaches over the right edge of the window, but for what scrolls in a box of its own."""
        return self.ask(BEYOND)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requests(self) -> list[str]:
        """The addresses that the page asked for since it was opened, itself among them."""
        self._settle()
        sent = (each["params"] for each in self.events if each["method"] == "Network.requestWillBeSent")
        return [each["request"]["url"] for each in sent]

    def complaints(self) -> list[str]:
        """What the browser has against the page: errors of the script, what the policy has blocked."""
        self._settle()
        said = [each["params"]["entry"]["text"] for each in self.events if each["method"] == "Log.entryAdded"]
        return said + [
            json.dumps(each["params"]) for each in self.events if each["method"] == "Runtime.exceptionThrown"
        ]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _settle(self) -> None:
        """Everything that was to happen up to now has happened, and its events are here."""
        self.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done)))" if self._scripts else "0")

    def _wait_for(self, event: str) -> None:
        while not any(each["method"] == event for each in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            data = os.read(self._from, 1 << 20) if ready else b""
            assert data, "Chromium does not answer" if not ready else "Chromium has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser for some pages; the test is skipped where there is none, and fails where there must be one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing = pytest.fail if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip
        missing("needs Chromium (Debian: apt-get install chromium)")
    command_read, command_write = _pipe()
    answer_read, answer_write = _pipe()

    def hand_over() -> None:
        os.dup2(command_read, 3)
        os.dup2(answer_write, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"]
        flags += ["--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-background-networking"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # it needs a user of its own; these pages are ours
        browser = subprocess.Popen(
            [program, *flags, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,  # descriptors that Python opened are not inherited anyway
            preexec_fn=hand_over,
            start_new_session=True,
        )
        os.close(command_read)
        os.close(answer_write)
        try:
            yield Chromium(command_write, answer_read)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            os.close(command_write)
            os.close(answer_read)


def _pipe() -> tuple[int, int]:
    """Both ends above 3 and 4, which they are copied to."""
    import fcntl

    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
