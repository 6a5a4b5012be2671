//! A box in the middle of an evening, and every screen that it has: who sees it, where it is, and how it is opened.

import { expect } from '@playwright/test';
import { Box, type Person } from './box';
import type { Phone } from './phone';

export type Who = 'nobody' | 'fresh' | 'player' | 'admin' | 'owner' | 'moderator';

export class World {
  readonly box: Box;
  admin!: Person;
  owner!: Person;
  moderator!: Person;
  chidi!: Person;
  tunde!: Person;
  /** Somebody whose password was given by somebody else. */
  fresh!: Person;
  /** A live match between Chidi and Tunde, one that is over, one between rounds, and one of Tunde's with the box. */
  game = '';
  lost = '';
  talk = '';
  code = '';

  private constructor(box: Box) {
    this.box = box;
  }

  static async make(): Promise<World> {
    const world = new World(await Box.start());
    await world.#people();
    await world.#games();
    await world.#talks();
    await world.#hold();
    world.code = (await world.box.invite(world.owner)).token;
    return world;
  }

  person(who: Who): Person | null {
    const people = { fresh: this.fresh, player: this.chidi, admin: this.admin, owner: this.owner };
    if (who === 'nobody') return null;
    return who === 'moderator' ? this.moderator : people[who];
  }

  async #people(): Promise<void> {
    const { box } = this;
    this.owner = await box.distributor('mama-put', 'Mama Put');
    this.admin = await box.admin();
    this.chidi = await box.customer('chidi', this.owner);
    this.tunde = await box.customer('tunde', this.owner);
    await box.customer('ngozi', this.owner);
    const moderator = { username: 'b.okafor', password: 'b.okafor-Sun7flower' };
    await box.call('POST', '/api/v1/admin/moderators', moderator, this.admin.token);
    this.moderator = await box.signIn(moderator.username, moderator.password);
    const made = await box.call<{ user: { id: string }; temporary_password: string }>(
      'POST',
      '/api/v1/admin/moderators',
      { username: 'fresh' },
      this.admin.token,
    );
    this.fresh = { username: 'fresh', password: made.temporary_password, token: '', id: made.user.id };
  }

  async #games(): Promise<void> {
    this.lost = await this.match(this.tunde, this.chidi, 'quick');
    await this.box.call('POST', `/api/v1/games/${this.lost}/play`, { type: 'resign' }, this.tunde.token);
    this.game = await this.match(this.tunde, this.chidi);
    await this.ask(this.owner, 'chidi');
    await this.ask(this.chidi, 'ngozi');
  }

  async #talks(): Promise<void> {
    const body = { participant_id: this.owner.id };
    this.talk = (await this.box.call<{ id: string }>('POST', '/api/v1/conversations', body, this.chidi.token)).id;
    const said: [Person, string][] = [
      [this.owner, 'Good afternoon, stock don land'],
      [this.chidi, 'I dey come now'],
      [this.chidi, 'Keep two packs for me abeg'],
    ];
    for (const [who, body] of said) {
      await this.box.call('POST', `/api/v1/conversations/${this.talk}/messages`, { body }, who.token);
    }
  }

  /** A hold on all that the distributor and Chidi write. */
  async #hold(): Promise<void> {
    const path = `/api/v1/admin/moderation/relationships/${this.owner.id}/${this.chidi.id}/legal-hold`;
    await this.box.call('POST', path, { reason: 'Court order 44/26 of Lagos' }, this.moderator.token);
  }

  async ask(from: Person, to: string, preset?: string): Promise<string> {
    const body = { recipient_username: to, ...(preset ? { preset } : {}) };
    return (await this.box.call<{ id: string }>('POST', '/api/v1/games/invites', body, from.token)).id;
  }

  /** A match that both have agreed to. */
  async match(from: Person, to: Person, preset?: string): Promise<string> {
    const path = `/api/v1/games/invites/${await this.ask(from, to.username, preset)}/accept`;
    return (await this.box.call<{ game_id: string }>('POST', path, {}, to.token)).game_id;
  }
}

export interface Screen {
  name: string;
  who: Who;
  path: (world: World) => string;
  /** What is there once the screen has come. */
  ready: string;
  open?: (phone: Phone, world: World) => Promise<void>;
}

