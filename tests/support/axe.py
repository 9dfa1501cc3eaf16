"""Looks at a page as axe does: what people with other senses or other hands could not use."""

from pathlib import Path

from playwright.async_api import Page

_SOURCE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async () => {
  // Somebody who is just walking on is half transparent: that is judged once they stand.
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}"""


async def findings(page: Page) -> list[str]:
    """Serious and critical violations, in the light and in the night theme; the page is light afterwards."""
    if not await page.evaluate("() => 'axe' in globalThis"):
        # By the debugger, not as a script of the page: its content security policy would rightly refuse that.
        await page.evaluate(_SOURCE.read_text())
    found: list[str] = []
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        found += [f"{scheme}: {violation}" for violation in await page.evaluate(_RUN)]
    await page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    return found
