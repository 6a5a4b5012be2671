//! Loading, repeating and titling, for every screen alike.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { SignedOut } from '../base/problem';

export interface Loaded<T> {
  data: T | null;
  fault: unknown;
  reload: () => Promise<void>;
}

/** Loads, and loads again every `every` ms while the page is looked at. Old data stays while a repetition fails. */
export function useLoad<T>(load: () => Promise<T>, watch: readonly unknown[], every?: number): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; fault: unknown }>({
    data: null,
    fault: null,
  });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    try {
      const data = await load();
      if (mine === turn.current) setState({ data, fault: null });
    } catch (fault) {
      if (mine === turn.current && !(fault instanceof SignedOut)) setState(old => ({ ...old, fault }));
    }
  }, watch);
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'visible') void reload();
    };
    void reload();
    const timer = every ? setInterval(look, every) : undefined;
    if (every) document.addEventListener('visibilitychange', look);
    return () => {
      turn.current += 1;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, [reload, every]);
  return { ...state, reload };
}

export interface Doing<A extends unknown[]> {
  busy: boolean;
  fault: unknown;
  /** Runs it unless it is already running. */
  run: (...args: A) => Promise<void>;
  clear: () => void;
}

/** An action of the person: it cannot be started twice, and its failure stays to be read. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<unknown>): Doing<A> {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const going = useRef(false);
  const alive = useRef(true);
  useEffect(
    () => () => {
      alive.current = false;
    },
    [],
  );
  const run = async (...args: A) => {
    if (going.current) return;
    going.current = true;
    setBusy(true);
    setFault(null);
    try {
      await act(...args);
    } catch (problem) {
      if (alive.current) setFault(problem);
    } finally {
      going.current = false;
      if (alive.current) setBusy(false);
    }
  };
  return { busy, fault, run, clear: () => setFault(null) };
}

/** The title of the window. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** The time of `now` again every `every` ms, while `on`. */
export function useTick(now: () => number, every: number, on: boolean): number {
  const [, beat] = useState(0);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => beat(count => count + 1), every);
    return () => clearInterval(timer);
  }, [every, on]);
  return now();
}

/** The ms that are left until `until` by `now`, told again whenever another whole second has gone. */
export function useLeft(now: () => number, until: number | null): number {
  const [beats, beat] = useState(0);
  const left = until === null ? 0 : Math.max(0, until - now());
  useEffect(() => {
    if (left === 0) return;
    const timer = setTimeout(() => beat(count => count + 1), left % 1000 || 1000);
    return () => clearTimeout(timer);
  }, [until, beats]);
  return left;
}