const table = (world: World) => `/play/g/${world.game}`;

/** Opens a sheet of the table's menu: the one of this number, which then shows `what`. */
const sheet = (number: number, what: string) => async (phone: Phone) => {
  await phone.page.locator('.actions > .button').last().click();
  await phone.page.locator('dialog .button').nth(number).click();
  await expect(phone.page.locator(what)).toBeVisible();
};

export const SCREENS: Screen[] = [
  { name: 'sign-in', who: 'nobody', path: () => '/', ready: 'form' },
  { name: 'join-code', who: 'nobody', path: () => '/join', ready: 'form' },
  { name: 'join', who: 'nobody', path: world => `/#join=${world.code}`, ready: '.notice.good' },
  { name: 'box-sign-in', who: 'nobody', path: () => '/box', ready: 'form' },
  { name: 'staff-sign-in', who: 'nobody', path: () => '/staff', ready: 'form' },
  { name: 'problem', who: 'nobody', path: () => '/problems/not_your_turn', ready: 'main' },
  { name: 'new-password', who: 'fresh', path: () => '/staff', ready: 'form' },
  { name: 'lobby', who: 'player', path: () => '/play', ready: '.rows .row' },
  { name: 'table', who: 'player', path: table, ready: '.hand-card' },
  {
    name: 'table-menu',
    who: 'player',
    path: table,
    ready: '.hand-card',
    open: phone => phone.page.locator('.actions > .button').last().click(),
  },
  { name: 'moves', who: 'player', path: table, ready: '.hand-card', open: sheet(0, 'dialog h2') },
  { name: 'rules', who: 'player', path: table, ready: '.hand-card', open: sheet(1, 'dialog .prose') },
  { name: 'resign', who: 'player', path: table, ready: '.hand-card', open: sheet(3, 'dialog .button.danger') },
  {
    name: 'say',
    who: 'player',
    path: table,
    ready: '.hand-card',
    open: async phone => {
      await phone.page.locator('.actions > .button').first().click();
      await expect(phone.page.locator('dialog h2')).toBeVisible();
    },
  },
  { name: 'result', who: 'player', path: world => `/play/g/${world.lost}`, ready: '.outcome' },
  { name: 'chats', who: 'player', path: () => '/chat', ready: '.rows .row' },
  { name: 'chat', who: 'player', path: world => `/chat/${world.talk}`, ready: '.bubble.mine' },
  {
    name: 'chat-about',
    who: 'player',
    path: world => `/chat/${world.talk}`,
    ready: '.bubble.mine',
    open: async ({ page }) => {
      await page.locator('.thread-head button').click();
      await expect(page.locator('dialog .button.danger')).toBeVisible();
    },
  },
  { name: 'me', who: 'player', path: () => '/me', ready: '.rows .row' },
  { name: 'help', who: 'player', path: () => '/help', ready: '.specials' },
  { name: 'nowhere', who: 'player', path: () => '/play/g/none', ready: '.table.empty h1:not(:has(~ .bar-warn))' },
  { name: 'wrong-desk', who: 'player', path: () => '/box', ready: 'h1' },
  { name: 'box', who: 'admin', path: () => '/box', ready: '.verdict' },
  { name: 'box-setup', who: 'admin', path: () => '/box/setup', ready: '.panel' },
  { name: 'box-backups', who: 'admin', path: () => '/box/backups', ready: '.stack .button.main' },
  {
    name: 'box-health',
    who: 'admin',
    path: () => '/box/health',
    ready: '.verdict',
    open: phone => expect(phone.page.locator('.facts')).toBeVisible(),
  },
  {
    name: 'box-support',
    who: 'admin',
    path: () => '/box/health',
    ready: '.verdict',
    open: async phone => {
      const own = phone.page.locator('.panel').last();
      await own.locator('.button').click();
      await own.locator('summary').first().click();
      await expect(own.locator('pre').first()).toBeVisible();
    },
  },
  { name: 'box-people', who: 'admin', path: () => '/box/people', ready: '.rows .row' },
  {
    name: 'box-stop-account',
    who: 'admin',
    path: () => '/box/people',
    ready: '.rows .row',
    open: phone => phone.page.locator('.row .button.danger').first().click(),
  },
  { name: 'box-sync', who: 'admin', path: () => '/box/sync', ready: '.facts' },
  { name: 'box-games', who: 'admin', path: () => '/box/games', ready: '.rows .row' },
  { name: 'box-settings', who: 'admin', path: () => '/box/settings', ready: '.facts' },
  {
    name: 'box-restart',
    who: 'admin',
    path: () => '/box/settings',
    ready: '.facts',
    open: phone => phone.page.locator('.pair .button.danger').first().click(),
  },
  { name: 'box-restore-not', who: 'admin', path: () => '/box/restore', ready: '.panel' },
  {
    name: 'box-restore',
    who: 'admin',
    path: () => '/box/restore',
    ready: '.panel',
    // As a fresh box shows it.
    open: async ({ page }) => {
      const state = { possible: true, hindrance: null, state: 'idle', fault: null, received: 0, files: [] };
      await page.route('**/api/v1/box/restore', route => route.fulfill({ json: state }));
      await page.reload();
      await expect(page.locator('input[type=file]')).toBeVisible();
    },
  },
  { name: 'owner', who: 'owner', path: () => '/box', ready: '.verdict' },
  { name: 'owner-invites', who: 'owner', path: () => '/box/invites', ready: '.rows .row' },
  {
    name: 'owner-invite',
    who: 'owner',
    path: () => '/box/invites',
    ready: '.rows .row',
    open: async phone => {
      await phone.page.locator('form .button.main').click();
      const picture = phone.page.locator('.paper img');
      await expect.poll(() => picture.evaluate(image => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0);
    },
  },
  { name: 'owner-customers', who: 'owner', path: () => '/box/customers', ready: '.rows .row' },
  { name: 'staff', who: 'moderator', path: () => '/staff', ready: '.rows .row' },
  { name: 'staff-gate', who: 'moderator', path: world => `/staff/c/${world.talk}`, ready: '.stack .button.main' },
  {
    name: 'staff-transcript',
    who: 'moderator',
    path: world => `/staff/c/${world.talk}`,
    ready: '.stack .button.main',
    open: async phone => {
      await phone.page.locator('form input').first().fill('LG-2291: a customer reported a threat');
      await phone.page.locator('form .button.main').first().click();
      await expect(phone.page.locator('.transcript li').first()).toBeVisible();
    },
  },
  {
    name: 'staff-sealed',
    who: 'moderator',
    path: world => `/staff/c/${world.talk}`,
    ready: '.stack .button.main',
    // As a box shows it whose archive is sealed to a key elsewhere.
    open: async ({ page }) => {
      await page.route('**/api/v1/admin/moderation/conversations/*?reason=*', async route => {
        const answer = await route.fetch();
        const review = (await answer.json()) as { messages: { body: string | null; sealed?: string }[] };
        for (const message of review.messages) Object.assign(message, { body: null, sealed: 'YWdl' });
        await route.fulfill({ response: answer, json: review });
      });
      await page.locator('form input').first().fill('LG-2291: a customer reported a threat');
      await page.locator('form .button.main').first().click();
      await expect(page.locator('input[type=password]')).toBeVisible();
    },
  },
  { name: 'staff-holds', who: 'moderator', path: () => '/staff/holds', ready: '.notice.hold' },
  { name: 'staff-audit', who: 'moderator', path: () => '/staff/audit', ready: '.rows .row, .soft' },
  {
    name: 'staff-trail-differs',
    who: 'moderator',
    path: () => '/staff/audit',
    ready: '.rows .row, .soft',
    // As after a restore that nobody has acknowledged.
    open: async ({ page }) => {
      const state = { agreed_at: null, diverged: 'cut', detail: 'it was cut or set back' };
      await page.route('**/api/v1/admin/moderation/trail', route => route.fulfill({ json: state }));
      await page.reload();
      await expect(page.locator('form .button.danger')).toBeVisible();
    },
  },
  { name: 'staff-retention', who: 'admin', path: () => '/staff/retention', ready: '.button.main' },
];
