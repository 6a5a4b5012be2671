//! A language that does not exist: every text of the page two fifths longer and with accents, as a translation might be;
//! and what is cut off by it.

import type { Page } from '@playwright/test';

/** Stretches every text, also of what comes later. Pictures, codes and what people typed stay as they are. */
export async function stretch(page: Page): Promise<void> {
  await page.evaluate(() => {
    const accents: Record<string, string> = { a: 'á', e: 'ẹ́', i: 'í', o: 'ọ́', u: 'ú', n: 'ǹ', E: 'Ẹ', O: 'Ọ', A: 'Á' };
    const written = new WeakMap<Text, string>();
    const longer = (word: string) => {
      const more = Math.ceil(word.length * 0.4);
      return word.replace(/[aeiounEOA]/g, letter => accents[letter] ?? letter) + 'ẹ́ọ̀'.normalize('NFC').repeat(more).slice(0, more);
    };
    const one = (node: Text) => {
      if (written.get(node) === node.data || node.parentElement?.closest('svg, script, style, .secret, .address')) return;
      const text = node.data.replace(/[A-Za-z’']{2,}/g, longer);
      written.set(node, text);
      if (text !== node.data) node.data = text;
    };
    const all = () => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) one(walker.currentNode as Text);
    };
    new MutationObserver(all).observe(document.body, { subtree: true, childList: true, characterData: true });
    all();
  });
}

/** Texts that are cut off, stand outside their button, or lie over another one. */
export function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const told: string[] = [];
    const seen: { text: string; box: DOMRect; owner: Element }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const top = document.querySelector('dialog[open]') ?? document.body;
    while (walker.nextNode()) {
      const node = walker.currentNode as Text;
      const owner = node.parentElement;
      if (!owner || !node.data.trim() || owner.closest('svg, select, .unseen') || !top.contains(owner)) continue;
      if (!owner.checkVisibility()) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const scrolls = owner.closest('.scroll')?.getBoundingClientRect();
      for (const box of range.getClientRects()) {
        const text = node.data.slice(0, 40);
        // What can be scrolled to is not cut off.
        if (scrolls && (box.bottom > scrolls.bottom || box.top < scrolls.top)) continue;
        if (box.left < -1 || box.right > innerWidth + 1) told.push(`outside the page: ${text}`);
        const around = owner.closest('button, .button, .pill, .badge, .notice, .menu a');
        const limit = around?.getBoundingClientRect();
        if (limit && (box.left < limit.left - 1 || box.right > limit.right + 1)) told.push(`wider than its box: ${text}`);
        if (limit && (box.top < limit.top - 1 || box.bottom > limit.bottom + 1)) told.push(`higher than its box: ${text}`);
        for (let up: Element | null = owner; up && up !== document.body; up = up.parentElement) {
          const style = getComputedStyle(up);
          const hides = (value: string) => value === 'hidden' || value === 'clip';
          const frame = up.getBoundingClientRect();
          // An ellipsis on a person's name is a choice; on our own words it is a fault.
          if (hides(style.overflowX) && !up.matches('.name *, .score .count') && box.right > frame.right + 1) {
            told.push(`cut off at its side: ${text}`);
          }
          if (hides(style.overflowY) && box.bottom > frame.bottom + 1) told.push(`cut off at its foot: ${text}`);
        }
        seen.push({ text, box, owner });
      }
    }
    const fixed = (element: Element) => !!element.closest('.menu, .reader, .composer, dialog');
    for (const [index, one] of seen.entries()) {
      for (const other of seen.slice(index + 1)) {
        if (fixed(one.owner) !== fixed(other.owner)) continue;
        const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        if (across > 3 && down > 6) told.push(`over each other: ${one.text} / ${other.text}`);
      }
    }
    return [...new Set(told)];
  });
}
