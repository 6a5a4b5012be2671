//! How a tap is answered: the card under the finger changes at once, in the frame of the tap, and nothing else of the table
//! is touched before the box has spoken. What that takes in milliseconds depends on the machine, so it is told and not
//! judged: `npm test -- response` on a machine that does nothing else (web/README.md).

import { type CDPSession, expect, type Page, test } from '@playwright/test';
import { Phone } from './phone';
import { World } from './world';

/** As much slower as the cheapest phones are. */
const SLOWDOWN = 6;
const TAPS = 9;

interface Styled {
  name: string;
  args: { elementCount?: number };
}

let world: World;

test.beforeAll(async () => {
  world = await World.make();
});

test.afterAll(() => world.box.end());

/** Both players of a match, at the table. */
async function seated(browser: Parameters<typeof Phone.open>[0], hold: Promise<void> | null = null) {
  const phones = [await Phone.open(browser, world.box), await Phone.open(browser, world.box)] as const;
  await phones[0].has(world.chidi);
  await phones[1].has(world.tunde);
  const wires: CDPSession[] = [];
  for (const phone of phones) {
    // Acknowledgements and events are held back until then, so that what the tap itself does can be told from what they do.
    if (hold) {
      await phone.page.routeWebSocket(/\/ws\?/, socket => {
        const box = socket.connectToServer();
        box.onMessage(async frame => {
          if (/"type":"(ack|events)"/.test(String(frame))) await hold;
          socket.send(frame);
        });
      });
    }
    await phone.page.goto(`/play/g/${world.game}`);
    await expect(phone.page.locator('.hand-card').first()).toBeVisible();
    wires.push(await phone.context.newCDPSession(phone.page));
  }
  return { phones, wires };
}

/** The middle of what a move is made with: a card that can be played without naming a shape, or the market. */
function target(page: Page): Promise<{ x: number; y: number; what: string }> {
  return page.evaluate(() => {
    const cards = [...document.querySelectorAll('.hand-card.can')];
    const card = cards.find(one => !one.ariaLabel?.startsWith('Whot')) ?? document.querySelector('.market');
    const box = (card as Element).getBoundingClientRect();
    return { x: box.left + box.width / 2, y: box.top + box.height / 2, what: card?.className ?? '' };
  });
}

/** Two frames are painted. */
const frames = (page: Page) =>
  page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));

/** A finger that comes, is seen to have come, and goes: it stays for two frames, which is shorter than any person's. */
async function finger(page: Page, wire: CDPSession, x: number, y: number): Promise<void> {
  await wire.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x, y }] });
  await frames(page);
  await wire.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
}

const mover = async (phones: readonly [Phone, Phone]) => {
  await expect.poll(async () => (await phones[0].acts()) || (await phones[1].acts())).toBe(true);
  return (await phones[0].acts()) ? 0 : 1;
};

test('a tap changes what was tapped in its own frame, and nothing else', async ({ browser }) => {
  // Given a table whose box answers late.
  let answer = () => {};
  const hold = new Promise<void>(done => {
    answer = done;
  });
  const { phones } = await seated(browser, hold);
  const { page } = phones[await mover(phones)];
  const { x, y, what } = await target(page);
  await page.evaluate(() => {
    const told: string[] = [];
    const seen = new Set<Node>();
    new MutationObserver(all => {
      for (const one of all) {
        const node = one.target as HTMLElement;
        // The turn's clock runs whoever taps.
        if (node.parentElement?.closest('.clock') || node.closest?.('.clock')) continue;
        if (!seen.has(node)) told.push(node.outerHTML?.slice(0, 80) ?? node.nodeName);
        seen.add(node);
      }
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    addEventListener('touchend', () => {
      requestAnimationFrame(() => {
        // After the frame that follows the tap.
        setTimeout(() => Object.assign(window, { touched: [...told] }));
      });
    });
  });

  // When a card is tapped.
  await browser.startTracing(page, { categories: ['devtools.timeline'] });
  await page.touchscreen.tap(x, y);
  await page.waitForFunction(() => 'touched' in window);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Styled[] };

  // Then it is marked as sent in that frame, and no other part of the page was touched or styled anew.
  const touched = await page.evaluate(() => (window as unknown as { touched: string[] }).touched);
  expect(touched, what).toHaveLength(1);
  await expect(page.locator('.hand-card.sent, .market.sent')).toHaveCount(1);
  answer();
  const styled = trace.traceEvents.filter(event => event.name === 'UpdateLayoutTree');
  const most = Math.max(...styled.map(event => event.args.elementCount ?? 0));
  console.log(`a tap touches ${touched.length} element and styles at most ${most} at once`);
  expect(most).toBeLessThanOrEqual(40);
  for (const phone of phones) await phone.close();
});

test('how long a tap takes until its answer is painted, told', async ({ browser }) => {
  const { phones, wires } = await seated(browser);
  for (const { page } of phones) {
    await page.evaluate(() => {
      const told: number[] = [];
      Object.assign(window, { told });
      const entries = (list: PerformanceObserverEntryList) =>
        list.getEntries().filter(entry => (entry as PerformanceEntry & { interactionId: number }).interactionId > 0);
      const watch = { type: 'event', durationThreshold: 16 } as PerformanceObserverInit;
      new PerformanceObserver(list => told.push(...entries(list).map(entry => entry.duration))).observe(watch);
    });
  }
  const all: number[] = [];
  for (let taps = 0; taps < TAPS; taps += 1) {
    const at = await mover(phones);
    const { page } = phones[at];
    await page.evaluate(() => (window as unknown as { told: number[] }).told.splice(0));
    const before = await phones[at].seq();
    const { x, y } = await target(page);
    // One phone is slow at a time: slowing down is done by work, and two slow phones leave nothing of two cores.
    await wires[at].send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN });
    await finger(page, wires[at], x, y);
    await frames(page);
    await wires[at].send('Emulation.setCPUThrottlingRate', { rate: 1 });
    const shape = page.locator('.shape-choice').first();
    if (await shape.isVisible()) await shape.click();
    await expect.poll(() => phones[at].seq()).toBeGreaterThan(before);
    const told = await page.evaluate(() => (window as unknown as { told: number[] }).told);
    // Below the 16 ms that the browser tells, there is nothing to tell.
    all.push(Math.max(16, ...told));
    if (await phones[at].over()) break;
  }
  all.sort((a, b) => a - b);
  console.log(`a tap at ${SLOWDOWN}x slowdown: median ${all[all.length >> 1]} ms of ${all.length}, ${all.join(' ')}`);
  for (const phone of phones) await phone.close();
});
