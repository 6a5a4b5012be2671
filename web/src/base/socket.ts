//! A WebSocket that comes back by itself.
//!
//! It says whether it is open, opens again after any loss, notices a link that died in silence, and never sends the
//! token in the address (contract 6). What frames mean is not its business.

import { type Signal, signal } from '@preact/signals';
import { get } from './api';
import { Refusal, SignedOut } from './problem';
import { access, forget, held } from './session';

export type Status = 'connecting' | 'open' | 'lost' | 'closed';

/** Pauses between tries: short, so that play goes on soon after the box is back; the hall's phones are spread. */
const PAUSES_MS = [100, 300, 600, 1000, 1500];
/** A try that has not opened by then is given up. */
const OPEN_MS = 5000;
/** After this much silence the other end is asked whether it is there … */
const QUIET_MS = 8000;
/** … and has this long to answer. */
const ANSWER_MS = 4000;

export interface Wiring {
  /** The path to open, asked anew for every try, since it says from where to go on. */
  path: () => string;
  frame: (frame: unknown) => void;
  opened?: () => void;
  /** Whether this kind of socket answers `ping`. */
  pings?: boolean;
  /** What is asked for when it does not open: a socket cannot say why it was refused, this can. */
  about?: string;
}

export class Live {
  readonly status: Signal<Status> = signal('connecting');
  readonly #wiring: Wiring;
  #socket: WebSocket | null = null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    addEventListener('online', this.#hurry);
    addEventListener('offline', this.#offline);
    document.addEventListener('visibilitychange', this.#hurry);
    void this.#connect();
  }

  /** Whether it went out; what did not is the caller's to send again. */
  send(frame: unknown): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  close(): void {
    this.#over = true;
    removeEventListener('online', this.#hurry);
    removeEventListener('offline', this.#offline);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.#drop();
    this.status.value = 'closed';
  }

  /** Starts afresh, for a caller that has found a gap. */
  again(): void {
    this.#drop();
    void this.#connect();
  }

  #hurry = (): void => {
    if (this.#over || document.visibilityState === 'hidden') return;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask();
    else if (!this.#socket) {
      this.#failures = 0;
      void this.#connect();
    }
  };

  #offline = (): void => {
    if (!this.#over) this.#lost();
  };

  async #connect(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#over || this.#socket) return;
    try {
      if (this.#failures % 4 === 2) await get(this.#wiring.about ?? '/api/v1/users/me');
      const token = await access();
      if (this.#over || this.#socket) return;
      this.#open(token);
    } catch (fault) {
      if (fault instanceof SignedOut) this.close();
      else if (fault instanceof Refusal && fault.status < 500) this.close();
      else this.#retry();
    }
  }

  #open(token: string): void {
    const url = new URL(this.#wiring.path(), location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url.href, ['whot.v1', `bearer.${token}`]);
    this.#socket = socket;
    const slow = setTimeout(() => socket.close(), OPEN_MS);
    socket.onopen = () => {
      clearTimeout(slow);
      if (this.#socket !== socket) return socket.close();
      this.#failures = 0;
      this.status.value = 'open';
      this.#listenPulse();
      this.#wiring.opened?.();
    };
    socket.onmessage = event => {
      if (this.#socket !== socket || typeof event.data !== 'string') return;
      this.#listenPulse();
      const frame = JSON.parse(event.data);
      // The own rights have changed: what the token says of them is outdated.
      if (frame?.type === 'account') void access(token).catch(() => undefined);
      else this.#wiring.frame(frame);
    };
    socket.onclose = event => {
      clearTimeout(slow);
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#ended(event.code, token);
    };
  }

  #ended(code: number, token: string): void {
    clearTimeout(this.#pulse);
    if (this.#over) return;
    if (code === 4403) {
      forget('session');
      this.close();
    } else if (code === 4409) {
      // The same player has opened the match elsewhere and wants it there alone.
      this.close();
    } else if (code === 4401) {
      void access(held.value?.access === token ? token : undefined).then(
        () => this.#connect(),
        fault => (fault instanceof SignedOut ? this.close() : this.#lost()),
      );
    } else this.#lost();
  }

  #lost(): void {
    this.#drop();
    this.status.value = 'lost';
    this.#retry();
  }

  #retry(): void {
    if (this.#over) return;
    if (this.#failures > 0) this.status.value = 'lost';
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 1000;
    this.#failures += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), pause * (0.8 + Math.random() * 0.4));
  }

  #drop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#pulse);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onclose = null;
      socket.close();
    }
  }

  #listenPulse(): void {
    clearTimeout(this.#pulse);
    if (this.#wiring.pings) this.#pulse = setTimeout(this.#ask, QUIET_MS);
  }

  #ask = (): void => {
    clearTimeout(this.#pulse);
    if (!this.#wiring.pings || !this.send({ type: 'ping' })) return;
    this.#pulse = setTimeout(() => this.#lost(), ANSWER_MS);
  };
}
