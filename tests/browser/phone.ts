//! What a person does on a phone, in the words of the screen.

import { type Browser, type BrowserContext, expect, type Page } from '@playwright/test';
import type { Box, Person } from './box';
import type { Screen, World } from './world';

export type Lang = 'en' | 'pcm';
export type Theme = 'light' | 'dark';

export interface Setting {
  lang?: Lang;
  theme?: Theme;
  width?: number;
  height?: number;
  base?: string;
}

export class Phone {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Requests that left the origin, and complaints of the page; both must stay empty. */
  readonly strays: string[] = [];
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, page: Page, base: string) {
    this.context = context;
    this.page = page;
    const own = new URL(base).host;
    page.on('request', request => {
      if (new URL(request.url()).host !== own) this.strays.push(request.url());
    });
    page.on('pageerror', error => this.complaints.push(error.message));
    page.on('console', message => {
      // Refusals, a box that is away and a certificate that nobody trusts are told by the browser as errors too; they
      // are part of the tests.
      if (
        message.type() === 'error' &&
        !/Failed to load|WebSocket connection|Cross-Origin-Opener-Policy header has been ignored|SSL certificate error/.test(
          message.text(),
        )
      ) {
        this.complaints.push(message.text());
      }
    });
  }

  static async open(browser: Browser, box: Box, setting: Setting = {}): Promise<Phone> {
    const base = setting.base ?? box.url;
    const viewport = { width: setting.width ?? 360, height: setting.height ?? 640 };
    const context = await browser.newContext({ baseURL: base, viewport, ignoreHTTPSErrors: true });
    const look = { theme: setting.theme ?? 'light' };
    await context.addInitScript(
      ([lang, look]) => {
        if (!location.host) return;
        if (!localStorage.getItem('whot.lang')) localStorage.setItem('whot.lang', JSON.stringify(lang));
        if (!localStorage.getItem('whot.look')) localStorage.setItem('whot.look', JSON.stringify(look));
      },
      [setting.lang ?? 'en', look] as const,
    );
    return new Phone(context, await context.newPage(), base);
  }

  async signIn(person: Person): Promise<void> {
    const { page } = this;
    await page.goto('/');
    await page.getByLabel(/^(Your name)$/).fill(person.username);
    await page.getByLabel(/^Password$/).fill(person.password);
    await page.locator('form button[type=submit]').click();
    await expect(page.locator('.greeting h1')).toContainText(person.username);
  }

  /** Is signed in without the form, as a phone is that was signed in before. */
  async has(person: Person): Promise<void> {
    const { page } = this;
    await page.goto('/icon.svg');
    await page.evaluate(async ({ username, password }) => {
      const headers = { 'Content-Type': 'application/json' };
      const reply = await fetch('/api/v1/auth/login', {
        method: 'POST',
        headers,
        body: JSON.stringify({ username, password }),
      });
      const { access_token, refresh_token, expires_in, user } = await reply.json();
      const held = { access: access_token, refresh: refresh_token, until: Date.now() + expires_in * 1000, user };
      localStorage.setItem('whot.session', JSON.stringify(held));
    }, person);
  }

  /** Shows a screen from anew. */
  async show(screen: Screen, world: World): Promise<void> {
    await this.page.goto('about:blank');
    await this.page.goto(screen.path(world));
    await expect(this.page.locator(screen.ready).first()).toBeVisible();
    await screen.open?.(this, world);
    // What moves in is read when it has arrived.
    await this.settled();
  }

  /** The cards in the hand, by their names without what can be done with them. */
  async hand(): Promise<string[]> {
    const labels = await this.page.locator('.hand-card').evaluateAll(cards => cards.map(card => card.ariaLabel ?? ''));
    return labels.map(label => label.replace(/, (playable|you fit play am)$/, '')).sort();
  }

  /** Whether this player is asked to act. */
  async acts(): Promise<boolean> {
    return (await this.page.locator('.pill.act').count()) > 0;
  }

  /** The number of the last action that the page shows. */
  async seq(): Promise<number> {
    return Number(await this.page.locator('.table').getAttribute('data-seq'));
  }

  /** Makes the first move that the table marks; what it did. */
  async move(): Promise<'card' | 'market'> {
    const card = this.page.locator('.hand-card.can').first();
    if ((await card.count()) === 0) {
      await this.page.locator('.market').click();
      return 'market';
    }
    const name = (await card.getAttribute('aria-label')) ?? '';
    await card.click();
    if (name.startsWith('Whot')) await this.page.locator('.shape-choice').first().click();
    return 'card';
  }

  /** Waits until nothing moves any more. */
  async settled(): Promise<void> {
    await this.page.evaluate(() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => one))));
  }

  over(): Promise<boolean> {
    return this.page.locator('.result').isVisible();
  }

  async close(): Promise<void> {
    expect(this.strays, 'requests that left the box').toEqual([]);
    expect(this.complaints, 'complaints of the page').toEqual([]);
    await this.context.close();
  }
}

/** Plays until the round is over on both phones. */
export async function playRound(phones: [Phone, Phone], most = 200): Promise<number> {
  let moves = 0;
  for (; moves < most; moves += 1) {
    if (await phones[0].over()) break;
    const [first, second] = phones;
    await expect.poll(async () => (await first.acts()) || (await second.acts()) || (await first.over())).toBe(true);
    const mover = (await first.acts()) ? first : (await second.acts()) ? second : null;
    if (!mover) continue;
    const before = await mover.seq();
    await mover.move();
    await expect.poll(() => mover.seq()).toBeGreaterThan(before);
  }
  return moves;
}
