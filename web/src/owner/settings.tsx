//! The settings of the box, each with where it was said and where it can be changed; and restart and shut-down.

import { useState } from 'preact/hooks';
import { get } from '../base/api';
import type { BoxSettings, Setting } from '../base/contract';
import { useLoad, useTitle } from '../ui/hooks';
import { Heading, Loading } from '../ui/parts';
import { Page } from './app';
import { Choices, Naming } from './choices';
import { Ending, Power, type Wish } from './power';
import { o } from './words';

/** What an owner asks about first; the rest is for whoever looks after the machine. */
const FIRST = ['listen', 'public_url', 'backup_dir', 'log_level'] as const;
type First = (typeof FIRST)[number];

export function Settings() {
  useTitle(`${o('settings')} · ${o('app')}`);
  const [wish, tell] = useState<Wish | null>(null);
  if (wish) {
    return (
      <main class="page wide">
        <Heading>{o('power')}</Heading>
        <Ending of={wish} />
      </main>
    );
  }
  return (
    <Page at="/box/settings">
      <Heading>{o('settings')}</Heading>
      <All />
      <Power onWish={tell} />
    </Page>
  );
}

function All() {
  const all = useLoad(() => get<BoxSettings>('/api/v1/box/settings'), []);
  const [saved, keep] = useState<BoxSettings | null>(null);
  const now = saved ?? all.data;
  if (!now) {
    return (
      <section class="panel stack">
        <Loading from={all} />
      </section>
    );
  }
  return (
    <>
      <Naming of={now} onSaved={keep} />
      <Choices of={now} onSaved={keep} />
      <section class="panel stack">
        <h2>{o('set.all')}</h2>
        <p>{o('set.how')}</p>
        <dl class="facts">
          {FIRST.flatMap(name => now.settings.find(one => one.name === name) ?? []).map(one => (
            <Row key={one.name} of={one} name={o(`set.${one.name as First}`)} />
          ))}
        </dl>
        <details>
          <summary>{o('set.more')}</summary>
          <dl class="facts">
            {now.settings
              .filter(one => !FIRST.includes(one.name as First))
              .map(one => (
                <Row key={one.name} of={one} name={one.name} />
              ))}
          </dl>
        </details>
      </section>
    </>
  );
}

function Row({ of, name }: { of: Setting; name: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong>{said(of)}</strong>
        <span class="soft"> · {origin(of)}</span>
      </dd>
    </div>
  );
}

function said({ name, value }: Setting): string {
  if (value === null || value === '') return o('set.none');
  if (typeof value === 'boolean') return o(value ? 'set.yes' : 'set.no');
  if (name.endsWith('_days')) return o('set.days', { n: String(value) });
  if (name.endsWith('_hours')) return o('set.hours', { n: String(value) });
  if (name.endsWith('_minutes')) return o('set.minutes', { n: String(value) });
  if (Array.isArray(value)) return value.length === 0 ? o('set.none') : value.join(', ');
  return name === 'code_sender' ? o(`set.sender.${value as 'owner'}`) : String(value);
}

function origin({ source, place }: Setting): string {
  switch (source) {
    case 'default':
      return o('set.from.default');
    case 'central':
      return o('set.from.central');
    case 'screen':
      return o('set.from.screen');
    default:
      return o(`set.from.${source}`, { place: place ?? '' });
  }
}
