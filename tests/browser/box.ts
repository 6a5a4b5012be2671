//! A box of one's own for a test: the real program in a folder of its own, killed as the power would.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { request } from '@playwright/test';

const PROGRAM = process.env.WHOTBOX ?? new URL('../../target/debug/whotbox', import.meta.url).pathname;

export interface Person {
  username: string;
  password: string;
  token: string;
  id: string;
}

interface Session {
  access_token: string;
  user: { id: string; must_change_password: boolean };
}

/** Boxes that run. Whatever becomes of a test or of the whole run, none outlives it, nor does its folder. */
const running = new Set<Box>();
process.once('exit', () => {
  for (const box of running) box.drop();
});

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise(done => server.close(done));
  return port;
}

export class Box {
  readonly folder = mkdtempSync(join(tmpdir(), 'whotbox-browser-'));
  #child: ChildProcess | null = null;
  #address = '127.0.0.1:0';
  #password = '';
  readonly #tls: boolean;

  private constructor(tls: boolean) {
    this.#tls = tls;
  }

  /** `again`: it is to start again by itself, for which its port must be its own from the beginning. */
  static async start({ tls = false, again = false } = {}): Promise<Box> {
    const box = new Box(tls);
    if (again) box.#address = `127.0.0.1:${await freePort()}`;
    running.add(box);
    await box.start();
    return box;
  }

  /** Ends it at once, without waiting: for the end of this process, and after a start that failed. */
  drop(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
    running.delete(this);
  }

  /** `http://127.0.0.1:port`, or `https:`, the same after every restart. */
  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://${this.#address}`;
  }

  get port(): string {
    return this.#address.split(':')[1] ?? '';
  }

  async start(): Promise<void> {
    const log = openSync(join(this.folder, 'log'), 'a');
    const flags = ['--listen', this.#address, ...(this.#tls ? ['--tls', 'self-signed'] : [])];
    const child = spawn(PROGRAM, flags, { cwd: this.folder, stdio: ['ignore', 'pipe', log] });
    const { stdout } = child;
    if (!stdout) throw new Error('the box has no output');
    this.#child = child;
    let ready = false;
    for await (const line of createInterface({ input: stdout })) {
      const last = line.trim().split(/\s+/).pop() ?? '';
      if (line.startsWith('Listening on')) this.#address = last;
      if (line.startsWith('Password')) this.#password = last;
      if (line === 'Ready.') {
        ready = true;
        break;
      }
    }
    if (!ready) throw new Error(`the box did not start: ${readFileSync(join(this.folder, 'log'), 'utf8')}`);
    stdout.resume();
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise(done => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    this.drop();
  }

  /** Waits until the program has ended by itself; its exit code. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    return new Promise(done => child.once('exit', done));
  }

  /** A call of the API that must succeed. */
  async call<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (token) headers.Authorization = `Bearer ${token}`;
    // Nobody has signed a box's own certificate.
    const caller = await request.newContext({ ignoreHTTPSErrors: true });
    const data = body === undefined ? {} : { data: JSON.stringify(body) };
    const reply = await caller.fetch(this.url + path, { method, headers, ...data });
    const text = await reply.text();
    await caller.dispose();
    if (!reply.ok()) throw new Error(`${method} ${path}: ${reply.status()} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  /** Signs in, and makes a temporary password an own one. */
  async signIn(username: string, password: string): Promise<Person> {
    const own = `${username}-Sun7flower`;
    let session = await this.call<Session>('POST', '/api/v1/auth/login', { username, password });
    if (session.user.must_change_password) {
      const change = { current_password: password, new_password: own };
      await this.call('POST', '/api/v1/auth/password', change, session.access_token);
      session = await this.call<Session>('POST', '/api/v1/auth/login', { username, password: own });
      return { username, password: own, token: session.access_token, id: session.user.id };
    }
    return { username, password, token: session.access_token, id: session.user.id };
  }

  admin(): Promise<Person> {
    return this.signIn('admin', this.#password);
  }

  /** A distributor, who can invite customers and chat with them. */
  async distributor(username: string, alias: string): Promise<Person> {
    const admin = await this.admin();
    this.#password = admin.password;
    const made = await this.call<{ temporary_password: string }>(
      'POST',
      '/api/v1/admin/distributors',
      { username, alias },
      admin.token,
    );
    return this.signIn(username, made.temporary_password);
  }

  /** An invite, as its link. */
  async invite(by: Person): Promise<{ url: string; code: string; token: string }> {
    return this.call('POST', '/api/v1/invites', {}, by.token);
  }

  /** A customer of a distributor. */
  async customer(username: string, of: Person): Promise<Person> {
    const { token } = await this.invite(of);
    const password = `${username}-Sun7flower`;
    await this.call('POST', '/api/v1/invites/redeem', { token, username, password });
    return this.signIn(username, password);
  }
}
