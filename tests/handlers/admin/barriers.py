"""What keeps people from using a page, found in its DOM: names, landmarks, headings, tables, contrast, sizes.

After WCAG 2.2 AA, as far as a program can tell: 1.1.1, 1.3.1, 1.4.3, 2.4.1, 2.4.2, 2.4.6, 2.5.8, 3.1.1, 4.1.2.
"""

from __future__ import annotations

from typing import Any

LOOK = r"""
() => {
  const found = [];
  const all = (chosen) => [...document.querySelectorAll(chosen)];
  const tell = (what, one) => found.push(`${what}: ${one.outerHTML.slice(0, 120)}`);
  const isSeen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const textOf = (ids) => ids.split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ").trim();
  const labelsOf = (one) => [...(one.labels || [])].map((label) => label.textContent).join(" ");
  const nameOf = (one) => (one.getAttribute("aria-label") || textOf(one.getAttribute("aria-labelledby") || "")
    || labelsOf(one) || one.textContent || one.title || "").trim();

  if (!document.documentElement.lang) found.push("no language");
  if (!document.title.trim()) found.push("no title");
  for (const [chosen, most] of [["main", 1], ["h1", 1], ["header", 1]]) {
    if (all(chosen).filter(isSeen).length !== most) found.push(`not ${most} ${chosen}`);
  }
  all("a, button, summary, input:not([type=hidden]), select, [role=region], [role=img], nav, svg:not([aria-hidden])")
    .filter((one) => isSeen(one) && !one.closest("[aria-hidden=true], a.qr > *") && !nameOf(one))
    .forEach((one) => tell("no name", one));
  all("img:not([alt])").forEach((one) => tell("no alt", one));
  const ids = all("[id]").map((one) => one.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => found.push(`id twice: ${id}`));
  let depth = 0;
  for (const heading of all("h1, h2, h3, h4").filter(isSeen)) {
    const level = Number(heading.nodeName[1]);
    if (level > depth + 1) tell("heading skips a level", heading);
    depth = level;
  }
  all("main table").forEach((table) => {
    if (!table.querySelector("caption")?.textContent.trim()) tell("no caption", table);
    if ([...table.querySelectorAll("th")].some((head) => !head.scope)) tell("a head without scope", table);
  });
  all("dl > :not(div, dt, dd)").forEach((one) => tell("no part of a list", one));

  const numbers = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = ([red, green, blue]) => [red, green, blue]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const groundOf = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const ground = numbers(getComputedStyle(at).backgroundColor);
      if (ground.length === 3 || ground[3] === 1) return ground;
    }
    return [255, 255, 255];
  };
  const texts = all("body *").filter((one) => isSeen(one) && !one.closest("svg, .visually-hidden, .skip")
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim()));
  for (const one of texts) {
    const style = getComputedStyle(one);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const [ink, ground] = [light(numbers(style.color)), light(groundOf(one))];
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (ratio < least) tell(`contrast ${ratio.toFixed(2)}`, one);
  }
  all("button, summary, input:not([type=hidden]), nav a, .row-acts a").filter(isSeen).forEach((one) => {
    const { width, height } = one.getBoundingClientRect();
    if (width < 24 || height < 24) tell(`only ${width.toFixed()}x${height.toFixed()}`, one);
  });
  return found;
}
"""


async def find_barriers(page: Any) -> list[str]:
    """Look for what is in somebody's way."""
    found: list[str] = await page.evaluate(LOOK)
    return found
