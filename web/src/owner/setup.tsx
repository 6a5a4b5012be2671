//! Setting up a box, step by step. What is done is read off the box itself, so that after a power cut, or on another
//! phone, it goes on where it was; only what the box cannot know is kept on this phone.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { get } from '../base/api';
import type { Backups, ClockState, Page as PageOf, RecoverySheet, Replication, User } from '../base/contract';
import { recall, remember } from '../base/storage';
import { Secret } from '../ui/confirm';
import { useLoad, useTitle } from '../ui/hooks';
import { Button, Heading, Loading } from '../ui/parts';
import { Address } from './address';
import { Page } from './app';
import { BACKUPS, Recovery, Sheet } from './backups';
import { ClockCheck } from './clock';
import { LinkByCode } from './link';
import { NewAccount } from './people';
import { o } from './words';

const SEEN = 'whot.setup.seen';

/** What only a person can say: that a phone reached the box, and that there is no head office for now. */
type Said = 'network' | 'link';

export interface Facts {
  clock: ClockState;
  backups: Backups;
  sync: Replication;
  distributors: number;
  said: Said[];
}

export const STEPS = ['account', 'network', 'clock', 'backups', 'link', 'people'] as const;
export type Step = (typeof STEPS)[number];

export async function facts(): Promise<Facts> {
  const [clock, backups, sync, some] = await Promise.all([
    get<ClockState>('/api/v1/admin/clock'),
    get<Backups>(BACKUPS),
    get<Replication>('/api/v1/admin/replication'),
    get<PageOf<User>>('/api/v1/admin/users?role=distributor&limit=1'),
  ]);
  return { clock, backups, sync, distributors: some.items.length, said: recall<Said[]>(SEEN) ?? [] };
}

/** Whether a step is done. Nobody comes here with a password that somebody else set, so the account is. */
export function done(step: Step, of: Facts): boolean {
  switch (step) {
    case 'account':
      return true;
    case 'network':
      return of.said.includes('network') || of.distributors > 0;
    case 'clock':
      return of.clock.trusted;
    case 'backups':
      return of.backups.has_recovery_key;
    case 'link':
      return of.sync.state !== 'disabled' || of.said.includes('link');
    case 'people':
      return of.distributors > 0;
  }
}

export function Setup() {
  useTitle(`${o('setup')} · ${o('app')}`);
  const now = useLoad(facts, [], 10_000);
  const [secret, show] = useState<{ name: string; secret: string } | null>(null);
  const [sheet, print] = useState<RecoverySheet | null>(null);
  const all = now.data;
  const next = all ? STEPS.find(step => !done(step, all)) : undefined;
  const count = all ? STEPS.filter(step => done(step, all)).length : 0;
  const say = (what: Said) => {
    remember(SEEN, [...(recall<Said[]>(SEEN) ?? []), what]);
    void now.reload();
  };
  if (sheet) {
    return (
      <Page at="/box">
        <Heading>{o('setup')}</Heading>
        <Sheet
          of={sheet}
          onDone={() => {
            print(null);
            void now.reload();
          }}
        />
      </Page>
    );
  }
  return (
    <Page at="/box">
      <Heading>{o('setup')}</Heading>
      <Loading from={now} />
      {all && (
        <>
          <p class="soft">{o('setup.of', { n: count, m: STEPS.length })}</p>
          <progress class="steps" max={STEPS.length} value={count} aria-label={o('setup')} />
          <ol class="stack">
            {STEPS.map((step, index) => (
              <li key={step} class="panel stack" aria-current={step === next ? 'step' : undefined}>
                <h2>
                  {index + 1}. {o(`setup.${step}`)}{' '}
                  {done(step, all) && <span class="badge">{o('setup.done')}</span>}
                </h2>
                {step === next && (
                  <Now step={step} of={all} say={say} reload={now.reload} onMade={show} print={print} />
                )}
              </li>
            ))}
          </ol>
          {!next && (
            <section class="panel stack">
              <p class="notice good">{o('setup.ready')}</p>
              <a class="button main" href="/box">
                {o('home')}
              </a>
            </section>
          )}
          {all.distributors === 0 && (
            <a class="button plain" href="/box/restore">
              {o('setup.restore')}
            </a>
          )}
        </>
      )}
      {secret && (
        <Secret
          title={o('secret.title')}
          text={o('secret.text', { name: secret.name })}
          secret={secret.secret}
          onClose={() => {
            show(null);
            void now.reload();
          }}
        />
      )}
    </Page>
  );
}

interface NowProps {
  step: Step;
  of: Facts;
  say: (what: Said) => void;
  reload: () => Promise<void>;
  onMade: (made: { name: string; secret: string }) => void;
  print: (sheet: RecoverySheet) => void;
}

/** What is to be done in the step that is next. */
function Now({ step, of, say, reload, onMade, print }: NowProps): ComponentChildren {
  switch (step) {
    case 'account':
      return null;
    case 'network':
      return (
        <>
          <p>{o('setup.network.how')}</p>
          <Address />
          <Button kind="main" onClick={() => say('network')}>
            {o('setup.network.yes')}
          </Button>
          <p class="soft">{o('setup.network.no')}</p>
        </>
      );
    case 'clock':
      return <ClockCheck state={of.clock} onDone={reload} />;
    case 'backups':
      return <Recovery of={of.backups} show={print} />;
    case 'link':
      return (
        <>
          <p>{o('setup.link.how')}</p>
          <LinkByCode onLinked={reload} />
          <Button onClick={() => say('link')}>{o('setup.link.skip')}</Button>
        </>
      );
    case 'people':
      return (
        <>
          <p>{o('setup.people.how')}</p>
          <NewAccount bare onMade={async made => onMade(made)} />
        </>
      );
  }
}
